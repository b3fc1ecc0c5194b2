//! What happens to a peer, and in which order.

use std::cmp::Ordering;
use std::ops::Range;
use std::sync::Arc;

use crate::id::PeerId;
use crate::sampling::view::Descriptor;
use crate::time::Time;
use crate::wire::{Announcement, BulkRequest, Request, Response};

/// What one peer sends another.
#[derive(Debug, Clone)]
pub(super) enum Message {
    Ask {
        pull: u64,
        /// The address it goes to, where peers have addresses.
        door: Option<u32>,
        request: Request,
    },
    Answer {
        pull: u64,
        response: Box<Response>,
    },
    Stream {
        pull: u64,
        request: BulkRequest,
    },
    /// All chunks of a stream; `None` when the model is gone or the stream was cut.
    Chunks {
        pull: u64,
        chunks: Option<(Arc<Vec<u8>>, Range<usize>)>,
    },
    Announced {
        author: PeerId,
        announcement: Arc<Announcement>,
    },
    /// To one address of a peer, with the own one.
    Dial {
        door: u32,
        own: u32,
    },
    /// With the own address.
    Accepted {
        own: u32,
    },
    HungUp,
    Shuffle(Vec<Descriptor>),
    Shuffled(Vec<Descriptor>),
}

impl Message {
    /// Bytes as the wire would have them: an entry of a view is an id, a prefix and an age. What brings a connection up or
    /// down is not counted.
    pub fn bytes(&self) -> u64 {
        match self {
            Message::Ask { .. } => 64,
            Message::Answer { .. } => 256,
            Message::Chunks { chunks, .. } => chunks.as_ref().map_or(0, |(_, range)| range.len() as u64),
            Message::Announced { .. } => 400,
            Message::Shuffle(entries) | Message::Shuffled(entries) => 8 + 40 * entries.len() as u64,
            Message::Stream { .. } | Message::Dial { .. } | Message::Accepted { .. } | Message::HungUp => 0,
        }
    }
}

/// Something that happens to a peer.
#[derive(Debug, Clone)]
pub(super) enum Cause {
    Message {
        from: u32,
        message: Message,
    },
    /// Timers of this peer; those of an earlier life are void.
    Local {
        life: u32,
        timer: Timer,
    },
    /// It comes, or goes.
    Change {
        there: bool,
    },
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Timer {
    Round,
    Discovery,
    Trained,
    PullTimeout(u64),
    DialTimeout(u32),
}

/// Something that happens at a time. Order: time, then who caused it, then the causer's own count.
#[derive(Debug, Clone)]
pub(super) struct Envelope {
    pub at: Time,
    pub from: u32,
    pub number: u64,
    pub cause: Cause,
}

impl Envelope {
    fn key(&self) -> (Time, u32, u64) {
        (self.at, self.from, self.number)
    }
}

impl PartialEq for Envelope {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Envelope {}

impl PartialOrd for Envelope {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Envelope {
    /// The earliest is the greatest, as the standard heap gives the greatest first.
    fn cmp(&self, other: &Self) -> Ordering {
        other.key().cmp(&self.key())
    }
}
