//! Encoded models as compressed frames: zstd (RFC 8878) over the whole, where it pays.
//!
//! ```text
//! 0  4        5 ..
//! PLMZ version  one zstd frame of an encoded model
//! ```
//!
//! int8 weights are not uniform over their 255 steps, so an entropy coder takes 14 % off normal ones and 25 % off those
//! with heavy tails (measured); positions of sparse codecs shrink to about 70 %. f32 hardly shrinks. Whether the time
//! is worth the bytes is for who pays for the link to say, so it is a setting, off by default.

use std::borrow::Cow;

use super::VERSION;
use super::blob::BlobError;

/// Bytes before the frame.
const HEADER_BYTES: usize = 5;
const MAGIC: [u8; 4] = *b"PLMZ";
/// zstd's own default; higher levels win nothing on weights (measured at 1, 3 and 9).
const LEVEL: i32 = 1;

/// The model as a compressed frame; `None` where that would save less than one part in fifty.
pub fn compress(blob: &[u8]) -> Option<Vec<u8>> {
    let frame = zstd::bulk::compress(blob, LEVEL).ok()?;
    let frame = [&MAGIC[..], &[VERSION], &frame].concat();
    (frame.len() + blob.len() / 50 < blob.len()).then_some(frame)
}

/// The model in a compressed frame; bytes that are none are given back as they are.
///
/// Allocates `most` bytes, the size of a model of the own layout, whatever the frame claims.
///
/// # Errors
/// Another version, or no zstd frame of at most `most` bytes.
pub fn decompress(bytes: &[u8], most: u64) -> Result<Cow<'_, [u8]>, BlobError> {
    if !is_compressed(bytes) {
        return Ok(Cow::Borrowed(bytes));
    }
    if bytes[4] != VERSION {
        return Err(BlobError::Version { theirs: bytes[4], ours: VERSION });
    }
    let most = usize::try_from(most).map_err(|_| BlobError::NotAModel)?;
    zstd::bulk::decompress(&bytes[HEADER_BYTES..], most).map(Cow::Owned).map_err(|_| BlobError::NotAModel)
}

/// Whether bytes are a compressed frame.
pub fn is_compressed(bytes: &[u8]) -> bool {
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
            let frame = compress(&blob).unwrap();
            assert!((frame.len() as f64) < most * blob.len() as f64, "{codec}: {} of {}", frame.len(), blob.len());
            let back = decompress(&frame, blob.len() as u64).unwrap();
            assert_eq!(&*back, &blob[..]);
            assert!(Blob::parse(&back, &layout).is_ok());
        }
        assert_eq!(
            &*decompress(&model(Codec::F32).1, 10).unwrap(),
            &model(Codec::F32).1[..],
            "no frame, nothing to decompress"
        );
    }

    #[test]
    fn a_frame_that_hides_more_than_a_model_is_refused() {
        let bomb = compress(&vec![0; 50_000_000]).unwrap();
        assert!(bomb.len() < 10_000);
        assert_eq!(decompress(&bomb, 20_000), Err(BlobError::NotAModel));
    }

    #[test]
    fn damage_is_refused_or_harmless() {
        let (_, blob) = model(Codec::Int8);
        let frame = compress(&blob).unwrap();
        for at in 0..frame.len().min(300) {
            let mut damaged = frame.clone();
            damaged[at] ^= 0x41;
            let back = decompress(&damaged, blob.len() as u64).map_or(0, |back| back.len());
            assert!(back <= frame.len().max(blob.len()));
            // A frame cut short gives less than a model, or nothing.
            let cut = decompress(&frame[..at], blob.len() as u64).map_or(0, |back| back.len());
            assert!(cut < blob.len());
        }
        let mut other = frame;
        other[4] = 9;
        assert_eq!(decompress(&other, 1), Err(BlobError::Version { theirs: 9, ours: VERSION }));
    }
}
