//! The learner: owns the model and the training data, on an OS thread of its own.
//!
//! It alone names burn. It knows nothing of peers beyond the encoded models handed to it for mixing, and nothing of time
//! but how long its own work took.
//!
//! Memory while mixing: the model, one flat copy of it (the last good parameters, from which a panicking model is built
//! anew), one flat copy from before the mix (for drift correction), the control variate if it is on, and 16 KiB of
//! scratch; the models of others stay encoded.

mod actor;
mod api;
mod batches;
mod bench;
mod burn_learner;
mod config;
mod error;
mod initial;
mod models;
#[cfg(test)]
mod tests;
mod thread;
mod traits;

pub use api::LearnerHandle;
pub use batches::Batches;
pub use bench::{Encoded, LearnerData, MixOrder, Mixed, Part, Pulled, Snapshot, Trained};
pub use burn_learner::{BurnLearner, BurnModel};
pub use config::{EncodingConfig, LearnerConfig, MixingConfig, OuterConfig, TrainingConfig};
pub use error::LearnerError;
pub use initial::initial_weights;
pub use models::{ModelFamily, ModelFamilyError, build};
pub use peerlearn_protocols::recipe::Evaluation;
pub use traits::{LearnError, Learner, TrainPlan, TrainReport};

/// Makes a fresh learner: at the start, and again when the one before panicked.
pub type LearnerFactory = std::sync::Arc<dyn Fn() -> Result<Box<dyn Learner>, LearnError> + Send + Sync>;
