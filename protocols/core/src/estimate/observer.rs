//! Everything one peer estimates, fed round by round: what an interpreter keeps, sends along and shows.

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use super::{
    DEFAULT_VALUES, Disagreement, EstimateError, RoundSeen, SizeEstimator, SizeSketch, Verdict, VerdictConfig,
    VerdictTracker,
};
use crate::id::PeerId;

/// Numbers of others taken in a round.
const MOST_HEARD: usize = 64;

/// The few numbers that travel between peers.
#[derive(Debug, Clone, PartialEq)]
pub struct EstimateReport {
    /// Epoch of the size sketch.
    pub epoch: u64,
    /// Its minima, `[values]`.
    pub minima: Vec<f32>,
    /// The mean squared distance of a pair of models, as the teller sees it.
    pub spread: Option<f64>,
}

/// What a peer saw while it mixed, before anything was averaged.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RoundObservation {
    /// Squared distance of the own model to each one pulled, without those that were stale.
    pub squared: Vec<(PeerId, f64)>,
    /// Distance of the own model after this mix to that after the one before.
    pub movement: f64,
    /// Euclidean norm of the own model.
    pub norm: f64,
}

/// What one peer can say of the whole network.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Estimate {
    /// Number of peers, this one included; none before the first sketch has settled (12 rounds of estimates).
    pub peers: Option<f64>,
    /// Root mean square distance of all models to their mean, in units of the parameters; none before a first pull.
    pub disagreement: Option<f64>,
    /// The same as a fraction of the norm of the own model.
    pub relative: Option<f64>,
    /// Converged, moving or split.
    pub verdict: Verdict,
}

/// The estimates of one peer. Errors and what Byzantine peers can do are those of the parts: [`SizeEstimator`],
/// [`Disagreement`], [`VerdictTracker`].
#[derive(Debug)]
pub struct Observer {
    size: SizeEstimator,
    disagreement: Disagreement,
    tracker: VerdictTracker,
    /// Whether draws are uniform, so that their repeats bound the number of peers.
    uniform: bool,
    heard: Vec<f64>,
    current: Estimate,
}

impl Observer {
    /// Starts with nothing seen. Where draws are not uniform (a graph, a view), the sketch of the size is not bounded
    /// by their repeats: a Byzantine peer can then raise the number of peers without limit.
    ///
    /// # Errors
    ///
    /// [`EstimateError`] for a configuration out of its range.
    pub fn new(me: PeerId, uniform: bool, config: VerdictConfig) -> Result<Self, EstimateError> {
        Ok(Self {
            size: SizeEstimator::new(me, 0, DEFAULT_VALUES)?,
            disagreement: Disagreement::default(),
            tracker: VerdictTracker::new(config)?,
            uniform,
            heard: Vec::new(),
            current: Estimate::default(),
        })
    }

    /// Takes in that this peer drew another one, whether or not anything came of it.
    pub fn drew(&mut self, peer: PeerId) {
        self.size.drew(peer);
    }

    /// Takes in what a drawn peer reported.
    ///
    /// # Errors
    ///
    /// [`EstimateError`] for numbers that no honest peer tells; nothing of them is taken then.
    pub fn hear(&mut self, from: PeerId, report: &EstimateReport) -> Result<(), EstimateError> {
        self.size.receive(from, &SizeSketch::from_parts(report.epoch, report.minima.clone())?)?;
        if self.heard.len() < MOST_HEARD {
            self.heard.extend(report.spread);
        }
        Ok(())
    }

    /// Closes a round of estimates: with what was seen in its mix, if anything was mixed.
    pub fn close(&mut self, seen: Option<&RoundObservation>) -> Estimate {
        self.size.close_round();
        if let Some(seen) = seen {
            let squared: Vec<f64> = seen.squared.iter().map(|(_, squared)| *squared).collect();
            self.disagreement.observe(&squared);
        }
        self.disagreement.hear(&std::mem::take(&mut self.heard));
        let peers = self.size.estimate().map(|size| if self.uniform { size.peers } else { size.sketch });
        // Where somebody was pulled from there are two at least, whatever the sketch says.
        let disagreement = self.disagreement.rms_among(peers.map_or(f64::MAX, |peers| peers.max(2.0)));
        let relative = seen.and_then(|seen| part(disagreement?, seen.norm));
        if let (Some(seen), Some(relative)) = (seen, relative) {
            self.judge(seen, relative);
        }
        let verdict = self.tracker.verdict();
        self.current = Estimate { peers, disagreement, relative: relative.or(self.current.relative), verdict };
        self.current
    }

    fn judge(&mut self, seen: &RoundObservation, relative: f64) {
        let Some(movement) = part(seen.movement, seen.norm) else { return };
        let distances: Vec<(PeerId, f64)> =
            seen.squared.iter().filter_map(|(peer, squared)| Some((*peer, part(squared.sqrt(), seen.norm)?))).collect();
        // Cannot fail: both numbers are finite and not negative.
        let _ = self.tracker.observe(RoundSeen { disagreement: relative, movement, distances: &distances });
    }

    /// The newest estimate.
    pub fn estimate(&self) -> Estimate {
        self.current
    }

    /// What to tell whoever asks.
    pub fn report(&self) -> EstimateReport {
        let sketch = self.size.sketch();
        EstimateReport { epoch: sketch.epoch(), minima: sketch.minima().to_vec(), spread: self.disagreement.share() }
    }
}

/// A length as a fraction of a norm; none where that says nothing.
fn part(length: f64, norm: f64) -> Option<f64> {
    let part = length / norm;
    (norm > 0.0 && part.is_finite() && part >= 0.0).then_some(part)
}
