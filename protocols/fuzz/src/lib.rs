//! What several fuzz targets share.

use std::fmt::Debug;

use libfuzzer_sys::arbitrary::{Result, Unstructured};
use peerlearn_protocols::codec::Codec;
use peerlearn_protocols::params::{Layout, TensorSpec};
use peerlearn_protocols::wire::Wire;

/// Whatever is decoded can be encoded, in no more bytes, and is the same value again.
pub fn round_trip<W: Wire + PartialEq + Debug>(bytes: &[u8]) {
    let Ok(value) = W::from_bytes(bytes) else { return };
    let again = value.to_bytes().expect("what was decoded can be encoded");
    assert!(again.len() <= bytes.len(), "{value:?} grew");
    assert_eq!(W::from_bytes(&again).as_ref(), Ok(&value));
}

/// A layout of tensors with these shapes.
pub fn layout(shapes: &[&[usize]]) -> Layout {
    let tensor = |(n, shape): (usize, &&[usize])| TensorSpec { name: format!("t{n}"), shape: shape.to_vec() };
    Layout::new(shapes.iter().enumerate().map(tensor).collect()).expect("shapes are possible")
}

/// A few layouts: one value; scalars and vectors; rows longer and shorter than 16; more than one group; more than one
/// block.
pub fn layouts() -> Vec<Layout> {
    [[&[1usize][..]; 1].as_slice(), &[&[7], &[3, 2], &[]], &[&[4, 20], &[33], &[5, 3]], &[&[70, 17]], &[&[4200]]]
        .map(layout)
        .into()
}

/// Any codec with any valid parameter.
pub fn any_codec(input: &mut Unstructured<'_>) -> Result<Codec> {
    Ok(match *input.choose(&Codec::ALL)? {
        Codec::Fragment(_) => Codec::Fragment(input.int_in_range(2..=1000)?),
        Codec::TopK(_) => Codec::TopK(input.int_in_range(1..=500)?),
        codec => codec,
    })
}

/// How far a parameter may be from what was encoded, as the table of `codec` says. `most` is the largest magnitude of
/// what shares a step; a stochastic codec may be a whole step off.
pub fn bound(codec: Codec, value: f32, most: f32, stochastic: bool) -> f32 {
    match codec {
        Codec::F32 => 0.0,
        Codec::F16 if value.abs() > 65_504.0 => value.abs() - 65_504.0,
        Codec::F16 => (value.abs() / 2048.0).max(2f32.powi(-25)),
        Codec::Bf16 if value.abs() > 3.389e38 => f32::MAX - 3.389e38,
        Codec::Bf16 => (value.abs() / 256.0).max(2f32.powi(-134)),
        _ => {
            let clamped = (value.abs() - f32::MAX / 128.0 * 127.0).max(0.0);
            // One part in 10^5 on top for the rounding of the division.
            (most / 127.0).max(2.4e-38) * if stochastic { 1.00001 } else { 0.50001 } + clamped
        }
    }
}

/// The largest magnitude.
pub fn magnitude(values: &[f32]) -> f32 {
    values.iter().fold(0.0, |most, value| most.max(value.abs()))
}

/// The bits of values, which tell NaN from NaN.
pub fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}
