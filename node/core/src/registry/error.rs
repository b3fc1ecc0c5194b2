//! What can go wrong with a directory.

use std::path::PathBuf;

use peerlearn_protocols::id::PeerId;
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
    #[error("another node is running in {path}{by}; stop it, or choose another directory with --home", path = path.display(), by = holder.map_or_else(String::new, |holder| format!(" (process {holder})")))]
    Locked {
        /// The directory.
        path: PathBuf,
        /// The process, where it has left its number.
        holder: Option<u32>,
    },
    /// The key gives another peer than it did when it was made.
    #[error("{path} gives the peer {found}, but {public} beside it says {kept}: one of the two is damaged, or comes from another home; put {path} back from a copy; if this node is to go on as {found}, whom nobody else knows as the former one, remove {public}", path = path.display(), public = public.display())]
    OtherKey {
        /// The key file.
        path: PathBuf,
        /// The file with the public id.
        public: PathBuf,
        /// Who the key makes this node.
        found: PeerId,
        /// Who it was.
        kept: PeerId,
    },
    /// The key is gone.
    #[error("{path} is gone, but {public} says that this is the home of the peer {kept}; put the key back from a copy; if this node is to begin as a new peer, without the memberships of the former one, remove {public}", path = path.display(), public = public.display())]
    KeyGone {
        /// The key file.
        path: PathBuf,
        /// The file with the public id.
        public: PathBuf,
        /// Who it was.
        kept: PeerId,
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
    /// A file is not there, although one that follows from it is.
    #[error("{path} is gone", path = path.display())]
    Gone {
        /// The file.
        path: PathBuf,
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
