//! Why a demo could not run.

use std::path::PathBuf;

use peerlearn::NodeError;
use peerlearn::data::{DataError, PartitionError};
use peerlearn::learner::LearnError;
use peerlearn::protocols::recipe::TrainFailure;
use thiserror::Error;

/// Most peers in one process; each takes threads, sockets and a few megabytes.
pub(super) const MAX_PEERS: usize = 256;

/// Why a demo could not run.
#[derive(Debug, Error)]
pub enum DemoError {
    /// Too few or too many peers.
    #[error("a demo has 1 to {MAX_PEERS} peers, got {got}")]
    Peers {
        /// Peers asked for.
        got: usize,
    },
    /// The rows cannot be partitioned.
    #[error(transparent)]
    Partition(#[from] PartitionError),
    /// Something is wrong with the data.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The data have no test rows to compare on.
    #[error("{data} has no test rows to compare on; add the t10k files, or name a CSV file with --test")]
    NoTest {
        /// The source.
        data: String,
    },
    /// A node could not start.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// A baseline could not be built or measured.
    #[error(transparent)]
    Learn(#[from] LearnError),
    /// A baseline could not be trained.
    #[error(transparent)]
    Train(#[from] TrainFailure<LearnError>),
    /// Nothing can be written to the output directory.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// A node ended on its own.
    #[error("node {name} ended: {reason}")]
    Failed {
        /// Its name.
        name: String,
        /// Why.
        reason: String,
    },
}

/// Nothing can be written there.
#[derive(Debug, Error)]
pub enum OutputError {
    /// The system refused.
    #[error("cannot write {path}: {source}", path = path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The directory has files that are not ours to replace.
    #[error("{path} is not empty and not the output of an earlier demo; choose another directory", path = path.display())]
    NotEmpty {
        /// The directory.
        path: PathBuf,
    },
}
