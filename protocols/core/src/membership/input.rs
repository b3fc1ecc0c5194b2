//! What membership is told.

use super::Scope;
use crate::id::PeerId;
use crate::wire::{Address, Announcement, Descriptor};

/// An address to try that did not come by gossip: a ticket, a setting, the address book, mDNS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// The peer expected there, where known.
    pub peer: Option<PeerId>,
    /// Where to dial.
    pub addresses: Vec<Address>,
}

/// A fact that membership reacts to.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// A contact became known; it is dialled until some peer answers.
    Contacted(Contact),
    /// An announcement with a checked signature arrived.
    Announced {
        /// Who signed it.
        author: PeerId,
        /// The neighbour that passed it on, where known; the author itself, if it did.
        via: Option<PeerId>,
        /// What it says.
        announcement: Announcement,
    },
    /// The first connection to a peer is up.
    Connected {
        /// The peer.
        peer: PeerId,
    },
    /// Over what a peer is connected, once that is known.
    Reached {
        /// The peer.
        peer: PeerId,
        /// How far its address reaches.
        scope: Scope,
    },
    /// The last connection to a peer ended.
    Disconnected {
        /// The peer.
        peer: PeerId,
    },
    /// Every connection is gone without notice: the network starts, or starts again after a failure.
    Isolated,
    /// A dial came to nothing.
    DialFailed {
        /// The peer that was expected, where known.
        peer: Option<PeerId>,
    },
    /// A peer is of another task or version, or banned: forget it and do not take it in again for now.
    Refused {
        /// The peer.
        peer: PeerId,
    },
    /// Own addresses changed.
    Moved {
        /// The new addresses, most useful first.
        addresses: Vec<Address>,
    },
    /// A peer asks for a shuffle; answered by [`super::Output::Answer`], whatever comes.
    ShuffleAsked {
        /// The peer.
        from: PeerId,
        /// What it tells.
        descriptors: Vec<Descriptor>,
    },
    /// The partner of the own shuffle answered; with nothing, if it refused.
    ShuffleAnswered {
        /// The partner.
        from: PeerId,
        /// What it tells.
        descriptors: Vec<Descriptor>,
    },
    /// The partner of the own shuffle could not be reached.
    ShuffleFailed {
        /// The partner.
        peer: PeerId,
    },
    /// The time of an earlier [`super::Output::WakeAt`] has come.
    Woke,
}
