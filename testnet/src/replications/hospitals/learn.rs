//! Learning alone, as peers, and with an adaptive outer optimiser.

use peerlearn_protocols::codec::Codec;
use peerlearn_protocols::dataset::Dataset;
use peerlearn_protocols::recipe::{self, Recipe, Snapshot, TrainPlan, Trainer, Training};
use peerlearn_sim::lockstep::{Links, Lockstep, Network, Start, Worker};
use peerlearn_sim::{FlatTrainer, Model};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::prepared::{Found, Prepared};
use super::{Outer, Peers, Second, Who};
use crate::replications::ReplicationError;

/// Epochs of Adam (Kingma and Ba 2015) on some rows.
pub(super) fn adam(prepared: &Prepared<'_>, rows: &Dataset, seed: u64) -> Vec<f32> {
    let setup = prepared.setup;
    let (beta1, beta2) = setup.betas;
    let mut params = prepared.model.initial(seed);
    let mut gradient = vec![0.0; params.len()];
    let mut moments = vec![(0.0f32, 0.0f32); params.len()];
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut order: Vec<usize> = (0..rows.len()).collect();
    let mut step = 0;
    for _ in 0..setup.adam_epochs {
        order.shuffle(&mut rng);
        for batch in order.chunks(setup.batch) {
            prepared.model.gradient(&params, rows, batch, &mut rng, &mut gradient);
            step += 1;
            let (bias1, bias2) = (1.0 - beta1.powi(step), 1.0 - beta2.powi(step));
            for ((value, (m, v)), g) in params.iter_mut().zip(&mut moments).zip(&gradient) {
                *m = beta1 * *m + (1.0 - beta1) * g;
                *v = beta2 * *v + (1.0 - beta2) * g * g;
                *value -= setup.adam_learning_rate * (*m / bias1) / ((*v / bias2).sqrt() + setup.adam_epsilon);
            }
        }
    }
    params
}

/// Share of every hospital in all training rows.
fn shares(prepared: &Prepared<'_>) -> Vec<f32> {
    let total = prepared.train.iter().map(Dataset::len).sum::<usize>() as f32;
    prepared.train.iter().map(|rows| rows.len() as f32 / total).collect()
}

fn links(prepared: &Prepared<'_>, peers: &Peers) -> Links {
    match peers.links {
        Who::ByRows => {
            let shares = shares(prepared);
            let others = |own: usize| shares.iter().copied().enumerate().filter(|(peer, _)| *peer != own).collect();
            Links::Fixed((0..shares.len()).map(others).collect())
        }
        Who::Complete => Links::complete(),
        Who::Fresh => Links::fresh(peers.fan_out),
    }
}

/// Rounds of peers, then perhaps steps of every hospital on its own.
pub(super) fn peers(prepared: &Prepared<'_>, peers: &Peers, seed: u64) -> Result<Found, ReplicationError> {
    let training = Training {
        steps: peers.steps,
        batch: prepared.setup.batch,
        learning_rate: peers.learning_rate,
        control_variate: peers.control_variate,
        outer: peers.outer.map(|(rate, momentum)| recipe::Outer { rate, momentum }),
        ..Training::default()
    };
    let codec = if peers.int8 { Codec::Int8 } else { Codec::F32 };
    let recipe = Recipe { training: training.clone(), rule: peers.rule, codec, ..Recipe::default() };
    let config = Lockstep { recipe, links: links(prepared, peers), seed, ..Lockstep::default() };
    let params = prepared.model.initial(seed);
    let start = |rows: &Dataset| Start::new(rows.clone(), params.clone());
    let mut network = Network::new(&prepared.model, config, prepared.train.iter().map(start).collect())?;
    let mut curve = Vec::new();
    for _ in 0..peers.rounds {
        network.round()?;
        curve.push(prepared.mean_of_hospitals(&network.honest().collect::<Vec<_>>()));
    }
    let alone = Training { steps: peers.personal_steps, ..training };
    let personal = |(index, worker): (usize, &Worker)| {
        let Snapshot { mut params, correction, .. } = worker.state.snapshot();
        let plan = TrainPlan::new(&alone, peers.rounds + 1, peers.rounds, correction.as_deref(), seed ^ index as u64);
        let Ok(_) = worker.trainer.clone().of(&prepared.model).train(&mut params, &plan);
        params
    };
    let models: Vec<Vec<f32>> = network.workers().iter().enumerate().map(personal).collect();
    Ok(Found { curve, ..prepared.own_models(&models.iter().map(|model| &model[..]).collect::<Vec<_>>()) })
}

/// Federated averaging by rows whose mean change is the gradient of an adaptive optimiser.
pub(super) fn adaptive(prepared: &Prepared<'_>, outer: &Outer, seed: u64) -> Found {
    let training = Training {
        steps: outer.steps,
        batch: prepared.setup.batch,
        learning_rate: outer.learning_rate,
        ..Training::default()
    };
    let mut shared = prepared.model.initial(seed);
    let seed_of = |index: usize| seed.wrapping_mul(0x9e37_79b9) + index as u64;
    let trainer = |(index, rows): (usize, &Dataset)| FlatTrainer::new(rows.clone(), None, &training, seed_of(index));
    let mut trainers: Vec<FlatTrainer> = prepared.train.iter().enumerate().map(trainer).collect();
    let shares = shares(prepared);
    let mut moments = vec![(0.0f32, 0.0f32); shared.len()];
    let mut curve = Vec::new();
    for round in 1..=outer.rounds {
        let train = |(index, trainer): (usize, &mut FlatTrainer)| {
            let mut params = shared.clone();
            let plan = TrainPlan::new(&training, round, round - 1, None, seed_of(index));
            let Ok(_) = trainer.of(&prepared.model).train(&mut params, &plan);
            params
        };
        let models: Vec<Vec<f32>> = trainers.iter_mut().enumerate().map(train).collect();
        for (at, (value, moments)) in shared.iter_mut().zip(&mut moments).enumerate() {
            let mean: f32 = models.iter().zip(&shares).map(|(model, share)| share * model[at]).sum();
            *value += outer.step(mean - *value, prepared.setup.betas, moments);
        }
        curve.push(prepared.mean_of_hospitals(&vec![&shared[..]; trainers.len()]));
    }
    Found { curve, ..prepared.one_model(&shared) }
}

impl Outer {
    /// What the optimiser makes of the mean change of one parameter. There is no bias correction, as in FLamby.
    fn step(&self, change: f32, (beta1, beta2): (f32, f32), (m, v): &mut (f32, f32)) -> f32 {
        let square = change * change;
        *m = beta1 * *m + (1.0 - beta1) * change;
        *v = match self.second_moment {
            Second::Adagrad => *v + square,
            Second::Adam => beta2 * *v + (1.0 - beta2) * square,
            Second::Yogi => {
                let sign = if *v > square { 1.0 } else { -1.0 };
                *v - (1.0 - beta2) * square * sign
            }
        };
        self.outer_learning_rate * *m / (v.sqrt() + self.tau)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn second_moments_by_hand() {
        let step = |second_moment, v| {
            let outer = Outer {
                label: String::new(),
                second_moment,
                learning_rate: 0.0,
                outer_learning_rate: 1.0,
                tau: 0.0,
                steps: 0,
                rounds: 0,
                drawn: false,
            };
            let mut moments = (0.0, v);
            let moved = outer.step(2.0, (0.5, 0.75), &mut moments);
            assert_eq!(moments.0, 1.0);
            assert!((moved - moments.1.sqrt().recip()).abs() < 1e-6);
            moments.1
        };
        assert_eq!(step(Second::Adagrad, 5.0), 9.0);
        assert_eq!(step(Second::Adam, 8.0), 7.0);
        assert_eq!(step(Second::Yogi, 8.0), 7.0);
        assert_eq!(step(Second::Yogi, 0.0), 1.0);
    }
}
