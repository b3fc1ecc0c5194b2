//! Means whose weights follow from what candidates claim: uniform, by rows, by the graph.

use super::{MixContext, Mixing, Plan};

/// Everyone counts the same.
pub(super) struct Uniform;

impl Mixing for Uniform {
    fn plan(&self, context: &MixContext<'_>) -> Plan {
        let count = context.candidates.len();
        Plan::Weighted(vec![Ok(1.0 / (count as f32 + 1.0)); count])
    }
}

/// Weights in proportion to claimed rows, each at most `1 / (n + 1)`; what the cap cuts off goes to the own model.
///
/// A claim cannot raise the weight above that of a uniform mean; a small honest claim lowers it.
pub(super) struct SampleWeighted;

impl Mixing for SampleWeighted {
    fn plan(&self, context: &MixContext<'_>) -> Plan {
        let rows = |samples: u32| f64::from(samples.max(1));
        let total: f64 = context.candidates.iter().chain([&context.own]).map(|meta| rows(meta.samples)).sum();
        let cap = 1.0 / (context.candidates.len() as f64 + 1.0);
        let weight = |samples| (rows(samples) / total).min(cap) as f32;
        Plan::Weighted(context.candidates.iter().map(|meta| Ok(weight(meta.samples))).collect())
    }
}

/// The weights that the graph gives: doubly stochastic when everybody uses them and every message arrives. A message
/// that is lost leaves its weight with the own model, so rows still sum to one.
pub(super) struct Metropolis;

impl Mixing for Metropolis {
    fn plan(&self, context: &MixContext<'_>) -> Plan {
        Plan::Weighted((0..context.candidates.len()).map(|index| Ok(context.share(index))).collect())
    }
}
