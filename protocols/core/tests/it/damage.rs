//! Whatever arrives is decoded into a valid value or refused: no panic, no large allocation.

use peerlearn_protocols::codec::Codec;
use peerlearn_protocols::params::{Layout, TensorSpec};
use peerlearn_protocols::wire::blob::{self, Blob};
use peerlearn_protocols::wire::{Announcement, Response, Wire, WireError};
use proptest::prelude::*;

use super::samples::{announcement, frames};

#[test]
fn no_frame_can_be_cut_or_lengthened() {
    for (name, frame, decode) in frames() {
        assert_eq!(decode(&frame).as_deref(), Some(&*frame), "{name}");
        for end in 0..frame.len() {
            assert_eq!(decode(&frame[..end]), None, "{name} cut to {end}");
        }
        let longer = [frame.as_slice(), &[0]].concat();
        assert_eq!(decode(&longer), None, "{name} with a byte more");
    }
}

#[test]
fn a_frame_of_one_kind_is_none_of_another() {
    for (name, frame, _) in frames() {
        for (other, _, decode) in frames().into_iter().filter(|(other, ..)| *other != name) {
            assert_eq!(decode(&frame), None, "{name} read as {other}");
        }
    }
}

#[test]
fn another_version_is_refused_with_both_named() {
    let mut frame = announcement().to_bytes().unwrap();
    frame[2] = 9;
    let error = Announcement::from_bytes(&frame).unwrap_err();
    assert_eq!(error, WireError::Version { theirs: 9, ours: 1 });
    assert_eq!(error.to_string(), "peer speaks wire version 9, this node speaks 1");
}

#[test]
fn a_length_that_is_not_there_allocates_nothing() {
    // A response with 2^60 hashes, and one whose number of hashes fits the limit but whose bytes are missing.
    let frame = Response::Hashes { root: peerlearn_protocols::id::Root([0; 32]), first: 0, hashes: vec![] };
    let mut bytes = frame.to_bytes().unwrap();
    bytes.pop();
    for claim in [vec![253, 0, 0, 0, 0, 0, 0, 0, 16], vec![251, 0, 4]] {
        let frame = [bytes.as_slice(), &claim].concat();
        assert_eq!(Response::from_bytes(&frame).unwrap_err(), WireError::Malformed { kind: 4 });
    }
    let oversized = vec![0; Response::LIMIT + 1];
    assert!(matches!(Response::from_bytes(&oversized), Err(WireError::TooLong { .. })));
}

#[test]
fn numbers_that_are_not_finite_are_refused() {
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut sample = announcement();
        sample.sketch.norm = bad;
        assert!(sample.to_bytes().is_err());
        let mut frame = announcement().to_bytes().unwrap();
        let at = frame.windows(4).rposition(|bytes| bytes == 1.5f32.to_le_bytes()).unwrap();
        frame[at..at + 4].copy_from_slice(&bad.to_le_bytes());
        assert!(matches!(Announcement::from_bytes(&frame), Err(WireError::Invalid { .. })), "{bad}");
    }
}

fn layout() -> Layout {
    let tensor = |name: &str, shape: &[usize]| TensorSpec { name: name.into(), shape: shape.to_vec() };
    Layout::new(vec![tensor("w", &[5, 7]), tensor("b", &[3])]).unwrap()
}

proptest! {
    #[test]
    fn random_bytes_are_refused_or_valid(body in proptest::collection::vec(any::<u8>(), 0..300), kind in 0u8..8) {
        let frame = [&[b'P', b'L', 1, kind], body.as_slice()].concat();
        for (_, _, decode) in frames() {
            decode(&body);
            decode(&frame);
        }
    }

    #[test]
    fn a_flipped_bit_is_refused_or_another_valid_value(at in any::<prop::sample::Index>(), bit in 0u8..8) {
        for (name, frame, decode) in frames() {
            let mut damaged = frame.clone();
            damaged[at.index(frame.len())] ^= 1 << bit;
            // Encoding again may be shorter (a number written longer than needed), never the undamaged value.
            if let Some(again) = decode(&damaged) {
                prop_assert_ne!(&again, &frame, "{}", name);
            }
        }
    }

    #[test]
    fn a_damaged_model_is_refused_or_finite(
        codec in prop::sample::select(Codec::ALL.to_vec()),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let layout = layout();
        let params: Vec<f32> = (0..layout.len()).map(|i| i as f32 - 15.0).collect();
        let mut bytes = blob::encode(codec, &layout, &params).unwrap();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(blob) = Blob::parse(&bytes, &layout) {
            let mut read = vec![0.0; layout.len()];
            blob.read_over(0, &vec![0.0; layout.len()], &mut read);
            prop_assert!(read.iter().all(|value: &f32| value.is_finite()));
        }
        prop_assert!(Blob::parse(&bytes[..at], &layout).is_err());
    }
}
