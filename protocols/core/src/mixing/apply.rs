//! Carrying out a plan, block by block and, where there are many parameters, part by part on several threads.

use super::distances::Distances;
use super::{Column, Meta, MixContext, Needs, Plan, Refused, Rule, age, columns};
use crate::id::PeerId;
use crate::invariant::no_overreach;
use crate::wire::blob::Blob;

/// Parameters worked on at a time: 16 KiB of `f32`, so that own block and scratch stay in the first-level cache.
const BLOCK: usize = 4096;
/// Parameters one thread takes at a time: small enough to spread 10 M over cores, large enough to be worth a hand-over.
pub(super) const PART: usize = 64 * BLOCK;

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
    /// Its age, rows and mass.
    pub meta: Meta,
    /// Rounds this peer has closed.
    pub round: u64,
}

/// What a mix did.
#[derive(Debug, Clone, PartialEq)]
pub struct MixOutcome {
    /// Whose models were mixed in.
    pub mixed: Vec<PeerId>,
    /// Whose were not, and why.
    pub refused: Vec<(PeerId, Refused)>,
    /// Age of the mix.
    pub age: u64,
    /// Mass of the mix.
    pub mass: u64,
    /// Whether the own model was far behind the others: drift correction and outer momentum refer to a past that no
    /// longer counts, and are to be reset.
    pub was_behind: bool,
    /// Whether [`crate::invariant::no_overreach`] holds; always where weights are masses, which are nobody's claim
    /// alone.
    pub is_fair: bool,
}

/// Mixes candidates into the own model by a rule that needs no losses; see [`mix_with_losses`].
pub fn mix(rule: &Rule, own: Own<'_>, candidates: &[Candidate<'_>]) -> MixOutcome {
    mix_with_losses(rule, own, candidates, &mut |_| f32::NAN)
}

/// Mixes candidates into the own model.
///
/// Every candidate's model has the layout of the own one. The result is finite: each parameter lies between the least
/// and the largest of those mixed. `loss` gives the loss of a model on own rows, `[parameters]`; it is called only for
/// rules that ask for it, and a loss that is not finite is the worst of all. Costs one pass over every model (two for a
/// rule that needs distances) and scratch of 16 KiB a thread, 4 KiB a candidate more for coordinate rules.
pub fn mix_with_losses(
    rule: &Rule,
    own: Own<'_>,
    candidates: &[Candidate<'_>],
    loss: &mut dyn FnMut(&[f32]) -> f32,
) -> MixOutcome {
    let (distinct, mut refused) = distinct(candidates);
    let metas: Vec<Meta> = distinct.iter().map(|candidate| candidate.meta).collect();
    let models: Vec<Blob<'_>> = distinct.iter().map(|candidate| candidate.model).collect();
    let plan = rule.mixing(|mixing| {
        let distances = Distances::measure(mixing.needs(), own.params, &models);
        let losses = if mixing.needs() == Needs::Losses { losses(own.params, &models, loss) } else { Vec::new() };
        mixing.plan(&MixContext { own: own.meta, round: own.round, candidates: &metas, distances, losses })
    });
    let verdicts: Vec<Result<f32, Refused>> = match &plan {
        Plan::Weighted(weights) => weights.clone(),
        Plan::Columns(_, verdicts) => verdicts.iter().map(|verdict| verdict.map(|()| 0.0)).collect(),
    };
    let mut mixed: Vec<(f32, Candidate<'_>)> = Vec::with_capacity(distinct.len());
    for (verdict, candidate) in verdicts.into_iter().zip(distinct) {
        match verdict {
            Ok(weight) => mixed.push((weight, candidate)),
            Err(reason) => refused.push((candidate.peer, reason)),
        }
    }
    let accepted: Vec<Meta> = mixed.iter().map(|(_, candidate)| candidate.meta).collect();
    let weights: Vec<f32> = mixed.iter().map(|(weight, _)| *weight).collect();
    let by_weight = matches!(plan, Plan::Weighted(_)) && *rule != Rule::PushSum;
    match plan {
        Plan::Weighted(_) => weighted_mean(own.params, &mixed),
        Plan::Columns(column, _) => column_by_column(column, own.params, &mixed),
    }
    MixOutcome {
        age: age::mixed(own.meta, &metas, &accepted),
        mass: accepted.iter().fold(own.meta.mass, |sum, meta| sum.saturating_add(meta.mass)),
        was_behind: age::is_behind(own.meta, &metas),
        mixed: mixed.iter().map(|(_, candidate)| candidate.peer).collect(),
        refused,
        is_fair: !by_weight || no_overreach(&weights),
    }
}

fn distinct<'a>(candidates: &[Candidate<'a>]) -> (Vec<Candidate<'a>>, Vec<(PeerId, Refused)>) {
    let mut refused = Vec::new();
    let mut distinct: Vec<Candidate<'_>> = Vec::with_capacity(candidates.len());
    for candidate in candidates {
        match distinct.iter().any(|other| other.peer == candidate.peer) {
            true => refused.push((candidate.peer, Refused::Twice)),
            false => distinct.push(*candidate),
        }
    }
    (distinct, refused)
}

/// Loss of the own model, then of every candidate. Allocates one model.
fn losses(own: &[f32], models: &[Blob<'_>], loss: &mut dyn FnMut(&[f32]) -> f32) -> Vec<f32> {
    let mut losses = vec![loss(own)];
    let mut decoded = vec![0.0; own.len()];
    for model in models {
        model.read_over(0, own, &mut decoded);
        losses.push(loss(&decoded));
    }
    losses
}

fn weighted_mean(own: &mut [f32], mixed: &[(f32, Candidate<'_>)]) {
    if mixed.is_empty() {
        return;
    }
    let rest = (1.0 - mixed.iter().map(|(weight, _)| weight).sum::<f32>()).max(0.0);
    let partial = mixed.iter().any(|(_, candidate)| candidate.model.codec().is_partial());
    for_parts(own, |part, own| {
        // Small models are many in a simulator: 16 KiB of zeros for each would push others out of the cache.
        let mut scratch = vec![0.0f32; own.len().min(BLOCK)];
        for (block, values) in own.chunks_mut(BLOCK).enumerate() {
            let start = part * PART + block * BLOCK;
            match partial {
                false => whole_block(start, values, rest, mixed, &mut scratch),
                true => partial_block(start, values, rest, mixed, &mut scratch),
            }
        }
    });
}

fn whole_block(start: usize, own: &mut [f32], rest: f32, mixed: &[(f32, Candidate<'_>)], scratch: &mut [f32]) {
    own.iter_mut().for_each(|value| *value *= rest);
    let scratch = &mut scratch[..own.len()];
    for (weight, candidate) in mixed {
        candidate.model.read(start, scratch);
        own.iter_mut().zip(&*scratch).for_each(|(value, other)| *value += weight * other);
    }
    own.iter_mut().for_each(|value| *value = within(*value));
}

/// Weights sum to one but for their rounding, so a mean of the largest numbers may come out as infinite; then it is the
/// largest number.
pub(super) fn within(mean: f32) -> f32 {
    mean.clamp(f32::MIN, f32::MAX)
}

/// The mean over those who sent a parameter: their weights are scaled up to sum to one with the own one.
fn partial_block(start: usize, own: &mut [f32], rest: f32, mixed: &[(f32, Candidate<'_>)], scratch: &mut [f32]) {
    let scratch = &mut scratch[..own.len()];
    let mut total = [0.0f32; BLOCK];
    total[..own.len()].fill(rest);
    let mut sums = [0.0f32; BLOCK];
    sums.iter_mut().zip(&*own).for_each(|(sum, value)| *sum = rest * value);
    for (weight, candidate) in mixed {
        candidate.model.read(start, scratch);
        for ((sum, total), other) in sums.iter_mut().zip(&mut total).zip(&*scratch) {
            let sent = !other.is_nan();
            *sum += if sent { weight * other } else { 0.0 };
            *total += if sent { *weight } else { 0.0 };
        }
    }
    // Nobody sent it and the own model has no weight: then it stays as it is.
    for ((value, sum), total) in own.iter_mut().zip(sums).zip(total) {
        *value = if total > 0.0 { within(sum / total) } else { *value };
    }
}

fn column_by_column(column: Column, own: &mut [f32], mixed: &[(f32, Candidate<'_>)]) {
    if mixed.is_empty() {
        return;
    }
    for_parts(own, |part, own| {
        let mut rows = columns::Rows::new(column, mixed.len());
        for (block, values) in own.chunks_mut(columns::BLOCK).enumerate() {
            let start = part * PART + block * columns::BLOCK;
            for (index, (_, candidate)) in mixed.iter().enumerate() {
                candidate.model.read_over(start, values, rows.row(index, values.len()));
            }
            rows.reduce(values);
        }
    });
}

/// Calls `work` for every part, with its number; on several threads where there is more than one.
fn for_parts(own: &mut [f32], work: impl Fn(usize, &mut [f32]) + Sync + Send) {
    #[cfg(feature = "parallel")]
    {
        use rayon::prelude::*;
        if own.len() > PART {
            return own.par_chunks_mut(PART).enumerate().for_each(|(part, values)| work(part, values));
        }
    }
    own.chunks_mut(PART).enumerate().for_each(|(part, values)| work(part, values));
}

/// What `work` gives for every part, in their order.
pub(super) fn fold_parts<T: Send>(own: &[f32], work: impl Fn(usize, &[f32]) -> T + Sync + Send) -> Vec<T> {
    #[cfg(feature = "parallel")]
    {
        use rayon::prelude::*;
        if own.len() > PART {
            return own.par_chunks(PART).enumerate().map(|(part, values)| work(part, values)).collect();
        }
    }
    own.chunks(PART).enumerate().map(|(part, values)| work(part, values)).collect()
}
