//! What happened to whom and when, for those who want to draw it.

use std::time::Duration;

use peerlearn_protocols::estimate::Estimate;
use peerlearn_protocols::time::Time;

use super::World;
use super::peer::SimPeer;

/// Something that happened to one peer.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// When.
    pub at: Time,
    /// To whom.
    pub peer: usize,
    /// What.
    pub what: SimEvent,
}

/// What can happen to a peer.
#[derive(Debug, Clone, PartialEq)]
pub enum SimEvent {
    /// A whole model arrived and was verified.
    Pulled {
        /// From whom.
        from: usize,
        /// Encoded bytes.
        bytes: u64,
        /// Time since the question for it.
        took: Duration,
    },
    /// A connection came up, as this end sees it.
    Connected {
        /// The other end.
        other: usize,
    },
    /// A connection ended, as this end sees it.
    Disconnected {
        /// The other end.
        other: usize,
    },
    /// It estimated the whole network.
    Estimated(Estimate),
    /// A round was closed.
    RoundClosed {
        /// Rounds closed, this one included.
        round: u64,
        /// Peers drawn.
        drawn: usize,
        /// Models mixed in.
        mixed: usize,
        /// Models that arrived and were refused.
        refused: usize,
        /// Sample-steps in the ancestry of the model after it.
        age: u64,
    },
}

impl World<'_> {
    /// Begins to record what happens, or stops. Off at the start, and then it costs nothing.
    pub fn record(&mut self, on: bool) {
        self.env.records = on;
    }

    /// What was recorded since the last call, by time and within one time by peer. The order is the same on any number
    /// of threads.
    pub fn drain(&mut self) -> Vec<Recorded> {
        let peers = self.peers.iter_mut().enumerate();
        let of_peer = |(peer, state): (usize, &mut SimPeer)| {
            std::mem::take(&mut state.recorded).into_iter().map(move |(at, what)| Recorded { at, peer, what })
        };
        let mut all: Vec<Recorded> = peers.flat_map(of_peer).collect();
        // Stable: what happened to one peer at one time stays in its order.
        all.sort_by_key(|recorded| (recorded.at, recorded.peer));
        all
    }
}
