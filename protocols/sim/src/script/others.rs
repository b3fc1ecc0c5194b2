//! The peers around the one of a script: what they say, ask and send.

use std::sync::Arc;

use peerlearn_protocols::codec::{Codec, CodecSet};
use peerlearn_protocols::exchange::{PullOrder, Pulled};
use peerlearn_protocols::id::{PeerId, Root};
use peerlearn_protocols::mixing::push_sum::{Grant, UNIT};
use peerlearn_protocols::params::Layout;
use peerlearn_protocols::peer::Fact;
use peerlearn_protocols::wire::{
    Address, Announcement, Descriptor, ModelSummary, OfferSummary, Publication, Refusal, Request, Response, blob,
};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::TASK;
use crate::random::normal;
use crate::world::peer_id;

/// How many there are.
const COUNT: u32 = 7;
/// Values of a size sketch.
const SKETCH: usize = 64;

/// What the others have counted so far.
#[derive(Debug)]
pub(super) struct Others {
    sequences: [u64; COUNT as usize],
    number: u64,
    /// Age of the models that they send; it grows.
    age: u64,
}

/// An address of a peer.
pub(super) fn address(number: u32) -> Address {
    Address(format!("/ip4/60.{number}.0.1/tcp/1"))
}

/// A refusal of one that is busy.
pub(super) fn busy() -> Response {
    Response::Refused { reason: Refusal::Busy, retry_after_ms: 200 }
}

impl Others {
    pub fn new(seed: u64) -> Self {
        Self { sequences: [seed % 3; COUNT as usize], number: 0, age: 10 }
    }

    /// One of them.
    pub fn any(&self, rng: &mut ChaCha8Rng) -> PeerId {
        peer_id(rng.random_range(1..=COUNT))
    }

    /// One of them announces itself, mostly with something new.
    pub fn announces(&mut self, rng: &mut ChaCha8Rng) -> Fact {
        let number = rng.random_range(1..=COUNT);
        let sequence = &mut self.sequences[number as usize - 1];
        *sequence += u64::from(rng.random_bool(0.9));
        let offer = OfferSummary { root: Root([number as u8; 32]), bytes: 36, age: self.age };
        let announcement = Announcement {
            task: TASK,
            sequence: *sequence,
            addresses: vec![address(number)],
            round: *sequence,
            samples: 20,
            offer: Some(offer),
            codecs: CodecSet::all(),
            sketch: ModelSummary { norm: 1.0, validation_loss: 0.5 },
        };
        let via = rng.random_bool(0.5).then(|| peer_id(rng.random_range(1..=COUNT)));
        Fact::Announced { author: peer_id(number), via, announcement: Box::new(announcement) }
    }

    /// A model that fits an order.
    pub fn model(&mut self, peer: PeerId, order: &PullOrder, layout: &Layout, rng: &mut ChaCha8Rng) -> Pulled {
        self.age += rng.random_range(0..40);
        let params: Vec<f32> = (0..layout.len()).map(|_| normal(rng)).collect();
        let bytes = blob::encode(order.codec, layout, &params).unwrap_or_default();
        self.pulled(peer, order, bytes)
    }

    /// One that does not: of another length, or with values that are not finite.
    pub fn broken_model(&mut self, peer: PeerId, order: &PullOrder, layout: &Layout, rng: &mut ChaCha8Rng) -> Pulled {
        let mut bytes = (*self.model(peer, order, layout, rng).blob).clone();
        match rng.random_bool(0.5) {
            true => bytes.truncate(blob::HEADER_BYTES),
            false => bytes[blob::HEADER_BYTES..][..4].copy_from_slice(&f32::NAN.to_le_bytes()),
        }
        self.pulled(peer, order, bytes)
    }

    fn pulled(&self, peer: PeerId, order: &PullOrder, bytes: Vec<u8>) -> Pulled {
        let round = u64::from(peer.0[0]);
        let Publication { offer, blob, .. } = Publication::new(Arc::new(bytes), order.codec, self.age, round, 20);
        let grant = order.share.map(|ask| Grant { number: ask.number, mass: UNIT / 8 });
        Pulled { offer, grant, blob }
    }

    /// An answer that fits a question.
    pub fn answer(&mut self, peer: PeerId, request: &Request, rng: &mut ChaCha8Rng) -> Response {
        match request {
            Request::Shuffle { .. } => Response::Shuffled { descriptors: self.descriptors(peer, rng) },
            Request::Estimates { .. } => Response::Estimates {
                epoch: 0,
                minima: (0..SKETCH).map(|_| rng.random_range(0.01..1.0)).collect(),
                spread: Some(rng.random()),
            },
            Request::Settle { .. } => Response::Settled,
            Request::Taken { .. } => Response::Noted,
            _ => busy(),
        }
    }

    fn descriptors(&self, own: PeerId, rng: &mut ChaCha8Rng) -> Vec<Descriptor> {
        let others = (0..3).map(|_| self.any(rng)).collect::<Vec<_>>();
        let all = [own].into_iter().chain(others);
        all.map(|peer| Descriptor { peer, addresses: vec![address(u32::from(peer.0[0]))], age: rng.random_range(0..4) })
            .collect()
    }

    /// A question of any kind.
    pub fn question(&mut self, rng: &mut ChaCha8Rng) -> Request {
        self.number += 1;
        let number = self.number;
        let codec = [Codec::Int8, Codec::F32, Codec::F16][rng.random_range(0..3)];
        match rng.random_range(0..9) {
            0 | 1 => Request::Newest { task: TASK, codec },
            2 => Request::Share { task: TASK, codec, number, taken: number.saturating_sub(rng.random_range(1..30)) },
            3 => Request::Taken { task: TASK, number: number.saturating_sub(rng.random_range(0..20)) },
            4 => Request::Estimates { task: TASK },
            5 => {
                let from = self.any(rng);
                Request::Shuffle { task: TASK, descriptors: self.descriptors(from, rng) }
            }
            6 => Request::OpenSession { task: TASK, codec: Codec::Int8, number, root: Root([number as u8; 32]) },
            7 => Request::Settle { task: TASK, number: number.saturating_sub(rng.random_range(0..12)) },
            _ => Request::Newest { task: peerlearn_protocols::id::TaskId([9; 32]), codec },
        }
    }
}
