//! What a demo does, and the rows of each of its peers.

use std::path::PathBuf;

use peerlearn::NodeConfig;
use peerlearn::data::{Loaded, Partition};

use super::error::{DemoError, MAX_PEERS};

/// What a demo does.
#[derive(Debug, Clone)]
pub struct DemoPlan {
    /// Number of peers.
    pub peers: usize,
    /// How rows are partitioned among them.
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
        let source = peerlearn::data::read(data, None, &[])?;
        if source.test.is_none() {
            return Err(DemoError::NoTest { data: data.source.clone() });
        }
        let labels = &source.train.labels;
        let classes = source.train.classes.len().max(1);
        let partitioned = self.partition.assign(labels, classes, self.peers, self.seed)?;
        let prepare = |rows: &[usize], validation: f64| {
            peerlearn::data::prepare(&source, rows, source.test.as_ref(), validation, self.seed)
        };
        let each = partitioned.iter().map(|rows| prepare(rows, data.validation)).collect::<Result<_, _>>()?;
        // The pooled model sees exactly the rows that the peers train on, not those they keep apart.
        let all: Vec<usize> = (0..labels.len()).collect();
        Ok(Slices { each, pooled: prepare(&all, data.validation)? })
    }
}
