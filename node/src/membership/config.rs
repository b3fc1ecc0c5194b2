//! Settings of membership: section `membership`.

use std::time::Duration;

use peerlearn_protocols::membership::MembershipConfig;
use serde::{Deserialize, Serialize};

use crate::config::{SettingError, duration};

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
}

impl Default for MembershipSettings {
    fn default() -> Self {
        let machine = MembershipConfig::default();
        Self {
            max_peers: machine.max_peers,
            announce_every: machine.announce_every,
            min_connections: machine.min_connections,
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
        SettingError::check(least <= 64, "membership.min_connections", least, "at most 64")
    }

    /// What the machine is told.
    pub fn machine(&self) -> MembershipConfig {
        MembershipConfig {
            max_peers: self.max_peers,
            announce_every: self.announce_every,
            min_connections: self.min_connections,
            ..MembershipConfig::default()
        }
    }
}
