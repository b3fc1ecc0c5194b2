//! The border between peerlearn and any model.

use peerlearn_protocols::dataset::{Dataset, DatasetError, RowError};
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

    /// Measures the model on all rows of `data`. [`peerlearn_protocols::recipe::ClassTally`] and
    /// [`peerlearn_protocols::recipe::NumberTally`] make everything that is shown of the answers for each row;
    /// [`Evaluation::new`] takes loss and accuracy alone.
    ///
    /// # Errors
    /// The data do not fit the model, or there are no rows.
    fn evaluate(&mut self, data: &Dataset) -> Result<Evaluation, LearnError>;

    /// Class probabilities; of a model with one output, the number itself, in the unit that it was trained in.
    ///
    /// Shapes: `features: [rows, width]`, answer `[rows, outputs]`.
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
    /// The data have another number of classes than the model has outputs; numbers need one output.
    #[error("the model has {want} outputs, the data need {got}: one a class, or one for a number")]
    Classes {
        /// Classes in the data, or 1 for numbers.
        got: usize,
        /// Outputs of the model.
        want: usize,
    },
    /// A convolution needs `[channels, height, width]` with at least 4x4 pixels.
    #[error("the cnn takes images of at least 4x4 pixels, the data have shape {got:?}; use linear or mlp")]
    NotAnImage {
        /// Shape of one example.
        got: Vec<usize>,
    },
    /// A row that is kept in a file cannot be read. What the model learnt since then is not kept.
    #[error(transparent)]
    Row(#[from] RowError),
    /// The rows cannot be brought to the numbers that peers agreed on.
    #[error("the rows cannot be brought to the agreed numbers: {error}")]
    Frame {
        /// What is wrong.
        error: DatasetError,
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
