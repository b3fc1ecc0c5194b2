//! What membership wants done.

use crate::id::PeerId;
use crate::time::Time;
use crate::wire::{Address, Announcement, Descriptor, Response};

/// What to tell gossip about an announcement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acceptance {
    /// Pass it on.
    Accept,
    /// Do not pass it on; nobody is to blame.
    Ignore,
    /// Do not pass it on; whoever passed it here is to blame.
    Reject,
}

/// Something for the interpreter to do, in order.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Answer gossip about the announcement that was the input.
    Judge(Acceptance),
    /// Sign and publish this.
    Announce(Box<Announcement>),
    /// Dial one of these addresses.
    Dial {
        /// The peer expected there, where known.
        peer: Option<PeerId>,
        /// Where.
        addresses: Vec<Address>,
    },
    /// End the connections to this peer: there are more than are needed, and it was not of use for longest. It stays known.
    HangUp {
        /// The peer.
        peer: PeerId,
    },
    /// Ask this peer for a shuffle, dialling it if need be, and say what came of it.
    Shuffle {
        /// The peer.
        partner: PeerId,
        /// Where it can be dialled; empty for one that is connected.
        addresses: Vec<Address>,
        /// What to tell it.
        descriptors: Vec<Descriptor>,
    },
    /// Answer the shuffle that was the input.
    Answer(Response),
    /// A peer was heard of for the first time, or came back into a view.
    Discovered {
        /// The peer.
        peer: PeerId,
        /// Peers known now.
        known: usize,
    },
    /// A peer was given up.
    Expired {
        /// The peer.
        peer: PeerId,
    },
    /// Another peer speaks under the own identity. Said once.
    SameIdentity,
    /// The author sends more often than anyone should.
    Flooded {
        /// The author.
        author: PeerId,
    },
    /// Call [`super::Input::Woke`] at this time; replaces every earlier one.
    WakeAt(Time),
}
