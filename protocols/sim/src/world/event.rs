//! What happens to a peer, and in which order.

use std::cmp::Ordering;
use std::ops::Range;
use std::sync::Arc;

use peerlearn_protocols::codec::Codec;
use peerlearn_protocols::sampling::view::Descriptor;
use peerlearn_protocols::time::Time;
use peerlearn_protocols::wire::{Announcement, BulkRequest, Request, Response};

/// What one peer sends another. Small, as most of a simulation is moving these; what is large is behind a pointer.
#[derive(Debug)]
pub(super) enum Message {
    /// The question for the newest model, by far the most frequent.
    Newest {
        pull: u32,
        /// The address it goes to, where peers have addresses.
        door: Option<u32>,
        codec: Codec,
    },
    /// Any other question.
    Ask {
        pull: u32,
        door: Option<u32>,
        request: Box<Request>,
    },
    Answer {
        pull: u32,
        response: Box<Response>,
    },
    Stream {
        pull: u32,
        request: Box<BulkRequest>,
    },
    /// All chunks of a stream; `None` when the model is gone or the stream was cut.
    Chunks {
        pull: u32,
        chunks: Option<Box<Chunks>>,
    },
    /// What the sender says of itself.
    Announced(Arc<Announcement>),
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

/// The content of a stream.
#[derive(Debug)]
pub(super) struct Chunks {
    pub model: Arc<Vec<u8>>,
    pub range: Range<usize>,
    /// Whether the offer was made from these very bytes, so that hashing them again would find what it found.
    pub is_as_offered: bool,
}

impl Message {
    /// Reads what is behind the pointer; see `shard.rs`.
    pub fn warm(&self) -> u64 {
        match self {
            Message::Answer { response, .. } => match &**response {
                Response::Offer { offer, .. } => offer.age,
                _ => 0,
            },
            Message::Chunks { chunks: Some(chunks), .. } => chunks.model.len() as u64,
            _ => 0,
        }
    }

    /// Bytes as the wire would have them: an entry of a view is an id, a prefix and an age. What brings a connection up or
    /// down is not counted.
    pub fn bytes(&self) -> u64 {
        match self {
            Message::Newest { .. } | Message::Ask { .. } => 64,
            Message::Answer { .. } => 256,
            Message::Chunks { chunks, .. } => chunks.as_ref().map_or(0, |chunks| chunks.range.len() as u64),
            Message::Announced(_) => 400,
            Message::Shuffle(entries) | Message::Shuffled(entries) => 8 + 40 * entries.len() as u64,
            Message::Stream { .. } | Message::Dial { .. } | Message::Accepted { .. } | Message::HungUp => 0,
        }
    }
}

/// A message on its way.
#[derive(Debug)]
pub(super) struct Letter {
    pub at: Time,
    pub number: u64,
    pub from: u32,
    pub to: u32,
    pub message: Message,
}

impl Letter {
    /// Order of happening, of one receiver after the other.
    pub fn key(&self) -> (u32, Time, u32, u64) {
        (self.to, self.at, self.from, self.number)
    }
}

/// Something that a peer does by itself.
#[derive(Debug, Clone, Copy)]
pub(super) enum Cause {
    /// A timer; those of an earlier life are void.
    Local { life: u32, timer: Timer },
    /// It comes, or goes.
    Change { there: bool },
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Timer {
    Round,
    Discovery,
    Trained,
    PullTimeout(u32),
    DialTimeout(u32),
    /// A meeting that it wanted to lead does not come about now, or was not needed.
    NotMet {
        peer: u32,
        met: bool,
    },
    /// The leader of a meeting had long enough to have it settled; the number is that of the guest's pull.
    GuestWaited(u32),
    /// The guest of a meeting has not answered the question of this number, and is asked again.
    Unsettled(u32),
    AskAgain(u32),
}

/// Something that a peer does at a time. What happens to one peer is ordered by time, then by who caused it, then by the
/// causer's own count.
#[derive(Debug, Clone, Copy)]
pub(super) struct Alarm {
    pub at: Time,
    pub number: u64,
    pub cause: Cause,
}

impl PartialEq for Alarm {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.number) == (other.at, other.number)
    }
}

impl Eq for Alarm {}

impl PartialOrd for Alarm {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Alarm {
    /// The earliest is the greatest, as the standard heap gives the greatest first.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.number).cmp(&(self.at, self.number))
    }
}
