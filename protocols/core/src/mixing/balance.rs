//! BALANCE (Fang et al. 2024, "Byzantine-Robust Decentralized Federated Learning", equation 5).

use super::{MixContext, Mixing, Needs, Plan, Refused};

/// Share of the own model (alpha of the paper).
const OWN: f32 = 0.5;

/// Takes every candidate within gamma e^(-kappa t / T) |x| of the own model x, kappa 1; their mean has half of the
/// weight.
///
/// Nobody is taken only because the others are worse: a published implementation with that fallback lets scaled models
/// in (honest accuracy 0.47 where Gaussian noise does nothing).
pub(super) struct Balance {
    pub gamma: f32,
    pub rounds: u32,
}

impl Mixing for Balance {
    fn needs(&self) -> Needs {
        Needs::Distances
    }

    fn plan(&self, context: &MixContext<'_>) -> Plan {
        let part = (context.round as f64 / f64::from(self.rounds.max(1))).min(1.0);
        let most = f64::from(self.gamma) * (-part).exp() * context.own_norm();
        // The norm of an extreme own model cannot be measured; that is no reason to take what cannot be measured
        // either.
        let near = |index: &usize| context.distance(*index).is_finite() && context.distance(*index) <= most;
        let accepted = (0..context.candidates.len()).filter(near).count();
        let weight = (1.0 - OWN) / accepted.max(1) as f32;
        let verdict = |index| match near(&index) {
            true => Ok(weight),
            false => Err(Refused::Far { distance: context.distance(index), most }),
        };
        Plan::Weighted((0..context.candidates.len()).map(verdict).collect())
    }
}
