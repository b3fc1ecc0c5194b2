//! What peers are compared with: the same model, alone and pooled.
//!
//! Same initial weights, batch and learning rate. Alone: each slice by itself, as many steps as each peer took. Pooled:
//! all rows together, twice as many steps, with the learning rate scheduled over them as over the rounds; more did not
//! help it.

use std::sync::Arc;

use peerlearn::NodeConfig;
use peerlearn::data::Loaded;
use peerlearn::learner::{Evaluation, LearnError, LearnerData, LocalTrainer, Part, Snapshot, build, initial_weights};
use peerlearn::node::document_of;
use peerlearn::protocols::recipe::{MixOrder, ModelState, Recipe, Training};

use super::DemoError;
use super::plan::Slices;

/// Steps of the pooled model for each step of a peer.
const POOLED_STEPS: u32 = 2;

/// Measured on the test rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Baselines {
    /// Trained on each slice alone, in the order of the peers.
    pub alone: Vec<Evaluation>,
    /// Trained on all rows.
    pub pooled: Evaluation,
}

/// Trains the baselines for peers that took `rounds` rounds, on all processors.
///
/// # Errors
/// The model cannot be trained on the data.
pub fn baselines(config: &NodeConfig, slices: &[Loaded], pooled: &Loaded, rounds: u64) -> Result<Baselines, DemoError> {
    let mut jobs: Vec<(&Loaded, u32)> = vec![(pooled, POOLED_STEPS)];
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
        joined.collect::<Result<Vec<Vec<(usize, Evaluation)>>, DemoError>>()
    })?
    .concat();
    results.sort_by_key(|(index, _)| *index);
    let mut measured = results.into_iter().map(|(_, measured)| measured);
    let pooled = measured.next().unwrap_or_default();
    Ok(Baselines { alone: measured.collect(), pooled })
}

pub(super) fn of_slices(config: &NodeConfig, slices: &Slices, rounds: u64) -> Result<Baselines, DemoError> {
    baselines(config, &slices.each, &slices.pooled, rounds)
}

/// Trains by the recipe of the peers, without others: as many rounds, `factor` times as many steps in each. Measured as
/// the peers are.
fn train(config: &NodeConfig, data: &Loaded, rounds: u64, factor: u32) -> Result<Evaluation, DemoError> {
    let family = &config.task.model;
    let learner = build(family, data.train.input(), data.train.classes())?;
    let layout = learner.layout().clone();
    // The same task as that of the peers, so that all begin with the same weights.
    let task = document_of(&config.task.network, &family.to_string(), &data.preprocessing, None);
    let task = task.map_err(peerlearn::NodeError::Task)?;
    let start = Snapshot::fresh(initial_weights(&layout, task.definition.id().0));
    let recipe = recipe_without_others(config, factor);
    let rows = LearnerData { train: data.train.clone(), validation: None, test: data.test.clone() };
    let mut trainer = LocalTrainer::new(learner, rows, &recipe.rule);
    let (samples, seed) = (data.train.len(), config.training.seed);
    let mut state =
        ModelState::new(Arc::new(layout), Arc::new(recipe), samples, start, seed).map_err(LearnError::from)?;
    for round in 1..=rounds {
        state.train(&mut trainer, round)?;
        // With nobody: the moving average and the schedule take note.
        state.mix(&mut trainer, &MixOrder::default());
    }
    Ok(trainer.measure(state.answer(), Part::Test)?.unwrap_or_default())
}

/// What corrects drift from others has nothing to correct.
fn recipe_without_others(config: &NodeConfig, factor: u32) -> Recipe {
    let recipe = config.recipe();
    let steps = recipe.training.steps.saturating_mul(factor);
    let training =
        Training { steps, control_variate: 0.0, outer: None, proximal: 0.0, reference_steps: 0, ..recipe.training };
    Recipe { training, ..recipe }
}
