//! Who takes part, for people and programs.

use peerlearn_protocols::id::PeerId;
use peerlearn_task::Join;
use serde::{Deserialize, Serialize};

/// Who takes part in the task of a node, as far as it has seen. Field names are stable; new fields may be added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Members {
    /// Who may join.
    pub join: Join,
    /// This node.
    pub peer: PeerId,
    /// What this node calls itself.
    pub name: String,
    /// Whether this node's key is an owner's.
    pub owner: bool,
    /// Whether this node has a membership, or needs none.
    pub member: bool,
    /// Those let in, by name.
    pub members: Vec<SeenView>,
    /// Those that wait for a decision of this owner.
    pub pending: Vec<SeenView>,
    /// Those refused, newest first.
    pub refused: Vec<SeenView>,
}

/// One peer that was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenView {
    /// The peer.
    pub peer: PeerId,
    /// What it calls itself; empty where it did not say.
    pub name: String,
    /// Seconds since 1970: first let in, first asked, last refused.
    pub since: u64,
    /// By what it takes part, or why it does not.
    pub why: String,
    /// Whether it is connected now.
    pub connected: bool,
}
