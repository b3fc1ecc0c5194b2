//! Peers that lie on the wire.

use std::sync::Arc;

use peerlearn_protocols::wire::{Publication, blob};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::attack::Attacker;

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
    /// The part of it that is an attack on the parameters.
    pub(super) fn attacker(self, seed: u64) -> Option<Attacker> {
        match self {
            Lie::SignFlip => Some(Attacker::negative()),
            Lie::Noise(deviation) => Some(Attacker::noisy(deviation, seed)),
            _ => None,
        }
    }

    /// Changes a publication, as far as it is a lie about bytes or claims.
    pub(super) fn publish(self, publication: &mut Publication, rng: &mut ChaCha8Rng) {
        let mut bytes = publication.blob.to_vec();
        let mut age = publication.offer.age;
        match self {
            Lie::Garbage => bytes.iter_mut().for_each(|byte| *byte = rng.random()),
            // The first four bytes of every body are a number, or a scale: all ones are NaN in any float format.
            Lie::NotFinite => bytes.iter_mut().skip(blob::HEADER_BYTES).take(16).for_each(|byte| *byte = 0xff),
            Lie::WrongHash => {
                bytes.iter_mut().rev().take(8).for_each(|byte| *byte ^= 0x55);
                publication.blob = Arc::new(bytes);
                return;
            }
            Lie::Age => age = u64::MAX,
            Lie::SignFlip | Lie::Noise(_) | Lie::LabelFlip | Lie::Silent => return,
        }
        let offer = publication.offer;
        *publication = Publication::new(Arc::new(bytes), offer.codec, age, offer.round, offer.samples);
    }
}
