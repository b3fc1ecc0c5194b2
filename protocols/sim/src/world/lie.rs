//! Peers that lie on the wire.

use std::sync::Arc;

use peerlearn_protocols::exchange::Publication;
use peerlearn_protocols::wire::blob;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::random::normal;

/// What a lying peer does; in everything else it behaves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Lie {
    /// Publishes the negative of its model.
    SignFlip,
    /// Publishes its model with noise of this standard deviation.
    Noise(f32),
    /// Learns wrong labels.
    LabelFlip,
    /// Claims the greatest age there is.
    Age,
    /// Streams other bytes than it offered.
    WrongHash,
    /// Offers bytes of the right length that are no model.
    Garbage,
    /// Offers a model with a value that is not finite.
    NotFinite,
    /// Never answers.
    Silent,
}

impl Lie {
    /// Changes the parameters that are published.
    pub(super) fn twist(self, params: &mut [f32], rng: &mut ChaCha8Rng) {
        match self {
            Lie::SignFlip => params.iter_mut().for_each(|value| *value = -*value),
            Lie::Noise(deviation) => params.iter_mut().for_each(|value| *value += deviation * normal(rng)),
            _ => {}
        }
    }

    /// Changes the publication of an encoded model.
    pub(super) fn publish(self, mut bytes: Vec<u8>, honest: Publication, rng: &mut ChaCha8Rng) -> Publication {
        let offer = honest.offer;
        match self {
            Lie::Garbage => bytes.iter_mut().for_each(|byte| *byte = rng.random()),
            // The first four bytes of every body are a number, or a scale: all ones are NaN in any float format.
            Lie::NotFinite => bytes.iter_mut().skip(blob::HEADER_BYTES).take(16).for_each(|byte| *byte = 0xff),
            Lie::WrongHash => {
                let mut lie = honest;
                bytes.iter_mut().rev().take(8).for_each(|byte| *byte ^= 0x55);
                lie.blob = Arc::new(bytes);
                return lie;
            }
            Lie::Age => return Publication::new(Arc::new(bytes), offer.codec, u64::MAX, offer.round, offer.samples),
            _ => return honest,
        }
        Publication::new(Arc::new(bytes), offer.codec, offer.age, offer.round, offer.samples)
    }
}
