//! Iterative outlier scissor (Wu, Chen, Ling 2023, "Byzantine-Resilient Decentralized Stochastic Optimization with
//! Robust Aggregation Rules", algorithm 2).

use super::{MixContext, Mixing, Needs, Plan, Refused};

/// `b` times: form the weighted mean of the remaining models and drop the candidate farthest from it; the own model is
/// never dropped. What remains is averaged with its weights scaled up to one.
pub(super) struct Ios {
    pub b: usize,
}

impl Mixing for Ios {
    fn needs(&self) -> Needs {
        Needs::Pairs
    }

    fn plan(&self, context: &MixContext<'_>) -> Plan {
        let got = context.candidates.len();
        let need = 2 * self.b + 1;
        if got < need {
            return Plan::Weighted(vec![Err(Refused::TooFew { got, need }); got]);
        }
        let own = (1.0 - (0..got).map(|index| f64::from(context.share(index))).sum::<f64>()).max(0.0);
        let mut kept = context.measurable();
        // Candidates too far to measure are the first outliers.
        let cuts = self.b.saturating_sub(got - kept.len());
        for _ in 0..cuts {
            let farthest = farthest_from_mean(context, &kept, own);
            kept.retain(|index| Some(*index) != farthest);
        }
        let total = own + kept.iter().map(|&index| f64::from(context.share(index))).sum::<f64>();
        let verdict = |index| match kept.contains(&index) {
            true => Ok((f64::from(context.share(index)) / total) as f32),
            false => Err(Refused::Outlier),
        };
        Plan::Weighted((0..got).map(verdict).collect())
    }
}

/// With differences d_j from the own model and mean m = sum v_j d_j: |d_k - m|² = G_kk - 2 sum v_j G_jk + |m|², and the
/// last term is the same for all.
fn farthest_from_mean(context: &MixContext<'_>, kept: &[usize], own: f64) -> Option<usize> {
    let total = own + kept.iter().map(|&index| f64::from(context.share(index))).sum::<f64>();
    let distance = |&k: &usize| {
        let toward: f64 = kept.iter().map(|&j| f64::from(context.share(j)) / total * context.product(j, k)).sum();
        context.product(k, k) - 2.0 * toward
    };
    kept.iter().max_by(|one, other| distance(one).total_cmp(&distance(other)).then(other.cmp(one))).copied()
}
