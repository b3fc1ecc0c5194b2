//! What can go wrong with a directory.

use std::path::PathBuf;

use peerlearn_runtime::files::WriteError;
use thiserror::Error;

/// What can go wrong with a node's directory.
#[derive(Debug, Error)]
pub enum RegistryError {
    /// The system refused.
    #[error("cannot {action} {path}: {source}", path = path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Another node runs on this directory.
    #[error("another node is running in {path}; stop it, or choose another directory with --home", path = path.display())]
    Locked {
        /// The directory.
        path: PathBuf,
    },
    /// The key may be read by others.
    #[error("{path} may be read by others (mode {mode:o}); make it private with: chmod 600 {path}", path = path.display())]
    Exposed {
        /// The key file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// A file is not what it should be.
    #[error("{path} is damaged: {reason}", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A checkpoint of another task.
    #[error("{path} belongs to task {theirs}, this node works on task {ours}; give it the settings that it was started with (task.model, task.network, data.*), or choose another directory with --home", path = path.display())]
    OtherTask {
        /// The file.
        path: PathBuf,
        /// Its task.
        theirs: String,
        /// The task of this node.
        ours: String,
    },
}

impl From<WriteError> for RegistryError {
    fn from(WriteError { action, path, source }: WriteError) -> Self {
        Self::Io { action, path, source }
    }
}
