//! UBAR (Guo et al. 2021, "Byzantine-resilient Decentralized Stochastic Gradient Descent", algorithm 1).

use super::{MixContext, Mixing, Needs, Plan, Refused};

/// Share of the own model (alpha of the paper).
const OWN: f32 = 0.5;

/// First the rho n candidates nearest to the own model; of those the ones whose loss on own rows is not above the own
/// loss; their mean has half of the weight.
///
/// The paper takes the best candidate when none is as good as the own model. That lets whoever is least bad in, so here
/// nobody is taken.
pub(super) struct Ubar {
    pub rho: f32,
}

impl Mixing for Ubar {
    fn needs(&self) -> Needs {
        Needs::Losses
    }

    fn plan(&self, context: &MixContext<'_>) -> Plan {
        let got = context.candidates.len();
        let mut nearest = context.measurable();
        nearest.sort_by(|&one, &other| context.distance(one).total_cmp(&context.distance(other)));
        nearest.truncate(((self.rho * got as f32).round() as usize).max(1));
        let own = context.losses[0];
        let mut verdicts: Vec<Result<f32, Refused>> = vec![Err(Refused::Outlier); got];
        for &index in &nearest {
            let loss = context.losses[index + 1];
            // Also refuses a loss that is not a number.
            verdicts[index] = if loss <= own { Ok(0.0) } else { Err(Refused::Worse { loss, own }) };
        }
        let accepted = verdicts.iter().filter(|verdict| verdict.is_ok()).count();
        let weight = (1.0 - OWN) / accepted.max(1) as f32;
        Plan::Weighted(verdicts.into_iter().map(|verdict| verdict.map(|_| weight)).collect())
    }
}
