//! Questions and answers between two connected peers.

use super::codec::{Decode, Encode, Wire, WireError};
use super::descriptor::{self, Descriptor};
use super::manifest::MAX_CHUNKS;
use crate::codec::Codec;
use crate::estimate::{MAX_SQUARED, SizeSketch};
use crate::id::{Hash, Root, TaskId};

/// Most chunk hashes in one answer: 1,024 x 32 bytes are half of the limit of an answer, and cover 256 MiB.
pub const MAX_HASHES: usize = 1024;

/// A question.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Request {
    /// "What is your newest model, in this codec?" Answered by [`Response::Offer`] or [`Response::Refused`].
    Newest {
        /// Task of the asker; another task is refused.
        task: TaskId,
        /// Codec wanted.
        codec: Codec,
    },
    /// "The hashes of the chunks of this model, from here on." Answered by [`Response::Hashes`].
    Hashes {
        /// The model.
        root: Root,
        /// First chunk wanted.
        first: u32,
    },
    /// "What is your newest model, in this codec, and hand over mass with it." Answered by [`Response::Share`] or
    /// [`Response::Refused`].
    Share {
        /// Task of the asker; another task is refused.
        task: TaskId,
        /// Codec wanted.
        codec: Codec,
        /// Number of the question; grows with every question of this asker to this holder.
        number: u64,
        /// Number of the question whose mass was the last taken from this holder; 0 for none.
        taken: u64,
    },
    /// "What is your newest model, in this codec, as a zstd frame where that is smaller?" Answered like
    /// [`Request::Newest`]; an offer may have fewer bytes than the codec says.
    Compressed {
        /// Task of the asker; another task is refused.
        task: TaskId,
        /// Codec wanted.
        codec: Codec,
    },
    /// "Here are some of those I know, myself among them; tell me some of yours." Answered by [`Response::Shuffled`] or
    /// [`Response::Refused`].
    Shuffle {
        /// Task of the asker; another task is refused.
        task: TaskId,
        /// At most [`descriptor::MAX_DESCRIPTORS`].
        descriptors: Vec<Descriptor>,
    },
    /// "What do you make of the whole network?" Answered by [`Response::Estimates`] or [`Response::Refused`].
    Estimates {
        /// Task of the asker; another task is refused.
        task: TaskId,
    },
    /// "The mass you granted for this question is mine for good." Answered by [`Response::Noted`] or
    /// [`Response::Refused`].
    Taken {
        /// Task of the asker; another task is refused.
        task: TaskId,
        /// Number of the question.
        number: u64,
    },
    /// "Let us move towards each other by the same amount: here is my model, name yours." Answered by
    /// [`Response::Session`] or [`Response::Refused`]; see [`crate::exchange::pairwise`].
    OpenSession {
        /// Task of the asker; another task is refused.
        task: TaskId,
        /// Codec of both models.
        codec: Codec,
        /// Number of the session; grows with every one this asker initiates.
        number: u64,
        /// The asker's model.
        root: Root,
    },
    /// "I have your model; if you have mine, it is settled." Answered by [`Response::Settled`] or
    /// [`Response::Refused`]: busy while the model is on its way, gone when there is no such session.
    Settle {
        /// Task of the asker; another task is refused.
        task: TaskId,
        /// Number of the session.
        number: u64,
    },
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub enum Response {
    /// The newest model, with the hashes of its first chunks (all of them, for models up to 256 MiB).
    Offer {
        /// The model.
        offer: Offer,
        /// Hashes of the first chunks.
        hashes: Vec<Hash>,
    },
    /// More hashes.
    Hashes {
        /// The model.
        root: Root,
        /// Index of the first hash.
        first: u32,
        /// The hashes.
        hashes: Vec<Hash>,
    },
    /// No, and why.
    Refused {
        /// The reason.
        reason: Refusal,
        /// Do not ask again before this many milliseconds.
        retry_after_ms: u32,
    },
    /// The newest model, as in [`Response::Offer`], and mass that goes with it.
    Share {
        /// The model.
        offer: Offer,
        /// Hashes of the first chunks.
        hashes: Vec<Hash>,
        /// Number of the question.
        number: u64,
        /// The mass, in parts of 2^-32 of what a fresh peer holds.
        mass: u64,
    },
    /// Some of those the answering peer knows, itself among them.
    Shuffled {
        /// At most [`descriptor::MAX_DESCRIPTORS`].
        descriptors: Vec<Descriptor>,
    },
    /// What [`crate::estimate`] needs of a peer; a claim, bounded there.
    Estimates {
        /// Epoch of the size sketch.
        epoch: u64,
        /// Its minima: 8 to 256, 64 unless another version says otherwise.
        minima: Vec<f32>,
        /// The mean squared distance of a pair of models, as the answering peer sees it.
        spread: Option<f64>,
    },
    /// It is noted.
    Noted,
    /// The model that the answering peer names for a session, as in [`Response::Offer`].
    Session {
        /// The model.
        offer: Offer,
        /// Hashes of the first chunks.
        hashes: Vec<Hash>,
        /// Number of the session.
        number: u64,
    },
    /// The answering peer will move by its half.
    Settled,
}

/// A model that can be pulled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Offer {
    /// Content hash.
    pub root: Root,
    /// Bytes of the encoded model.
    pub bytes: u64,
    /// How it is encoded.
    pub codec: Codec,
    /// Sample-steps that went into it over its ancestry.
    pub age: u64,
    /// Round of its holder in which it was published.
    pub round: u64,
    /// Rows its holder trains on.
    pub samples: u32,
}

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum Refusal {
    /// No model yet.
    NothingYet,
    /// Too many pulls at once.
    Busy,
    /// The model asked for is no longer held.
    Gone,
    /// The asker works on another task.
    OtherTask {
        /// The task of the answering peer.
        ours: TaskId,
    },
    /// The codec is not spoken here.
    Codec,
    /// No mass is handed over here: another mixing rule.
    NoMass,
    /// No view is shuffled here: this peer finds others another way.
    NoView,
    /// No sessions are held here: another mixing rule, or all rounds are done.
    NoSession,
}

fn check_estimates(epoch: u64, minima: &[f32], spread: Option<f64>) -> Result<(), WireError> {
    if SizeSketch::from_parts(epoch, minima.to_vec()).is_err() {
        return Err(WireError::Invalid {
            rule: "a size sketch has an epoch up to 2^48 and 8 to 256 values from 1e-12 to 40",
        });
    }
    match spread {
        Some(spread) if !(0.0..=MAX_SQUARED).contains(&spread) => {
            Err(WireError::Invalid { rule: "a squared distance is from 0 to 1e90" })
        }
        _ => Ok(()),
    }
}

impl Wire for Request {
    const KIND: u8 = 3;
    // Nine descriptors with four addresses of 256 bytes each are 9.7 KB; all others are a hash, numbers and tags.
    const LIMIT: usize = 10 * 1024;

    fn validate(&self) -> Result<(), WireError> {
        match self {
            Request::Hashes { first, .. } if *first >= MAX_CHUNKS => {
                Err(WireError::Invalid { rule: "a chunk index is below the most chunks of a model" })
            }
            Request::Shuffle { descriptors, .. } => descriptor::check(descriptors),
            _ => Ok(()),
        }
    }
}

impl Wire for Response {
    const KIND: u8 = 4;
    // Twice what the most hashes take.
    const LIMIT: usize = 64 * 1024;

    fn validate(&self) -> Result<(), WireError> {
        let hashes = match self {
            Response::Offer { hashes, .. } | Response::Hashes { hashes, .. } | Response::Share { hashes, .. } => {
                hashes.len()
            }
            Response::Session { hashes, .. } => hashes.len(),
            Response::Refused { .. } | Response::Noted | Response::Settled => 0,
            Response::Shuffled { descriptors } => return descriptor::check(descriptors),
            Response::Estimates { epoch, minima, spread } => return check_estimates(*epoch, minima, *spread),
        };
        if hashes > MAX_HASHES {
            return Err(WireError::Invalid { rule: "at most 1024 hashes" });
        }
        Ok(())
    }
}
