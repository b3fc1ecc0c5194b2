//! Symmetric pair averaging: both of a pair end with the mean of the two (Boyd et al. 2006, "Randomized Gossip
//! Algorithms"; in learning AD-PSGD, Lian et al. 2018).
//!
//! Two peers cannot swap models at one instant, and both go on learning meanwhile. What keeps the sum of all models is
//! not that both hold the same values, but that what one adds the other takes away: each adds half of the difference of
//! the *same two published models*, x_i += (y_j - y_i) / 2 and x_j += (y_i - y_j) / 2, where y is a model as the wire
//! carries it. That holds for any codec and any delay, as long as both halves are carried out; [`add_share`] with a
//! share of 0.5 is one half.
//! The conversation by which two peers come to carry them out is that of the exchange mode `pairwise`.

use std::sync::Arc;

use super::{MixContext, Mixing, Plan, Refused};
use crate::id::PeerId;
use crate::wire::blob::Blob;

/// A difference of two published models that is to be added to the own one, however it has moved meanwhile: what
/// symmetric exchanges agree on. As the other side adds the opposite, the sum of all models stays.
#[derive(Debug, Clone, PartialEq)]
pub struct PendingDelta {
    /// Whom it was agreed with.
    pub peer: PeerId,
    /// The own published model, encoded.
    pub ours: Arc<Vec<u8>>,
    /// The other one, encoded, checked.
    pub theirs: Arc<Vec<u8>>,
    /// The part of (theirs - ours) that is added: a half between two.
    pub share: f32,
    /// Age of the other's, as claimed.
    pub age: u64,
}

/// The one-sided form, for a merge that knows only its own side (the first pull of a peer that joins): half and half
/// with the first candidate.
pub(super) struct Pair;

impl Mixing for Pair {
    fn plan(&self, context: &MixContext<'_>) -> Plan {
        let verdict = |index| if index == 0 { Ok(0.5) } else { Err(Refused::Outlier) };
        Plan::Weighted((0..context.candidates.len()).map(verdict).collect())
    }
}

/// Adds this share of what `theirs` is ahead of `ours` to `model`; a parameter that either did not send stays.
///
/// Shapes: `model: [parameters]`, of the layout of both.
pub fn add_share(model: &mut [f32], ours: &Blob<'_>, theirs: &Blob<'_>, share: f32) {
    const BLOCK: usize = 1024;
    let (mut a, mut b) = ([0.0f32; BLOCK], [0.0f32; BLOCK]);
    for (block, values) in model.chunks_mut(BLOCK).enumerate() {
        let (a, b) = (&mut a[..values.len()], &mut b[..values.len()]);
        ours.read(block * BLOCK, a);
        theirs.read(block * BLOCK, b);
        for ((value, ours), theirs) in values.iter_mut().zip(a).zip(b) {
            let step = share * *theirs - share * *ours;
            let moved = *value + step;
            *value = if moved.is_finite() { moved } else { *value };
        }
    }
}
