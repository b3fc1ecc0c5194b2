//! What peers are compared with: the same model trained alone on the rows of each, and on all rows in one place.

use peerlearn::data::Loaded;

use super::Experiment;
use crate::record::BaselineOutcome;
use crate::run::RunError;
use crate::scenario::{Partitioned, Plan, pooled_rows};

impl Experiment {
    /// Also trains the same model alone on the rows of each honest peer and on all rows pooled, once each seed is over.
    ///
    /// # Errors
    /// Peers see other columns, or are too many.
    pub fn with_baselines(self) -> Result<Self, RunError> {
        let too_many =
            || "peers see different columns, or are too many to train each of them once more; leave out --baselines";
        let pooled = |(plan, _): &(Plan, Partitioned)| {
            let pooled = pooled_rows(&self.document, &plan.scenario.data, plan.peers.len(), plan.seed)?;
            let pooled = pooled.ok_or_else(|| RunError::Baselines { reason: too_many().to_owned() })?;
            Ok((plan.seed, pooled))
        };
        let pooled = self.plans.iter().map(pooled).collect::<Result<_, RunError>>()?;
        Ok(Self { pooled, ..self })
    }

    /// Trained for as many rounds as the slowest peer closed, by the recipe of the first honest peer.
    pub(super) fn baselines(
        &self,
        plan: &Plan,
        rows: &Partitioned,
        rounds: u64,
    ) -> Result<Option<BaselineOutcome>, RunError> {
        let Some(pooled) = self.pooled.get(&plan.seed) else { return Ok(None) };
        let Some(first) = plan.honest().next() else { return Ok(None) };
        let parts: Vec<Loaded> = plan.honest().map(|peer| rows.parts[peer].clone()).collect();
        let found = peerlearn_harness::baselines(&plan.peers[first].config, &parts, pooled, rounds);
        let found = found.map_err(|error| RunError::Baselines { reason: error.to_string() })?;
        let alone = || found.alone.iter().map(|alone| f64::from(alone.accuracy));
        Ok(Some(BaselineOutcome {
            alone_worst: alone().fold(f64::INFINITY, f64::min),
            alone_mean: alone().sum::<f64>() / parts.len() as f64,
            alone_best: alone().fold(0.0, f64::max),
            pooled: f64::from(found.pooled.accuracy),
        }))
    }
}
