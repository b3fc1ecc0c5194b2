//! The learner: owns the model and the training data, on an OS thread of its own.
//!
//! It alone names burn. It knows nothing of peers beyond the encoded models handed to it for mixing, and nothing of time.

mod traits;

pub use traits::{Evaluation, LearnError, Learner, TrainPlan, TrainReport};
