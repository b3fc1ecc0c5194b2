//! The border between peerlearn and any model.

use peerlearn_protocols::dataset::Dataset;
use peerlearn_protocols::params::{Layout, ParamsError};
use peerlearn_protocols::recipe::{Evaluation, TrainPlan, TrainReport};
use thiserror::Error;

/// A model that can be trained, read and written as flat parameters. Implement it for a model of your own; a burn
/// module gets it for free through [`super::BurnLearner`].
///
/// Calls come one at a time from one thread. Only shared parameters go through [`Learner::read`] and
/// [`Learner::write`]; what a model keeps private simply is not in its layout.
pub trait Learner: Send + 'static {
    /// Names and shapes of the shared parameters, in the order of the flat slice.
    fn layout(&self) -> &Layout;

    /// Copies the shared parameters out.
    ///
    /// Shapes: `out: [layout.len()]`.
    fn read(&self, out: &mut [f32]);

    /// Replaces the shared parameters. Optimizer state that refers to the old ones is forgotten.
    ///
    /// # Errors
    /// Wrong length or a value that is not finite; nothing is changed then.
    fn write(&mut self, params: &[f32]) -> Result<(), LearnError>;

    /// Trains on minibatches of `data` as planned.
    ///
    /// # Errors
    /// The data do not fit the model, or the loss stopped being finite.
    fn train(&mut self, data: &Dataset, plan: &TrainPlan<'_>) -> Result<TrainReport, LearnError>;

    /// Measures loss and accuracy on all rows of `data`.
    ///
    /// # Errors
    /// The data do not fit the model, or there are no rows.
    fn evaluate(&mut self, data: &Dataset) -> Result<Evaluation, LearnError>;

    /// Class probabilities.
    ///
    /// Shapes: `features: [rows, width]`, answer `[rows, classes]`.
    ///
    /// # Errors
    /// The features do not fit the model.
    fn predict(&mut self, features: &[f32]) -> Result<Vec<f32>, LearnError>;

    /// What to publish in place of the parameters as they are: noise, or the lie of an attacker in an experiment. What
    /// is not finite is refused by whoever pulls it.
    ///
    /// Shapes: `params`, answer: `[layout.len()]`.
    fn offered(&mut self, _params: &[f32]) -> Option<Vec<f32>> {
        None
    }

    /// Whether [`Learner::observe`] is to be called; decoding models for it costs time and memory.
    #[cfg(feature = "faults")]
    fn observes(&self) -> bool {
        false
    }

    /// Sees the own parameters and the models that arrived, before they are mixed.
    ///
    /// Shapes: `own: [layout.len()]`, `models: [arrived][layout.len()]`.
    #[cfg(feature = "faults")]
    fn observe(&mut self, _own: &[f32], _models: &[Vec<f32>]) {}
}

/// Why a learner could not do what it was asked. Never a peer's fault.
#[derive(Debug, Error)]
pub enum LearnError {
    /// Parameters of the wrong length or with a value that is not finite.
    #[error(transparent)]
    Params(#[from] ParamsError),
    /// The data have another shape than the model.
    #[error("the model takes rows of {want} features, the data have {got}")]
    Input {
        /// Features in the data.
        got: usize,
        /// Features of the model.
        want: usize,
    },
    /// The data have another number of classes than the model.
    #[error("the model has {want} classes, the data have {got}")]
    Classes {
        /// Classes in the data.
        got: usize,
        /// Classes of the model.
        want: usize,
    },
    /// A convolution needs `[channels, height, width]` with at least 4x4 pixels.
    #[error("the cnn takes images of at least 4x4 pixels, the data have shape {got:?}; use linear or mlp")]
    NotAnImage {
        /// Shape of one example.
        got: Vec<usize>,
    },
    /// There are no rows.
    #[error("there are no rows to learn from or to measure on")]
    NoRows,
    /// The loss is NaN or infinite.
    #[error("the loss became {loss} at step {step}; lower training.learning_rate")]
    Diverged {
        /// Step in this call.
        step: u32,
        /// The loss.
        loss: f32,
    },
}
