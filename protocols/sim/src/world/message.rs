//! What one peer sends another.

use std::ops::Range;
use std::sync::Arc;

use peerlearn_protocols::codec::Codec;
use peerlearn_protocols::time::Time;
use peerlearn_protocols::wire::{Announcement, BulkRequest, Request, Response};

/// A message on its way.
#[derive(Debug)]
pub(super) struct Message {
    pub at: Time,
    pub number: u64,
    pub from: u32,
    pub to: u32,
    pub content: Content,
}

impl Message {
    /// Order of arrival, of one receiver after the other.
    pub fn key(&self) -> (u32, Time, u32, u64) {
        (self.to, self.at, self.from, self.number)
    }
}

/// To which address of a peer a question goes, and from which.
#[derive(Debug, Clone, Copy)]
pub(super) struct Path {
    pub to: u32,
    pub own: u32,
    /// Whether it brings up the connection.
    pub opens: bool,
}

/// The content of a message. Small, as most of a simulation is moving these; what is large is behind a pointer.
#[derive(Debug)]
pub(super) enum Content {
    /// The question for the newest model, by far the most frequent.
    Newest {
        number: u32,
        path: Path,
        codec: Codec,
    },
    /// Any other question.
    Ask {
        number: u32,
        path: Path,
        request: Box<Request>,
    },
    Answer {
        number: u32,
        response: Box<Response>,
    },
    Stream {
        number: u32,
        request: Box<BulkRequest>,
    },
    /// All chunks of a stream; `None` when the model is gone or the stream was cut.
    Chunks {
        number: u32,
        chunks: Option<Box<Chunks>>,
    },
    /// What the sender says of itself.
    Announced(Arc<Announcement>),
    /// Brings up a connection.
    Dial(Path),
    /// The connection is up, with the own address.
    Accepted {
        own: u32,
    },
    HungUp,
}

/// The content of a stream.
#[derive(Debug)]
pub(super) struct Chunks {
    pub model: Arc<Vec<u8>>,
    pub range: Range<usize>,
    /// Whether the offer was made from these very bytes, so that hashing them again would find what it found.
    pub is_as_offered: bool,
}

impl Content {
    /// Reads what is behind the pointer; see `shard.rs`.
    pub fn warm(&self) -> u64 {
        match self {
            Content::Answer { response, .. } => match &**response {
                Response::Offer { offer, .. } => offer.age,
                _ => 0,
            },
            Content::Chunks { chunks: Some(chunks), .. } => chunks.model.len() as u64,
            _ => 0,
        }
    }

    /// Bytes as the wire would have them: a descriptor is an id, an address and an age. What brings a connection up or
    /// down is not counted.
    pub fn bytes(&self) -> u64 {
        match self {
            Content::Ask { request, .. } => match &**request {
                Request::Shuffle { descriptors, .. } => descriptor_bytes(descriptors.len()),
                _ => 64,
            },
            Content::Newest { .. } => 64,
            Content::Answer { response, .. } => match &**response {
                Response::Shuffled { descriptors } => descriptor_bytes(descriptors.len()),
                _ => 256,
            },
            Content::Chunks { chunks, .. } => chunks.as_ref().map_or(0, |chunks| chunks.range.len() as u64),
            Content::Announced(_) => 400,
            Content::Stream { .. } | Content::Dial(_) | Content::Accepted { .. } | Content::HungUp => 0,
        }
    }

    /// Whether it is part of a shuffle of views.
    pub fn is_shuffle(&self) -> bool {
        match self {
            Content::Ask { request, .. } => matches!(**request, Request::Shuffle { .. }),
            Content::Answer { response, .. } => matches!(**response, Response::Shuffled { .. }),
            _ => false,
        }
    }
}

fn descriptor_bytes(count: usize) -> u64 {
    8 + 60 * count as u64
}
