//! Symmetric pair averaging: both of a pair end with the mean of the two (Boyd et al. 2006, "Randomized Gossip Algorithms";
//! in learning AD-PSGD, Lian et al. 2018).
//!
//! Two peers cannot swap models at one instant, and both go on learning meanwhile. What keeps the sum of all models is
//! not that both hold the same values, but that what one adds the other takes away: each adds half of the difference of
//! the *same two published models*, x_i += (y_j - y_i) / 2 and x_j += (y_i - y_j) / 2, where y is a model as the wire
//! carries it. That holds for any codec and any delay, as long as both halves are carried out; [`add_half`] is one half.
//! The pairing of the exchange is the conversation by which two peers come to carry them out.

use super::{Mixing, Plan, Refused, Scene};
use crate::wire::blob::Blob;

/// The one-sided form, for a merge that knows only its own side (the first pull of a peer that joins): half and half with
/// the first candidate.
pub(super) struct Pair;

impl Mixing for Pair {
    fn plan(&self, scene: &Scene<'_>) -> Plan {
        let verdict = |index| if index == 0 { Ok(0.5) } else { Err(Refused::Outlier) };
        Plan::Weighted((0..scene.candidates.len()).map(verdict).collect())
    }
}

/// Adds half of what `theirs` is ahead of `ours` to `model`; a parameter that either did not send stays.
///
/// Shapes: `model: [parameters]`, of the layout of both.
pub fn add_half(model: &mut [f32], ours: &Blob<'_>, theirs: &Blob<'_>) {
    const BLOCK: usize = 1024;
    let (mut a, mut b) = ([0.0f32; BLOCK], [0.0f32; BLOCK]);
    for (block, values) in model.chunks_mut(BLOCK).enumerate() {
        let (a, b) = (&mut a[..values.len()], &mut b[..values.len()]);
        ours.read(block * BLOCK, a);
        theirs.read(block * BLOCK, b);
        for ((value, ours), theirs) in values.iter_mut().zip(a).zip(b) {
            let step = 0.5 * *theirs - 0.5 * *ours;
            let moved = *value + step;
            *value = if moved.is_finite() { moved } else { *value };
        }
    }
}
