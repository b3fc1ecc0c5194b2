//! What peers are compared with: the same model, alone and pooled.
//!
//! Same initial weights, batch and learning rate. Alone: each slice by itself, as many steps as each peer took. Pooled:
//! all rows together, twice as many steps, with the learning rate scheduled over them as over the rounds; more did not
//! help it.

use peerlearn_protocols::drift::MovingAverage;

use super::DemoError;
use super::plan::Slices;
use crate::config::NodeConfig;
use crate::data::{Dataset, Loaded};
use crate::learner::{Learner, TrainPlan, build, initial_weights};
use crate::node::task_of;

/// Steps of the pooled model for each step of a peer.
const POOLED_STEPS: u64 = 2;

/// Accuracy on the test rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Baselines {
    /// Trained on each slice alone, in the order of the peers.
    pub alone: Vec<f32>,
    /// Trained on all rows.
    pub pooled: f32,
}

/// Trains the baselines for peers that took `rounds` rounds, on all processors.
///
/// # Errors
/// The model cannot be trained on the data.
pub fn baselines(config: &NodeConfig, slices: &[Loaded], pooled: &Loaded, rounds: u64) -> Result<Baselines, DemoError> {
    let mut jobs: Vec<(&Loaded, u64)> = vec![(pooled, POOLED_STEPS)];
    jobs.extend(slices.iter().map(|slice| (slice, 1)));
    let workers = std::thread::available_parallelism().map_or(1, usize::from).min(jobs.len());
    let next = std::sync::atomic::AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let Some((data, factor)) = jobs.get(index) else { return Ok(done) };
            done.push((index, train(config, data, rounds, *factor)?));
        }
    };
    let mut results = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        let joined = threads.into_iter().map(|thread| match thread.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        joined.collect::<Result<Vec<Vec<(usize, f32)>>, DemoError>>()
    })?
    .concat();
    results.sort_by_key(|(index, _)| *index);
    let mut accuracies = results.into_iter().map(|(_, accuracy)| accuracy);
    let pooled = accuracies.next().unwrap_or(0.0);
    Ok(Baselines { alone: accuracies.collect(), pooled })
}

pub(super) fn of_slices(config: &NodeConfig, slices: &Slices, rounds: u64) -> Result<Baselines, DemoError> {
    baselines(config, &slices.each, &slices.pooled, rounds)
}

fn train(config: &NodeConfig, data: &Loaded, rounds: u64, factor: u64) -> Result<f32, DemoError> {
    let family = &config.task.model;
    let mut learner = build(family, data.train.input(), data.train.classes())?;
    let task = task_of(&config.task.network, &family.to_string(), data, learner.layout().clone());
    let mut weights = initial_weights(learner.layout(), task.id().0);
    learner.write(&weights)?;
    // Measured as the peers are: the moving average of a model a round.
    let mut average = MovingAverage::new(config.mixing.moving_average, &weights);
    for round in 0..rounds {
        (0..factor)
            .try_for_each(|part| train_round(&mut *learner, &data.train, config, round * factor + part, factor))?;
        learner.read(&mut weights);
        average.update(&weights, round + 1);
    }
    learner.write(average.values().unwrap_or(&weights))?;
    match &data.test {
        Some(test) => Ok(learner.evaluate(test)?.accuracy),
        None => Ok(0.0),
    }
}

fn train_round(
    learner: &mut dyn Learner,
    train: &Dataset,
    config: &NodeConfig,
    round: u64,
    factor: u64,
) -> Result<(), DemoError> {
    let training = &config.training;
    let plan = TrainPlan {
        steps: training.steps,
        batch: training.batch,
        learning_rate: training.rate(round / factor + 1),
        weight_decay: training.weight_decay,
        momentum: training.momentum,
        correction: None,
        clip_norm: training.clip_norm,
        proximal: 0.0,
        seed: training.seed.wrapping_add(round),
    };
    learner.train(train, &plan)?;
    Ok(())
}
