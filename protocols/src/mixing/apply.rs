//! The weighted mean, block by block.

use super::{Meta, Refused, Rule, age};
use crate::id::PeerId;
use crate::wire::blob::Blob;

/// Parameters worked on at a time: 16 KiB of `f32`, so that own block and scratch stay in the first-level cache.
const BLOCK: usize = 4096;

/// A model that may be mixed in.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// Whose it is.
    pub peer: PeerId,
    /// What it claims.
    pub meta: Meta,
    /// The model, checked.
    pub model: Blob<'a>,
}

/// The own model; it becomes the mix.
#[derive(Debug)]
pub struct Own<'a> {
    /// Shapes: `[parameters]`, all finite.
    pub params: &'a mut [f32],
    /// Its age and rows.
    pub meta: Meta,
}

/// What a mix did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MixOutcome {
    /// Whose models were mixed in.
    pub mixed: Vec<PeerId>,
    /// Whose were not, and why.
    pub refused: Vec<(PeerId, Refused)>,
    /// Age of the mix.
    pub age: u64,
    /// Whether the own model was far behind the others: drift correction and outer momentum refer to a past that no
    /// longer counts, and are to be reset.
    pub was_behind: bool,
}

/// Mixes candidates into the own model.
///
/// Every candidate's model has the layout of the own one. The result is finite: it is a convex combination of finite
/// values. Costs one pass over every model, 16 KiB of scratch.
pub fn mix(rule: &Rule, own: Own<'_>, candidates: &[Candidate<'_>]) -> MixOutcome {
    let mut refused = Vec::new();
    let mut distinct: Vec<Candidate<'_>> = Vec::with_capacity(candidates.len());
    for candidate in candidates {
        match distinct.iter().any(|other| other.peer == candidate.peer) {
            true => refused.push((candidate.peer, Refused::Twice)),
            false => distinct.push(*candidate),
        }
    }
    let metas: Vec<Meta> = distinct.iter().map(|candidate| candidate.meta).collect();
    let mut mixed: Vec<(f32, Candidate<'_>)> = Vec::with_capacity(distinct.len());
    for (verdict, candidate) in rule.weigh(own.meta, &metas).into_iter().zip(distinct) {
        match verdict {
            Ok(weight) => mixed.push((weight, candidate)),
            Err(reason) => refused.push((candidate.peer, reason)),
        }
    }
    let accepted: Vec<Meta> = mixed.iter().map(|(_, candidate)| candidate.meta).collect();
    let age = age::mixed(own.meta, &metas, &accepted);
    weighted_mean(own.params, &mixed);
    let was_behind = age::is_behind(own.meta, &metas);
    MixOutcome { mixed: mixed.iter().map(|(_, candidate)| candidate.peer).collect(), refused, age, was_behind }
}

fn weighted_mean(own: &mut [f32], mixed: &[(f32, Candidate<'_>)]) {
    if mixed.is_empty() {
        return;
    }
    let rest = (1.0 - mixed.iter().map(|(weight, _)| weight).sum::<f32>()).max(0.0);
    let mut scratch = [0.0f32; BLOCK];
    for (block, values) in own.chunks_mut(BLOCK).enumerate() {
        values.iter_mut().for_each(|value| *value *= rest);
        let scratch = &mut scratch[..values.len()];
        for (weight, candidate) in mixed {
            candidate.model.read(block * BLOCK, scratch);
            values.iter_mut().zip(&*scratch).for_each(|(value, other)| *value += weight * other);
        }
    }
}
