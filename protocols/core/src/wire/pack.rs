//! Encoded models in a smaller coat: zstd (RFC 8878) over the whole, where it pays.
//!
//! ```text
//! 0  4        5 ..
//! PLMZ version  one zstd frame of an encoded model
//! ```
//!
//! int8 weights are not uniform over their 255 steps, so an entropy coder takes 14 % off normal ones and 25 % off those
//! with heavy tails (measured); positions of sparse codecs shrink to about 70 %. f32 hardly shrinks. Whether the time is
//! worth the bytes is for who pays for the link to say, so it is a setting, off by default.

use std::borrow::Cow;

use super::VERSION;
use super::blob::BlobError;

/// Bytes before the frame.
const HEADER_BYTES: usize = 5;
const MAGIC: [u8; 4] = *b"PLMZ";
/// zstd's own default; higher levels win nothing on weights (measured at 1, 3 and 9).
const LEVEL: i32 = 1;

/// The model in its coat; `None` where that would save less than one part in fifty.
pub fn pack(blob: &[u8]) -> Option<Vec<u8>> {
    let frame = zstd::bulk::compress(blob, LEVEL).ok()?;
    let packed = [&MAGIC[..], &[VERSION], &frame].concat();
    (packed.len() + blob.len() / 50 < blob.len()).then_some(packed)
}

/// The model without its coat; bytes that have none are given back as they are.
///
/// Allocates `most` bytes, the size of a model of the own layout, whatever the frame claims.
///
/// # Errors
/// Another version, or no zstd frame of at most `most` bytes.
pub fn unpack(bytes: &[u8], most: u64) -> Result<Cow<'_, [u8]>, BlobError> {
    if !is_packed(bytes) {
        return Ok(Cow::Borrowed(bytes));
    }
    if bytes[4] != VERSION {
        return Err(BlobError::Version { theirs: bytes[4], ours: VERSION });
    }
    let most = usize::try_from(most).map_err(|_| BlobError::NotAModel)?;
    zstd::bulk::decompress(&bytes[HEADER_BYTES..], most).map(Cow::Owned).map_err(|_| BlobError::NotAModel)
}

/// Whether bytes are a model in a coat.
pub fn is_packed(bytes: &[u8]) -> bool {
    bytes.len() >= HEADER_BYTES && bytes[..4] == MAGIC
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Codec;
    use crate::params::{Layout, TensorSpec};
    use crate::wire::blob::{Blob, encode};

    fn model(codec: Codec) -> (Layout, Vec<u8>) {
        let layout = Layout::new(vec![TensorSpec { name: "w".into(), shape: vec![20_000] }]).unwrap();
        // Sums of twelve hashes are nearly normal, as weights are.
        let uniform = |n: u32| (n.wrapping_mul(2_654_435_761) >> 8) as f32 / (1 << 24) as f32 - 0.5;
        let params: Vec<f32> = (0..20_000).map(|n| (0..12).map(|k| uniform(n * 12 + k)).sum()).collect();
        let blob = encode(codec, &layout, &params).unwrap();
        (layout, blob)
    }

    #[test]
    fn weights_shrink_and_come_back() {
        for (codec, most) in [(Codec::Int8, 0.9), (Codec::TopK(100), 0.9), (Codec::Fragment(4), 0.95)] {
            let (layout, blob) = model(codec);
            let packed = pack(&blob).unwrap();
            assert!((packed.len() as f64) < most * blob.len() as f64, "{codec}: {} of {}", packed.len(), blob.len());
            let back = unpack(&packed, blob.len() as u64).unwrap();
            assert_eq!(&*back, &blob[..]);
            assert!(Blob::parse(&back, &layout).is_ok());
        }
        assert_eq!(
            &*unpack(&model(Codec::F32).1, 10).unwrap(),
            &model(Codec::F32).1[..],
            "no coat, nothing to take off"
        );
    }

    #[test]
    fn a_coat_that_hides_more_than_a_model_is_refused() {
        let bomb = pack(&vec![0; 50_000_000]).unwrap();
        assert!(bomb.len() < 10_000);
        assert_eq!(unpack(&bomb, 20_000), Err(BlobError::NotAModel));
    }

    #[test]
    fn damage_is_refused_or_harmless() {
        let (_, blob) = model(Codec::Int8);
        let packed = pack(&blob).unwrap();
        for at in 0..packed.len().min(300) {
            let mut damaged = packed.clone();
            damaged[at] ^= 0x41;
            let back = unpack(&damaged, blob.len() as u64).map_or(0, |back| back.len());
            assert!(back <= packed.len().max(blob.len()));
            // A frame cut short gives less than a model, or nothing.
            let cut = unpack(&packed[..at], blob.len() as u64).map_or(0, |back| back.len());
            assert!(cut < blob.len());
        }
        let mut other = packed;
        other[4] = 9;
        assert_eq!(unpack(&other, 1), Err(BlobError::Version { theirs: 9, ours: VERSION }));
    }
}
