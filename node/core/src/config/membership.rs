//! Settings of membership: section `membership`.

use std::io::Read;
use std::time::Duration;

use peerlearn_protocols::membership::MembershipConfig;
use peerlearn_protocols::sampling::{ParseEdgesError, Topology};
use peerlearn_runtime::settings::{SettingError, duration};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Settings of membership, as people write them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MembershipSettings {
    /// Most peers known at a time.
    pub max_peers: usize,
    /// Least time between two announcements of this peer in a quiet network.
    #[serde(with = "duration")]
    pub announce_every: Duration,
    /// Connections below which known peers are dialled without being drawn.
    pub min_connections: usize,
    /// Connections kept up in the long run, however many peers there are. Above it, draws prefer connected peers, and
    /// connections of no use for longest are ended. Has no effect where the neighbours are those of a graph or a view.
    pub degree: usize,
    /// Who is drawn: `uniform` (all alike, Epidemic Learning), `guarded` (all origins alike, so that keys alone win
    /// nothing; peers on local addresses alike), `view:SIZE` (from a bounded view that shuffles keep fresh, for
    /// networks larger than anyone can know; all peers of a network or none), or the neighbours in a graph over the
    /// ranks of all known ids.
    pub sampling: Topology,
    /// Time between two shuffles of a `view`.
    #[serde(with = "duration")]
    pub shuffle_every: Duration,
}

/// Largest file of edges read: a million edges of two ranks up to a million.
const MAX_EDGES_BYTES: u64 = 16 << 20;

/// Why the graph of `membership.sampling` cannot be had.
#[derive(Debug, Error)]
pub enum SamplingError {
    /// The file cannot be read.
    #[error("membership.sampling: cannot read the edges in {path}: {reason}")]
    Read {
        /// The file.
        path: String,
        /// What the system said.
        reason: String,
    },
    /// The file is no list of edges.
    #[error("membership.sampling: {0}")]
    Edges(#[from] ParseEdgesError),
}

impl Default for MembershipSettings {
    fn default() -> Self {
        let machine = MembershipConfig::default();
        Self {
            max_peers: machine.max_peers,
            announce_every: machine.announce_every,
            min_connections: machine.min_connections,
            degree: machine.degree,
            sampling: Topology::default(),
            shuffle_every: machine.shuffle_every,
        }
    }
}

impl MembershipSettings {
    /// Checks every value.
    ///
    /// # Errors
    /// The first value that breaks its rule.
    pub fn validate(&self) -> Result<(), SettingError> {
        let peers = self.max_peers;
        SettingError::check((1..=100_000).contains(&peers), "membership.max_peers", peers, "from 1 to 100000")?;
        let every = self.announce_every;
        SettingError::check(
            every >= Duration::from_millis(200),
            "membership.announce_every",
            every,
            "200ms or longer",
        )?;
        let least = self.min_connections;
        SettingError::check(least <= 64, "membership.min_connections", least, "at most 64")?;
        let (degree, want) = (self.degree, "at least 4 and at least membership.min_connections");
        SettingError::check(degree >= least.max(4), "membership.degree", degree, want)?;
        let every = self.shuffle_every;
        // Others take five shuffles a second of one peer.
        SettingError::check(every >= Duration::from_millis(250), "membership.shuffle_every", every, "250ms or longer")
    }

    /// What the machine is told; reads the file of edges if there is one.
    ///
    /// # Errors
    /// The file cannot be read, is too large, or has a line that is no edge.
    pub fn machine(&self) -> Result<MembershipConfig, SamplingError> {
        Ok(MembershipConfig {
            max_peers: self.max_peers,
            announce_every: self.announce_every,
            min_connections: self.min_connections,
            degree: self.degree,
            shuffle_every: self.shuffle_every,
            sampling: self.sampling.clone().resolve(read_edges)?,
            ..MembershipConfig::default()
        })
    }
}

fn read_edges(path: &str) -> Result<String, SamplingError> {
    let failed = |reason: String| SamplingError::Read { path: path.to_owned(), reason };
    let file = std::fs::File::open(path).map_err(|error| failed(error.to_string()))?;
    let mut text = String::new();
    // One byte more than allowed is read, so that a file that grows meanwhile is noticed too.
    let read = file.take(MAX_EDGES_BYTES + 1).read_to_string(&mut text).map_err(|error| failed(error.to_string()))?;
    match read as u64 > MAX_EDGES_BYTES {
        true => Err(failed(format!("it is larger than {MAX_EDGES_BYTES} bytes"))),
        false => Ok(text),
    }
}
