//! Mean weighted by rows of training data.

use super::{Meta, Refused};

/// Weights in proportion to claimed rows, each at most `1 / (n + 1)`; what the cap cuts off goes to the own model.
///
/// A claim cannot raise the weight above that of a uniform mean; a small honest claim lowers it.
pub(super) fn weigh(own: Meta, candidates: &[Meta]) -> Vec<Result<f32, Refused>> {
    let total: f64 = candidates.iter().chain([&own]).map(|meta| f64::from(meta.samples.max(1))).sum();
    let cap = 1.0 / (candidates.len() as f64 + 1.0);
    candidates.iter().map(|meta| Ok((f64::from(meta.samples.max(1)) / total).min(cap) as f32)).collect()
}
