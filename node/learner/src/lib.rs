//! The learner of a node: a model with its rows, on an OS thread of its own.
//!
//! It alone names burn. What happens to the parameters between training and mixing is
//! [`peerlearn_protocols::recipe::ModelState`]; here are the models behind its trait, and the thread.
//!
//! ```text
//!   LearnerHandle --jobs--> thread: ModelState + Learner          train, publish, mix, measure
//!        |                     |
//!        |                     v  after each mix
//!        +--- snapshot <--- the newest whole state
//!        |                     |
//!        +--- predict ------> a second Learner, made at the first question
//! ```
//!
//! Memory: the model, the flat parameters, a copy as of the last mix (from which a model that panics is built anew, and
//! with which questions are answered), what the recipe adds (control variate, moving average, outer step), and 16 KiB
//! of scratch; the models of others stay encoded. A second model once somebody asked for a prediction.

mod actor;
mod api;
mod burn_learner;
mod config;
mod error;
mod framed;
mod initial;
mod local_trainer;
mod models;
mod predictor;
mod shared;
#[cfg(test)]
mod tests;
mod thread;
mod traits;

pub use api::LearnerHandle;
/// The burn that modules for a [`BurnLearner`] are written with.
pub use burn;
pub use burn_learner::{BurnLearner, BurnModel};
pub use config::{MixingConfig, OuterConfig, TrainingConfig, recipe};
pub use error::LearnerError;
pub use framed::{FirstLayer, FramedLearner, InputFrame};
pub use initial::initial_weights;
pub use local_trainer::{LearnerData, LocalTrainer, Part};
pub use models::{ModelFamily, ModelFamilyError, build};
pub use peerlearn_protocols::dataset::{Loss, Rescale};
pub use peerlearn_protocols::recipe::{
    Batches, ClassFigures, ClassTally, Confusion, Evaluation, NumberTally, Snapshot, TrainPlan, TrainReport,
};
pub use thread::Trained;
pub use traits::{LearnError, Learner};

/// Makes a fresh learner: at the start, and again when the one before panicked.
pub type LearnerFactory = std::sync::Arc<dyn Fn() -> Result<Box<dyn Learner>, LearnError> + Send + Sync>;
