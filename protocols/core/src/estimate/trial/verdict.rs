//! Trials of the verdict: a network that averages, and ways in which it does not.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{normal, partners, peer, root_mean_square};
use crate::estimate::{
    Disagreement, EstimateError, RoundSeen, Verdict, VerdictConfig, VerdictTracker, squared_distance,
};
use crate::id::PeerId;

/// Parameters of a model.
const PARAMETERS: usize = 32;

/// What happens in the network.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Situation {
    /// All average and learn, with noise of this relative size a round.
    Noise(f64),
    /// As [`Situation::Noise`] with 0.05, and every peer has its own optimum, at lognormal distances.
    HeavyTails,
    /// As [`Situation::Noise`] with 0.002, and the last peer serves a far model.
    Byzantine,
    /// Noise of 0.05 that drops to 0.002 in round 100.
    Drop,
    /// From the start two halves that mix only within and have different optima; this fraction of the draws is across.
    Split(f64),
    /// As [`Situation::Split`] with half of the draws across, and the last peer serves a still farther model.
    SplitByzantine,
}

/// Which fraction of rounds had which verdict.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VerdictShares {
    /// [`Verdict::Converged`].
    pub converged: f64,
    /// [`Verdict::Moving`].
    pub moving: f64,
    /// [`Verdict::Split`].
    pub split: f64,
}

/// The verdicts of all honest peers in the rounds `from..to`, after playing all rounds before.
///
/// # Errors
///
/// As [`VerdictTracker::new`].
pub fn verdicts(
    situation: Situation,
    peers: usize,
    rounds: std::ops::Range<u32>,
    config: VerdictConfig,
    seed: u64,
) -> Result<VerdictShares, EstimateError> {
    let mut stage = Stage::new(situation, peers, config, seed)?;
    let mut counts = [0_u32; 3];
    for round in 0..rounds.end {
        for verdict in stage.round(round)? {
            counts[verdict as usize] += u32::from(rounds.contains(&round));
        }
    }
    let total = f64::from(counts.iter().sum::<u32>().max(1));
    let [converged, moving, split] = counts.map(|count| f64::from(count) / total);
    Ok(VerdictShares { converged, moving, split })
}

struct Stage {
    situation: Situation,
    models: Vec<Vec<f32>>,
    optima: Vec<Vec<f32>>,
    views: Vec<(Disagreement, VerdictTracker)>,
    rng: ChaCha8Rng,
}

impl Stage {
    fn new(situation: Situation, peers: usize, config: VerdictConfig, seed: u64) -> Result<Self, EstimateError> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let models = (0..peers).map(|_| vector(1.0, &mut rng)).collect();
        let halves = [vector(1.0, &mut rng), vector(1.0, &mut rng)];
        let optimum = |index: usize| match situation {
            Situation::Split(_) | Situation::SplitByzantine => halves[index % 2].clone(),
            Situation::HeavyTails => {
                let far = 0.1 * normal(&mut rng).exp();
                sum(&halves[0], &vector(far, &mut rng))
            }
            _ => halves[0].clone(),
        };
        let optima = (0..peers).map(optimum).collect();
        let view = |_| Ok((Disagreement::default(), VerdictTracker::new(config)?));
        Ok(Self { situation, models, optima, views: (0..peers).map(view).collect::<Result<_, _>>()?, rng })
    }

    /// Plays a round and gives the verdicts of the honest peers.
    fn round(&mut self, round: u32) -> Result<Vec<Verdict>, EstimateError> {
        let peers = self.models.len();
        let drawn: Vec<Vec<usize>> = (0..peers).map(|own| self.draw(own)).collect();
        let next: Vec<Vec<f32>> = (0..peers).map(|own| self.step(own, &drawn[own], round)).collect();
        let honest = peers - usize::from(matches!(self.situation, Situation::Byzantine | Situation::SplitByzantine));
        let verdicts = (0..honest).map(|own| self.judge(own, &drawn[own], &next[own])).collect();
        self.models = next;
        self.models[honest..].iter_mut().for_each(|model| model.fill(100.0));
        verdicts
    }

    fn draw(&mut self, own: usize) -> Vec<usize> {
        let peers = self.models.len();
        let Situation::Split(across) = self.situation else { return partners(own, peers, &mut self.rng) };
        let half = |parity: usize, rng: &mut ChaCha8Rng| 2 * rng.random_range(0..peers / 2) + parity;
        let pick = |_| {
            let is_across = self.rng.random_bool(across);
            half((own + usize::from(is_across)) % 2, &mut self.rng)
        };
        let mut drawn: Vec<usize> = (0..super::DRAWS).map(pick).filter(|other| *other != own).collect();
        drawn.sort_unstable();
        drawn.dedup();
        drawn
    }

    /// The mean with the partners one mixes with, a step to the optimum, and noise.
    fn step(&mut self, own: usize, drawn: &[usize], round: u32) -> Vec<f32> {
        let is_split = matches!(self.situation, Situation::Split(_) | Situation::SplitByzantine);
        let mixes = |other: &&usize| !is_split || (*other + own).is_multiple_of(2);
        let honest = |other: &&usize| self.models[**other][0] != 100.0;
        let with: Vec<&Vec<f32>> =
            drawn.iter().filter(mixes).filter(honest).map(|other| &self.models[*other]).collect();
        let noise = match self.situation {
            Situation::Noise(noise) => noise,
            Situation::Drop if round < 100 => 0.05,
            Situation::HeavyTails => 0.05,
            _ => 0.002,
        };
        let noise = vector(noise, &mut self.rng);
        let mixed = |index: usize| {
            let sum = self.models[own][index] + with.iter().map(|model| model[index]).sum::<f32>();
            sum / (with.len() + 1) as f32
        };
        (0..PARAMETERS).map(|i| mixed(i) + 0.1 * (self.optima[own][i] - mixed(i)) + noise[i]).collect()
    }

    /// What a peer says of what it pulled, measured before mixing.
    fn judge(&mut self, own: usize, drawn: &[usize], next: &[f32]) -> Result<Verdict, EstimateError> {
        let (model, (view, tracker)) = (&self.models[own], &mut self.views[own]);
        let norm = root_mean_square(model.iter().map(|value| f64::from(*value))) * (PARAMETERS as f64).sqrt();
        let squared: Vec<f64> =
            drawn.iter().filter_map(|other| squared_distance(model, &self.models[*other])).collect();
        view.observe(&squared);
        let distances: Vec<(PeerId, f64)> =
            drawn.iter().zip(&squared).map(|(other, squared)| (peer(*other), squared.sqrt() / norm)).collect();
        tracker.observe(RoundSeen {
            disagreement: view.relative(norm).unwrap_or(1.0),
            movement: squared_distance(model, next).unwrap_or(0.0).sqrt() / norm,
            distances: &distances,
        })
    }
}

/// A random vector of about this norm.
fn vector(norm: f64, rng: &mut ChaCha8Rng) -> Vec<f32> {
    (0..PARAMETERS).map(|_| (norm * normal(rng) / (PARAMETERS as f64).sqrt()) as f32).collect()
}

fn sum(a: &[f32], b: &[f32]) -> Vec<f32> {
    a.iter().zip(b).map(|(a, b)| a + b).collect()
}
