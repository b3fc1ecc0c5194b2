//! An encoded model: a header that says what it is, and the body that its codec wrote.
//!
//! ```text
//! 0  4        5      6                8                   40          48
//! PLMD version codec  its parameter   hash of the layout  parameters  body ...
//! ```

use thiserror::Error;

use super::VERSION;
use crate::codec::{Choice, Codec};
use crate::params::{Layout, ParamsError};

/// Bytes of the header.
pub const HEADER_BYTES: usize = 48;
const MAGIC: [u8; 4] = *b"PLMD";

/// Why bytes are not a model of our layout. Always the holder's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BlobError {
    /// Shorter than a header, or another magic.
    #[error("not an encoded model")]
    NotAModel,
    /// Another version.
    #[error("model has version {theirs}, this node reads {ours}")]
    Version {
        /// Version of the model.
        theirs: u8,
        /// Version read here.
        ours: u8,
    },
    /// A codec not known here.
    #[error("model has unknown codec {tag} with parameter {parameter}")]
    Codec {
        /// Its tag.
        tag: u8,
        /// Its parameter.
        parameter: u16,
    },
    /// Another layout, or another number of parameters.
    #[error("model has another layout")]
    Layout,
    /// Not as long as layout and codec say.
    #[error("model has {got} bytes where its layout and codec have {want}")]
    Length {
        /// Bytes given.
        got: u64,
        /// Bytes wanted.
        want: u64,
    },
    /// A parameter is NaN or infinite, or has an impossible position.
    #[error("model has a parameter that is not finite")]
    NotFinite,
}

/// Bytes of a whole encoded model.
pub fn encoded_len(codec: Codec, layout: &Layout) -> u64 {
    HEADER_BYTES as u64 + codec.coding(|coding| coding.encoded_len(layout))
}

/// Encodes a model, rounding to nearest; [`super::Encoder`] does it with memory.
///
/// Shapes: `params: [layout.len()]`.
///
/// # Errors
/// Wrong length, or a parameter that is not finite.
pub fn encode(codec: Codec, layout: &Layout, params: &[f32]) -> Result<Vec<u8>, ParamsError> {
    layout.check(params)?;
    encode_with(codec, layout, params, &mut Choice { dither: None, seed: 0, positions: &[] })
}

/// Encodes a checked model with the choices of its encoder.
pub(crate) fn encode_with(
    codec: Codec,
    layout: &Layout,
    params: &[f32],
    choice: &mut Choice<'_>,
) -> Result<Vec<u8>, ParamsError> {
    let mut blob = Vec::with_capacity(encoded_len(codec, layout) as usize);
    blob.extend_from_slice(&MAGIC);
    blob.extend_from_slice(&[VERSION, codec.tag()]);
    blob.extend_from_slice(&codec.parameter().to_le_bytes());
    blob.extend_from_slice(layout.hash().as_bytes());
    blob.extend_from_slice(&(layout.len() as u64).to_le_bytes());
    codec.coding(|coding| coding.encode(layout, params, choice, &mut blob));
    Ok(blob)
}

/// A checked view of an encoded model: every parameter it gives is finite, or NaN where a partial codec sent none.
#[derive(Clone, Copy)]
pub struct Blob<'a> {
    codec: Codec,
    layout: &'a Layout,
    body: &'a [u8],
}

impl<'a> Blob<'a> {
    /// Checks header, length and every value. Reads the bytes once, allocates nothing.
    ///
    /// # Errors
    /// Any [`BlobError`].
    pub fn parse(bytes: &'a [u8], layout: &'a Layout) -> Result<Self, BlobError> {
        let (header, body) = bytes.split_at_checked(HEADER_BYTES).ok_or(BlobError::NotAModel)?;
        if header[..4] != MAGIC {
            return Err(BlobError::NotAModel);
        }
        if header[4] != VERSION {
            return Err(BlobError::Version { theirs: header[4], ours: VERSION });
        }
        let (tag, parameter) = (header[5], u16::from_le_bytes([header[6], header[7]]));
        let codec = Codec::from_wire(tag, parameter).ok_or(BlobError::Codec { tag, parameter })?;
        if header[8..40] != *layout.hash().as_bytes() || header[40..48] != (layout.len() as u64).to_le_bytes() {
            return Err(BlobError::Layout);
        }
        let want = encoded_len(codec, layout);
        if bytes.len() as u64 != want {
            return Err(BlobError::Length { got: bytes.len() as u64, want });
        }
        if !codec.coding(|coding| coding.is_sound(layout, body)) {
            return Err(BlobError::NotFinite);
        }
        Ok(Self { codec, layout, body })
    }

    /// How it is encoded.
    pub fn codec(&self) -> Codec {
        self.codec
    }

    /// Number of parameters.
    #[expect(clippy::len_without_is_empty, reason = "a layout is never empty")]
    pub fn len(&self) -> usize {
        self.layout.len()
    }

    /// Decodes the parameters from `start` on; one that a partial codec did not send becomes NaN.
    /// Shapes: `out: [n]` with `start + n <= len`.
    pub fn read(&self, start: usize, out: &mut [f32]) {
        self.codec.coding(|coding| coding.read(self.layout, self.body, start, out));
    }

    /// Decodes like [`Blob::read`], with the receiver's own value where nothing was sent. Shapes: `own`, `out`: `[n]`.
    pub fn read_over(&self, start: usize, own: &[f32], out: &mut [f32]) {
        self.read(start, out);
        if self.codec.is_partial() {
            out.iter_mut().zip(own).filter(|(value, _)| value.is_nan()).for_each(|(value, own)| *value = *own);
        }
    }

    /// A number that changes with every model.
    fn seed(&self) -> u64 {
        let hash = blake3::hash(self.body);
        hash.as_bytes().iter().take(8).fold(0, |seed, byte| seed << 8 | u64::from(*byte))
    }

    /// The same model in another codec, rounded to nearest. A fragment of it is drawn by its content, so that one model
    /// has one fragment and the next another; top-k takes the largest parameters.
    ///
    /// # Errors
    /// This one is partial: what was not sent is not known here.
    pub fn transcode(&self, codec: Codec) -> Result<Vec<u8>, ParamsError> {
        let mut params = vec![0.0; self.len()];
        self.read(0, &mut params);
        self.layout.check(&params)?;
        encode_with(codec, self.layout, &params, &mut Choice { dither: None, seed: self.seed(), positions: &[] })
    }
}

impl std::fmt::Debug for Blob<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Blob({:?}, {} parameters)", self.codec, self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::TensorSpec;

    fn layout(size: usize) -> Layout {
        Layout::new(vec![TensorSpec { name: "w".into(), shape: vec![size] }]).unwrap()
    }

    #[test]
    fn each_kind_of_damage_has_its_name() {
        let ours = layout(3);
        let good = encode(Codec::F32, &ours, &[1.0, 2.0, 3.0]).unwrap();
        assert!(Blob::parse(&good, &ours).is_ok());
        let damaged = |at: usize, byte: u8| {
            let mut bytes = good.clone();
            bytes[at] = byte;
            Blob::parse(&bytes, &ours).err()
        };
        assert_eq!(damaged(0, b'X'), Some(BlobError::NotAModel));
        assert_eq!(damaged(4, 9), Some(BlobError::Version { theirs: 9, ours: VERSION }));
        assert_eq!(damaged(5, 77), Some(BlobError::Codec { tag: 77, parameter: 0 }));
        assert_eq!(damaged(6, 1), Some(BlobError::Codec { tag: 0, parameter: 1 }));
        assert_eq!(damaged(8, good[8] ^ 1), Some(BlobError::Layout));
        assert_eq!(damaged(40, 4), Some(BlobError::Layout));
        assert_eq!(damaged(51, 0x7e), None, "large but finite");
        let mut infinite = good.clone();
        infinite[48..52].copy_from_slice(&f32::INFINITY.to_le_bytes());
        assert_eq!(Blob::parse(&infinite, &ours).err(), Some(BlobError::NotFinite));
        assert_eq!(Blob::parse(&good[..59], &ours).err(), Some(BlobError::Length { got: 59, want: 60 }));
        assert_eq!(Blob::parse(&good[..47], &ours).err(), Some(BlobError::NotAModel));
        assert_eq!(Blob::parse(&good, &layout(4)).err(), Some(BlobError::Layout));
    }

    #[test]
    fn what_is_not_finite_is_not_encoded() {
        assert!(encode(Codec::Int8, &layout(2), &[1.0, f32::NAN]).is_err());
        assert!(encode(Codec::Int8, &layout(2), &[1.0]).is_err());
    }

    #[test]
    fn transcoding_keeps_what_the_coarser_codec_kept() {
        let ours = layout(3);
        let coarse = encode(Codec::Int8, &ours, &[1.0, 0.3, -0.7]).unwrap();
        let fine = Blob::parse(&coarse, &ours).unwrap().transcode(Codec::F32).unwrap();
        let (mut a, mut b) = ([0.0; 3], [0.0; 3]);
        Blob::parse(&coarse, &ours).unwrap().read(0, &mut a);
        Blob::parse(&fine, &ours).unwrap().read(0, &mut b);
        assert_eq!(a, b);
    }
}
