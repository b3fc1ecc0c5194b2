//! Settings of the network: section `network`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::config::{SettingError, duration};

/// Settings of the network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NetworkConfig {
    /// Where to listen, as multiaddresses; port 0 takes any free one.
    pub listen: Vec<String>,
    /// First contacts: multiaddresses or tickets of peers to dial at the start.
    pub contacts: Vec<String>,
    /// Whether to look for peers on the local network by mDNS.
    pub mdns: bool,
    /// Most connections at a time. A peer needs its gossip mesh (12) and those it pulls from and serves.
    pub max_connections: u32,
    /// Longest time a question to a peer may take.
    #[serde(with = "duration")]
    pub request_timeout: Duration,
}

impl Default for NetworkConfig {
    fn default() -> Self {
        Self {
            listen: vec!["/ip4/0.0.0.0/tcp/0".to_owned(), "/ip4/0.0.0.0/udp/0/quic-v1".to_owned()],
            contacts: Vec::new(),
            mdns: true,
            max_connections: 128,
            request_timeout: Duration::from_secs(10),
        }
    }
}

impl NetworkConfig {
    /// Checks every value.
    ///
    /// # Errors
    /// The first value that breaks its rule.
    pub fn validate(&self) -> Result<(), SettingError> {
        let want = "a list of multiaddresses such as \"/ip4/0.0.0.0/tcp/0\"";
        for address in &self.listen {
            SettingError::check(address.parse::<libp2p::Multiaddr>().is_ok(), "network.listen", address, want)?;
        }
        let connections = self.max_connections;
        SettingError::check(connections >= 2, "network.max_connections", connections, "2 or more")?;
        let timeout = self.request_timeout;
        SettingError::check(!timeout.is_zero(), "network.request_timeout", timeout, "longer than 0s")
    }
}
