//! Why the learner could not do what it was asked.

use peerlearn_protocols::recipe::TrainFailure;
use peerlearn_runtime::mailbox::ComponentGone;
use thiserror::Error;

use super::LearnError;

/// Why a job of the learner came to nothing.
#[derive(Debug, Error)]
pub enum LearnerError {
    /// The learner said no.
    #[error(transparent)]
    Learn(#[from] LearnError),
    /// Training came to nothing.
    #[error(transparent)]
    Train(#[from] TrainFailure<LearnError>),
    /// The learner panicked; it is being built anew from the last good parameters.
    #[error("the learner panicked: {message}")]
    Panicked {
        /// What the panic said.
        message: String,
    },
    /// Too many questions are waiting.
    #[error("the learner is busy")]
    Busy,
    /// The component is being restarted or the node stops.
    #[error(transparent)]
    Gone(#[from] ComponentGone),
}
