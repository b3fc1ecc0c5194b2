//! What happens in a node, as one typed stream: the source of logs, views, files and tests.

use std::time::Duration;

use peerlearn_protocols::estimate::Estimate;
use peerlearn_protocols::id::{PeerId, TaskId};
use peerlearn_protocols::recipe::Evaluation;
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast;

use crate::clock::Clock;

/// Events kept for a reader that is slow; beyond that it is told how many it missed. A round of eight peers makes about
/// a hundred.
const BACKLOG: usize = 8192;
/// Where events stand in the log, for filters.
const LOG: &str = "peerlearn::event";

/// Where the components of one node put what happens. Cloning is cheap; sending never waits.
#[derive(Debug, Clone)]
pub struct EventBus {
    node: PeerId,
    clock: Clock,
    sender: broadcast::Sender<Stamped>,
}

impl EventBus {
    /// A bus of one node.
    pub fn new(node: PeerId, clock: Clock) -> Self {
        Self { node, clock, sender: broadcast::Sender::new(BACKLOG) }
    }

    /// Stamps an event and hands it to all readers and to the log.
    pub fn emit(&self, event: NodeEvent) {
        event.log(&self.node);
        let at_ms = self.clock.now().0 / 1000;
        // No reader is no error: a node need not be watched.
        let _ = self.sender.send(Stamped { at_ms, node: self.node, event });
    }

    /// A reader of everything from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Stamped> {
        self.sender.subscribe()
    }
}

/// Something that happened, with its time and place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stamped {
    /// Milliseconds since the node started.
    pub at_ms: u64,
    /// The node it happened in.
    pub node: PeerId,
    /// What happened.
    #[serde(flatten)]
    pub event: NodeEvent,
}

/// What happened. Facts, in the past tense; new variants may be added.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum NodeEvent {
    /// All components are up.
    Started {
        /// The task worked on.
        task: TaskId,
        /// The round it goes on from; 0 for a fresh node.
        round: u64,
    },
    /// The node can be reached here.
    Listening {
        /// A multiaddress without peer id.
        address: String,
    },
    /// A peer was heard of for the first time.
    PeerDiscovered {
        /// The peer.
        peer: PeerId,
        /// Peers known now.
        known: usize,
    },
    /// A connection to a peer is up.
    PeerConnected {
        /// The peer.
        peer: PeerId,
        /// Whether this node dialled.
        dialled: bool,
    },
    /// The machine, or the process, stood still; all connections are made anew.
    Slept {
        /// For how long, in seconds.
        seconds: u64,
    },
    /// The last connection to a peer ended.
    PeerDisconnected {
        /// The peer.
        peer: PeerId,
    },
    /// This node and a peer that had met through a relay have tried to connect directly.
    Punched {
        /// The peer.
        peer: PeerId,
        /// Why that came to nothing; `None` where a direct connection is up.
        failed: Option<String>,
    },
    /// A peer that does not belong here was disconnected.
    PeerRefused {
        /// The peer.
        peer: PeerId,
        /// Why, with both sides named.
        reason: String,
    },
    /// A peer does not let this node in, or has not decided yet.
    NotLetIn {
        /// The peer.
        peer: PeerId,
        /// Why, and what can be done, in words.
        reason: String,
    },
    /// A peer asks an owner, this node, to be let in.
    Knocking {
        /// The peer.
        peer: PeerId,
        /// What it calls itself.
        name: String,
    },
    /// A known peer was given up.
    PeerExpired {
        /// The peer.
        peer: PeerId,
    },
    /// A peer sent something it should not have.
    Misbehaved {
        /// The peer.
        peer: PeerId,
        /// What it did.
        reason: String,
        /// Whether it is refused from now on.
        banned: bool,
    },
    /// Local training of a round ended.
    Trained {
        /// The round.
        round: u64,
        /// Minibatch steps.
        steps: u32,
        /// Mean loss.
        loss: f32,
        /// Wall time.
        wall: Duration,
        /// CPU time of the training thread.
        cpu: Duration,
    },
    /// A model was fetched.
    Pulled {
        /// From whom.
        peer: PeerId,
        /// Encoded bytes.
        bytes: u64,
        /// From request to last chunk.
        wall: Duration,
    },
    /// A model could not be fetched.
    PullFailed {
        /// From whom.
        peer: PeerId,
        /// Why.
        reason: String,
    },
    /// A round closed: what arrived was mixed and the result published.
    RoundClosed {
        /// The round.
        round: u64,
        /// Peers drawn.
        drawn: usize,
        /// Models that arrived in time and were mixed.
        mixed: usize,
        /// Models that arrived but were refused by the mixing rule.
        refused: usize,
        /// Age of the own model now.
        age: u64,
        /// On the own validation part, if there is one and it was measured; without confusion matrix.
        own: Option<Box<Evaluation>>,
        /// On the shared test data, if there are any and they were measured; without confusion matrix.
        test: Option<Box<Evaluation>>,
        /// Bytes received since the start.
        bytes_in: u64,
        /// Bytes sent since the start.
        bytes_out: u64,
        /// CPU time of the training thread since the start.
        cpu: Duration,
    },
    /// The node made up its mind about the whole network; at most once a round and every `round.estimate_every`.
    Estimated {
        /// Number of peers, disagreement and verdict.
        #[serde(flatten)]
        estimate: Estimate,
    },
    /// The state of the node is on disk.
    Committed {
        /// The round that a restart goes on from.
        round: u64,
    },
    /// The state of the node could not be written; it goes on in memory.
    CommitFailed {
        /// What the system said.
        error: String,
    },
    /// A component failed and was started again.
    #[serde(alias = "room_restarted")]
    ComponentRestarted {
        /// Its name.
        #[serde(alias = "room")]
        component: String,
        /// Times so far.
        times: u32,
    },
    /// Numbers that more peers agree on, or that moved much, are now those that columns are scaled by in training.
    FrameTaken {
        /// Peers that they are from.
        voices: usize,
        /// The columns that changed, each with mean and deviation before and now.
        changes: String,
    },
    /// Something people should know.
    Warning {
        /// In words.
        message: String,
    },
    /// The node is going down on purpose.
    Stopping,
}

impl NodeEvent {
    /// Writes the event to the log, at a level that fits.
    fn log(&self, node: &PeerId) {
        let node = tracing::field::display(node.short());
        match self {
            NodeEvent::Warning { message } => tracing::warn!(target: LOG, %node, %message),
            NodeEvent::CommitFailed { error } => {
                tracing::warn!(target: LOG, %node, %error, "state could not be written")
            }
            NodeEvent::ComponentRestarted { component, times } => {
                tracing::warn!(target: LOG, %node, %component, times, "component restarted")
            }
            NodeEvent::Misbehaved { peer, reason, banned } => {
                tracing::warn!(target: LOG, %node, peer = %peer.short(), %reason, banned, "peer misbehaved");
            }
            NodeEvent::PeerRefused { peer, reason } => {
                tracing::warn!(target: LOG, %node, peer = %peer.short(), %reason, "peer refused");
            }
            NodeEvent::NotLetIn { peer, reason } => {
                tracing::warn!(target: LOG, %node, peer = %peer.short(), %reason, "not let in");
            }
            NodeEvent::Trained { .. }
            | NodeEvent::Pulled { .. }
            | NodeEvent::PullFailed { .. }
            | NodeEvent::Estimated { .. } => {
                tracing::debug!(target: LOG, %node, event = ?self);
            }
            _ => tracing::info!(target: LOG, %node, event = ?self),
        }
    }
}
