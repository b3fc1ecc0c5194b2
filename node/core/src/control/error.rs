//! Why the running node could not be asked, or the socket not be opened.

use std::path::PathBuf;

use thiserror::Error;

/// Why the running node could not be asked, or the socket not be opened.
#[derive(Debug, Error)]
pub enum ControlError {
    /// Nobody listens.
    #[error("no node is running in {home}; start one with: peerlearn run --home {home}", home = home.display())]
    NotRunning {
        /// The home directory.
        home: PathBuf,
    },
    /// The node said no.
    #[error("the node refused: {message}")]
    Refused {
        /// Its words.
        message: String,
    },
    /// The answer is no answer.
    #[error("the node in {home} does not answer sensibly: {reason}", home = home.display())]
    BadAnswer {
        /// The home directory.
        home: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The system refused.
    #[error("cannot {action} the control socket {path}: {source}", path = path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The socket.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}
