//! What a demo does, and the rows of each of its peers.

use std::path::PathBuf;

use thiserror::Error;

use super::OutputError;
use crate::config::NodeConfig;
use crate::data::{DataError, Loaded, Partition, PartitionError, Scaling};
use crate::learner::LearnError;
use crate::node::NodeError;

/// Most peers in one process; each takes threads, sockets and a few megabytes.
const MAX_PEERS: usize = 256;

/// What a demo does.
#[derive(Debug, Clone)]
pub struct DemoPlan {
    /// Number of peers.
    pub peers: usize,
    /// How rows are dealt to them.
    pub partition: Partition,
    /// Rounds of each peer.
    pub rounds: u64,
    /// Stop as soon as every peer's accuracy on the test rows is at least this.
    pub until_accuracy: Option<f32>,
    /// Seeds partition, split and order of rows.
    pub seed: u64,
    /// Settings of every node. Source, label and scaling of the data are taken from here too.
    pub config: NodeConfig,
    /// Where to write events, curves and a picture.
    pub out: Option<PathBuf>,
}

/// Why a demo could not run.
#[derive(Debug, Error)]
pub enum DemoError {
    /// Too few or too many peers.
    #[error("a demo has 1 to {MAX_PEERS} peers, got {got}")]
    Peers {
        /// Peers asked for.
        got: usize,
    },
    /// The rows cannot be dealt.
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
    /// A baseline could not be trained.
    #[error(transparent)]
    Learn(#[from] LearnError),
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

/// The rows of every peer, and all of them together.
pub(super) struct Slices {
    pub each: Vec<Loaded>,
    pub pooled: Loaded,
}

impl DemoPlan {
    /// The rows of every peer, in their order: what [`super::run`] gives its nodes.
    ///
    /// # Errors
    /// The data or the partition are wrong.
    pub fn parts(&self) -> Result<Vec<Loaded>, DemoError> {
        Ok(self.slices()?.each)
    }

    pub(super) fn slices(&self) -> Result<Slices, DemoError> {
        if !(1..=MAX_PEERS).contains(&self.peers) {
            return Err(DemoError::Peers { got: self.peers });
        }
        let data = &self.config.data;
        let (train, test, auto, _) = crate::data::read(data)?;
        if test.is_none() {
            return Err(DemoError::NoTest { data: data.source.clone() });
        }
        let scaling = if data.scaling == Scaling::Auto { auto } else { data.scaling };
        let dealt = self.partition.deal(&train.labels, train.classes.len(), self.peers, self.seed)?;
        let prepare = |rows: &[usize], validation: f64| {
            crate::data::prepare(&train, rows, test.as_ref(), scaling, validation, self.seed)
        };
        let each = dealt.iter().map(|rows| prepare(rows, data.validation)).collect::<Result<_, _>>()?;
        // The pooled model sees exactly the rows that the peers train on, not those they keep apart.
        let all: Vec<usize> = (0..train.labels.len()).collect();
        Ok(Slices { each, pooled: prepare(&all, data.validation)? })
    }
}
