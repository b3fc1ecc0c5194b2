//! How a node is connected: a path to each connected peer, dials that came to nothing, who is banned, what the local
//! network tells.

use std::collections::BTreeMap;

use peerlearn_protocols::id::PeerId;
use serde::{Deserialize, Serialize};

/// What connections run over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Carrier {
    /// TCP with Noise and Yamux.
    Tcp,
    /// QUIC, over UDP.
    Quic,
    /// A channel within one process.
    Memory,
    /// Something else.
    Other,
}

impl Carrier {
    /// That of a multiaddress.
    pub fn of(address: &str) -> Self {
        let has = |part: &str| address.split('/').any(|word| word == part);
        if has("quic-v1") || has("quic") {
            Self::Quic
        } else if has("tcp") {
            Self::Tcp
        } else if has("memory") {
            Self::Memory
        } else {
            Self::Other
        }
    }

    /// Its name in a sentence.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Quic => "quic",
            Self::Memory => "memory",
            Self::Other => "another transport",
        }
    }
}

/// The oldest connection to a peer, and what was measured on all of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Path {
    /// Whether it is of the same task and version, as far as is known by now.
    pub compatible: bool,
    /// Its address; behind a relay, as the relay tells it.
    pub remote: String,
    /// What the connection runs over; to the relay, for one behind a relay.
    pub carrier: Carrier,
    /// The relay, as libp2p writes it, where the connection goes through one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relay: Option<String>,
    /// Whether this node dialled.
    pub dialled: bool,
    /// Connections to it.
    pub connections: usize,
    /// Milliseconds since it is connected.
    pub up_ms: u64,
    /// Newest round-trip time, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub round_trip_ms: Option<f64>,
    /// Its program and version, as it tells them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
}

/// Dials of one peer, or of one address of nobody in particular, that came to nothing since the last that did not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedDial {
    /// The peer, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<PeerId>,
    /// The addresses tried last, at most 8.
    pub addresses: Vec<String>,
    /// Why the last dial failed.
    pub reason: String,
    /// Failed dials in a row.
    pub times: u32,
    /// Milliseconds since the last.
    pub ago_ms: u64,
}

/// Connections over one transport since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempts {
    /// Connections dialled that came about.
    pub dialled: u64,
    /// Addresses dialled in vain.
    pub failed: u64,
    /// Connections that others dialled.
    pub accepted: u64,
}

/// What the local network tells by mDNS.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalSearch {
    /// Whether it is listened to.
    pub on: bool,
    /// Different libp2p programs heard since the start, counted up to 256.
    pub heard: usize,
}

/// How a node is connected.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Connectivity {
    /// Where it listens.
    pub listening: Vec<String>,
    /// Addresses at which others were able to reach it; those of relays contain `/p2p-circuit`.
    pub external: Vec<String>,
    /// Connected peers.
    pub paths: BTreeMap<PeerId, Path>,
    /// Bytes received from and sent to each peer since the start, over all streams.
    pub bytes: BTreeMap<PeerId, (u64, u64)>,
    /// Whom it could not dial, newest first.
    pub failed: Vec<FailedDial>,
    /// The addresses last found behind each name of nobody in particular.
    pub names: BTreeMap<String, Vec<String>>,
    /// Milliseconds until each ban ends.
    pub bans: BTreeMap<PeerId, u64>,
    /// Connections over QUIC.
    pub quic: Attempts,
    /// Connections over TCP.
    pub tcp: Attempts,
    /// What the local network tells.
    pub mdns: LocalSearch,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_say_what_they_run_over() {
        assert_eq!(Carrier::of("/ip4/127.0.0.1/udp/1/quic-v1"), Carrier::Quic);
        assert_eq!(Carrier::of("/ip6/::1/tcp/1/p2p/12D3"), Carrier::Tcp);
        assert_eq!(Carrier::of("/memory/7"), Carrier::Memory);
        assert_eq!(Carrier::of("/dns4/tcp.example/udp/1"), Carrier::Other);
    }
}
