//! Why the learner room could not do what it was asked.

use thiserror::Error;

use super::LearnError;
use crate::mailbox::RoomGone;

/// Why the learner room could not do what it was asked.
#[derive(Debug, Error)]
pub enum LearnerError {
    /// The learner said no.
    #[error(transparent)]
    Learn(#[from] LearnError),
    /// The learner panicked; it is being built anew from the last good parameters.
    #[error("the learner panicked: {message}")]
    Panicked {
        /// What the panic said.
        message: String,
    },
    /// Too many questions are waiting.
    #[error("the learner is busy")]
    Busy,
    /// The room is being restarted or the node stops.
    #[error(transparent)]
    Gone(#[from] RoomGone),
}
