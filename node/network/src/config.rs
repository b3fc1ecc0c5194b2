//! Settings of the network: section `network`.

use std::time::Duration;

use peerlearn_runtime::settings::{SettingError, duration};
use serde::{Deserialize, Serialize};

use super::RelayMode;
use super::identity::is_multiaddress;

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
    /// Whether connections of peers behind routers are carried here while this node can be reached, and its own by others while it
    /// cannot.
    pub relay: RelayMode,
    /// Whether to ask the router at home, by UPnP, to pass connections on to this node.
    pub port_mapping: bool,
    /// Most connections at a time. A peer needs its gossip mesh (12) and those it pulls from and serves.
    pub max_connections: u32,
    /// Longest time a question to a peer may take.
    #[serde(with = "duration")]
    pub request_timeout: Duration,
}

impl Default for NetworkConfig {
    fn default() -> Self {
        Self {
            listen: [Self::any_port("0.0.0.0"), Self::any_port("::")].concat(),
            contacts: Vec::new(),
            mdns: cfg!(feature = "mdns"),
            relay: RelayMode::Auto,
            port_mapping: cfg!(feature = "upnp"),
            max_connections: 128,
            request_timeout: Duration::from_secs(10),
        }
    }
}

impl NetworkConfig {
    /// Any free port of an IP address, over each transport that this program was built with.
    pub fn any_port(ip: &str) -> Vec<String> {
        let kind = if ip.contains(':') { "ip6" } else { "ip4" };
        let tcp = format!("/{kind}/{ip}/tcp/0");
        if cfg!(feature = "quic") { vec![tcp, format!("/{kind}/{ip}/udp/0/quic-v1")] } else { vec![tcp] }
    }

    /// Checks every value.
    ///
    /// # Errors
    /// The first value that breaks its rule.
    pub fn validate(&self) -> Result<(), SettingError> {
        let want = "a list of multiaddresses such as \"/ip4/0.0.0.0/tcp/0\"";
        for address in &self.listen {
            SettingError::check(is_multiaddress(address), "network.listen", address, want)?;
            let can = cfg!(feature = "quic") || !address.contains("/quic");
            SettingError::check(can, "network.listen", address, "without quic, which this program was built without")?;
        }
        let can = cfg!(feature = "mdns") || !self.mdns;
        SettingError::check(can, "network.mdns", self.mdns, "false: this program was built without mdns")?;
        let can = cfg!(feature = "upnp") || !self.port_mapping;
        SettingError::check(
            can,
            "network.port_mapping",
            self.port_mapping,
            "false: this program was built without upnp",
        )?;
        let connections = self.max_connections;
        SettingError::check(connections >= 2, "network.max_connections", connections, "2 or more")?;
        let timeout = self.request_timeout;
        SettingError::check(!timeout.is_zero(), "network.request_timeout", timeout, "longer than 0s")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_what_this_program_can() {
        NetworkConfig::default().validate().unwrap();
        assert_eq!(NetworkConfig::default().listen.len(), if cfg!(feature = "quic") { 4 } else { 2 });
    }

    #[test]
    #[cfg(not(feature = "quic"))]
    fn quic_that_is_compiled_out_is_an_error_that_says_so() {
        let listen = vec!["/ip4/127.0.0.1/udp/0/quic-v1".to_owned()];
        let error = NetworkConfig { listen, ..NetworkConfig::default() }.validate().unwrap_err().to_string();
        assert!(error.contains("network.listen") && error.contains("without quic"), "{error}");
    }

    #[test]
    #[cfg(not(feature = "mdns"))]
    fn mdns_that_is_compiled_out_is_an_error_that_says_so() {
        let error = NetworkConfig { mdns: true, ..NetworkConfig::default() }.validate().unwrap_err().to_string();
        assert!(error.contains("network.mdns") && error.contains("without mdns"), "{error}");
    }
}
