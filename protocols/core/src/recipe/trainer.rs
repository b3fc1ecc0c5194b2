//! The border between a recipe and any model.

use super::{BatchOrder, Batches, Training};
use crate::dataset::Dataset;

/// A model that can be trained: what a recipe asks of burn modules, of the simulator's own models and of a user's
/// learner.
///
/// Parameters are handed in flat and taken back flat; what a model keeps private simply is not among them. Calls come
/// one at a time.
pub trait Trainer {
    /// Why training failed.
    type Error;

    /// Trains the parameters as planned. On failure they are of no interest any more.
    ///
    /// Shapes: `params: [parameters]`.
    ///
    /// # Errors
    /// The rows do not fit the model, or the loss stopped being finite.
    fn train(&mut self, params: &mut [f32], plan: &TrainPlan<'_>) -> Result<TrainReport, Self::Error>;

    /// Mean loss of a model on the probe rows; NaN where it cannot be had. Asked for only under rules that need it.
    ///
    /// Shapes: `params: [parameters]`.
    fn loss(&mut self, params: &[f32]) -> f32;

    /// What to publish in place of the parameters as they are: noise, or the lie of an attacker in an experiment.
    ///
    /// Shapes: `params`, answer: `[parameters]`.
    fn offered(&mut self, _params: &[f32]) -> Option<Vec<f32>> {
        None
    }

    /// Whether [`Trainer::observe`] is to be called; decoding models for it costs time and memory.
    fn observes(&self) -> bool {
        false
    }

    /// Sees the own parameters and the models that arrived, before they are mixed.
    ///
    /// Shapes: `own: [parameters]`, `models: [arrived][parameters]`.
    fn observe(&mut self, _own: &[f32], _models: &[Vec<f32>]) {}
}

/// What to do in one call of [`Trainer::train`].
#[derive(Debug, Clone, Copy)]
pub struct TrainPlan<'a> {
    /// Minibatch steps, H.
    pub steps: u32,
    /// Rows a minibatch, B.
    pub batch: usize,
    /// How minibatches are drawn.
    pub order: BatchOrder,
    /// Step size, eta.
    pub learning_rate: f32,
    /// L2 weight decay added to the gradient.
    pub weight_decay: f32,
    /// Momentum of the local optimizer; 0 is plain SGD.
    pub momentum: f32,
    /// Whether momentum goes on from the call before, or starts at zero.
    pub keep_momentum: bool,
    /// Added to every gradient, `[parameters]`: the control variate.
    pub correction: Option<&'a [f32]>,
    /// Largest norm of a minibatch gradient: a longer one is scaled down to it before anything is added (Pascanu et al.
    /// 2013, algorithm 1); 0 is off.
    pub clip_norm: f32,
    /// FedProx: strength mu of the pull back to the parameters at the start of the call; 0 is off.
    pub proximal: f32,
    /// Number of the first minibatch, over the whole life of the peer.
    pub first_batch: u64,
    /// Seeds the order of rows. The same seed and number give the same result, bit by bit.
    pub seed: u64,
}

impl<'a> TrainPlan<'a> {
    /// The plan of one round, counted from 1, of a peer whose step size has fallen by `schedule` rounds.
    pub fn new(training: &Training, round: u64, schedule: u64, correction: Option<&'a [f32]>, seed: u64) -> Self {
        Self {
            steps: training.steps,
            batch: training.batch,
            order: training.order,
            learning_rate: training.rate(schedule),
            weight_decay: training.weight_decay,
            momentum: training.momentum,
            keep_momentum: training.keep_momentum,
            correction,
            clip_norm: training.clip_norm,
            proximal: training.proximal,
            first_batch: round.saturating_sub(1).saturating_mul(u64::from(training.steps)),
            seed,
        }
    }

    /// The minibatches of this call, of so many rows.
    pub fn batches(&self, rows: usize) -> Batches {
        let mut batches = Batches::new(rows, self.batch, self.order, self.seed);
        batches.seek(self.first_batch);
        batches
    }

    /// The minibatches of this call of these rows: [`TrainPlan::batches`] of rows in memory. Shuffled rows that are kept
    /// elsewhere come in an order in which they can be read; see [`Batches::nearby`].
    pub fn batches_of(&self, rows: &Dataset) -> Batches {
        let batches = self.batches(rows.len());
        if rows.is_stored() { batches.nearby() } else { batches }
    }
}

/// What one call of [`Trainer::train`] did.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct TrainReport {
    /// Steps done.
    pub steps: u32,
    /// Rows seen, counted with repetition.
    pub samples: u64,
    /// Mean training loss over the steps.
    pub loss: f32,
}
