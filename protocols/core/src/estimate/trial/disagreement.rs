//! Trials of the distance to the mean.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::{normal, partners, root_mean_square};
use crate::estimate::{Disagreement, squared_distance};

/// Relative errors over the honest peers, root mean square.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DisagreementError {
    /// Without hearing others.
    pub alone: f64,
    /// With the average of partners.
    pub shared: f64,
}

/// The error of the distance to the mean after `rounds` in a network of standing models with normal parameters. Shapes:
/// models `[parameters]`. With a Byzantine peer, the last peer serves a model a thousand times further out, claims a
/// thousand times the distance, and does not count in the truth.
pub fn disagreement_error(
    peers: usize,
    parameters: usize,
    rounds: u32,
    has_byzantine_peer: bool,
    seed: u64,
) -> DisagreementError {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut models: Vec<Vec<f32>> =
        (0..peers).map(|_| (0..parameters).map(|_| normal(&mut rng) as f32).collect()).collect();
    let honest = peers - usize::from(has_byzantine_peer);
    models[honest..].iter_mut().flatten().for_each(|value| *value *= 1e3);
    let mut alone = vec![Disagreement::default(); peers];
    let mut shared = alone.clone();
    for _ in 0..rounds {
        round(&models, honest, &mut alone, &mut shared, &mut rng);
    }
    let truth = distance_to_mean(&models[..honest]);
    let error = |all: &[Disagreement]| {
        let relative = |one: &Disagreement| one.rms_among(peers as f64).map_or(1.0, |rms| rms / truth - 1.0);
        root_mean_square(all[..honest].iter().map(relative))
    };
    DisagreementError { alone: error(&alone), shared: error(&shared) }
}

fn round(
    models: &[Vec<f32>],
    honest: usize,
    alone: &mut [Disagreement],
    shared: &mut [Disagreement],
    rng: &mut ChaCha8Rng,
) {
    let lie = |index: usize| if index < honest { 1.0 } else { 1e6 };
    let sent: Vec<Option<f64>> =
        shared.iter().enumerate().map(|(index, one)| one.share().map(|value| value * lie(index))).collect();
    for own in 0..models.len() {
        let drawn = partners(own, models.len(), rng);
        let squared: Vec<f64> =
            drawn.iter().filter_map(|other| squared_distance(&models[own], &models[*other])).collect();
        alone[own].observe(&squared);
        shared[own].observe(&squared);
        let heard: Vec<f64> = drawn.iter().filter_map(|other| sent[*other]).collect();
        shared[own].hear(&heard);
    }
}

/// The true root-mean-square distance to the mean. Shapes: `models: [peers][parameters]`.
fn distance_to_mean(models: &[Vec<f32>]) -> f64 {
    let column = |index: usize| models.iter().map(move |model| f64::from(model[index]));
    let variance = |index: usize| {
        let mean = column(index).sum::<f64>() / models.len() as f64;
        column(index).map(|value| (value - mean).powi(2)).sum::<f64>() / models.len() as f64
    };
    (0..models[0].len()).map(variance).sum::<f64>().sqrt()
}
