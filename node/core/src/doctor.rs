//! What a running node knows of its network and its machine, for `peerlearn doctor` and `peerlearn peers`.

mod contacts;
mod notes;
mod peers;
mod process;
#[cfg(test)]
mod tests;

use peerlearn_network::{Connectivity, FailedDial, Path};
use peerlearn_protocols::id::PeerId;
use serde::{Deserialize, Serialize};

pub(crate) use contacts::{OwnContact, own_contacts, problems, report_contacts};
pub(crate) use notes::Notes;
pub(crate) use peers::report_peers;
pub use process::Process;

use crate::status::Status;

/// Everything a node knows of its network and its machine. Field names are stable; new fields may be added.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// How the node is.
    pub status: Status,
    /// Version of the protocol that it speaks.
    pub protocol: u8,
    /// Seconds since 1970 by the clock of its machine.
    pub unix_seconds: u64,
    /// How it is connected.
    pub connectivity: Connectivity,
    /// Everyone known, connected or banned: those connected first.
    pub peers: Vec<PeerReport>,
    /// Whom settings, tickets and the command line name.
    pub contacts: Vec<ContactReport>,
    /// Peers of another task or protocol version that were met, newest first.
    pub refused: Vec<TurnedAway>,
    /// Peers that do not let this node in, newest first.
    pub not_let_in: Vec<TurnedAway>,
    /// How the rounds went.
    pub rounds: Rounds,
    /// Most connections at a time, as its settings say.
    pub max_connections: u32,
    /// Its process.
    pub process: Process,
}

/// How the rounds of a node went since its start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rounds {
    /// Rounds closed since the last in which a model of somebody else was mixed.
    pub without_mix: u64,
    /// Those of them in a row, up to now, in which models arrived and the mixing rule refused every one.
    pub all_refused: u64,
    /// Milliseconds since a model was mixed; `None` when none was.
    pub mixed_ago_ms: Option<u64>,
}

/// One peer, as a node sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PeerReport {
    /// The peer.
    pub peer: PeerId,
    /// What it calls itself, once it was let in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// How it is connected, if it is.
    pub path: Option<Path>,
    /// Why it could not be dialled, where that was tried since it was last connected.
    pub failed: Option<FailedDial>,
    /// Milliseconds until it may be dialled again, where it is not connected.
    pub next_dial_ms: Option<u64>,
    /// Bytes received from it since the start; `None` where it was never connected.
    pub bytes_in: Option<u64>,
    /// Bytes sent to it since the start.
    pub bytes_out: Option<u64>,
    /// Milliseconds since it was last heard.
    pub heard_ms: Option<u64>,
    /// Its round, as last announced.
    pub round: Option<u64>,
    /// Milliseconds since a model of it was last fetched.
    pub model_ms: Option<u64>,
    /// Own rounds closed since then.
    pub model_rounds: Option<u64>,
    /// Models mixed from it.
    pub mixed: u64,
    /// What its faults weigh now; it is banned at 100.
    pub score: u32,
    /// What it did that it should not have.
    pub faults: Vec<FaultReport>,
    /// Milliseconds until it is listened to again, where it is banned.
    pub banned_ms: Option<u64>,
    /// Why it was turned away last, or turned this node away.
    pub turned_away: Option<String>,
}

/// A kind of fault of one peer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultReport {
    /// What it did.
    pub reason: String,
    /// How often since the start.
    pub times: u32,
    /// Milliseconds since the last time.
    pub ago_ms: u64,
}

/// A contact that settings, a ticket or the command line name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContactReport {
    /// The contact in words: its address, or the peer and the first address.
    pub contact: String,
    /// The peer, where it is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<PeerId>,
    /// Whether somebody is connected there.
    pub reached: bool,
    /// Why it could not be reached, where that was tried in vain.
    pub reason: Option<String>,
    /// Dials in vain in a row.
    pub times: u32,
    /// Milliseconds until the next; `None` while there are others, and it need not be dialled.
    pub next_dial_ms: Option<u64>,
}

/// Somebody who does not take part here, or does not let this node take part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TurnedAway {
    /// The peer.
    pub peer: PeerId,
    /// Why.
    pub reason: String,
    /// Milliseconds since.
    pub ago_ms: u64,
}
