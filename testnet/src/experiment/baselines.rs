//! What peers are compared with: the same model trained alone on the rows of each, and on all rows in one place.

use peerlearn::data::Loaded;

use super::Experiment;
use crate::record::BaselineOutcome;
use crate::run::RunError;
use crate::scenario::{Partitioned, Plan};

impl Experiment {
    /// Also trains the same model alone on the rows of each honest peer and on all rows pooled, once each seed is over.
    ///
    /// # Errors
    /// Peers see other columns, or are too many.
    pub fn with_baselines(self) -> Result<Self, RunError> {
        if self.plans.iter().any(|(_, rows)| rows.pooled.is_none()) {
            let reason =
                "peers see different columns, or are too many to train each of them once more; leave out --baselines";
            return Err(RunError::Baselines { reason: reason.to_owned() });
        }
        Ok(Self { compares: true, ..self })
    }

    /// Trained for as many rounds as the slowest peer closed, by the recipe of the first honest peer.
    pub(super) fn baselines(
        &self,
        plan: &Plan,
        rows: &Partitioned,
        rounds: u64,
    ) -> Result<Option<BaselineOutcome>, RunError> {
        let Some(pooled) = rows.pooled.as_ref().filter(|_| self.compares) else { return Ok(None) };
        let Some(first) = plan.honest().next() else { return Ok(None) };
        let parts: Vec<Loaded> = plan.honest().map(|peer| rows.parts[peer].clone()).collect();
        let found = peerlearn_harness::baselines(&plan.peers[first].config, &parts, pooled, rounds);
        let found = found.map_err(|error| RunError::Baselines { reason: error.to_string() })?;
        let alone = || found.alone.iter().map(|accuracy| f64::from(*accuracy));
        Ok(Some(BaselineOutcome {
            alone_worst: alone().fold(f64::INFINITY, f64::min),
            alone_mean: alone().sum::<f64>() / parts.len() as f64,
            alone_best: alone().fold(0.0, f64::max),
            pooled: f64::from(found.pooled),
        }))
    }
}
