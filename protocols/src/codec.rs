//! How parameters become bytes: each codec a pure function with its error bound stated and tested.
//!
//! | codec | bytes a parameter | error of one parameter |
//! |---|---|---|
//! | [`Codec::F32`] | 4 | none |
//! | [`Codec::F16`] | 2 | at most 2^-11 of its value, or 2^-25 below 2^-14; values beyond 65,504 are clamped |
//! | [`Codec::Int8`] | 1, and 4 a tensor | at most half a step; the step is the tensor's largest magnitude / 127 |
//!
//! A new codec is one file that implements [`Coding`], one variant here and one line in [`Codec::coding`].

mod float;
mod int8;
#[cfg(test)]
mod tests;

use crate::params::Layout;

/// A way to write parameters as bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Codec {
    /// Little-endian IEEE single precision; exact.
    F32,
    /// Little-endian IEEE half precision.
    F16,
    /// One signed byte a parameter and one scale a tensor.
    Int8,
}

/// What a codec can do. `body` is the encoded model without its header; its length has been checked.
pub trait Coding: Sync {
    /// Bytes of the encoded parameters.
    fn encoded_len(&self, layout: &Layout) -> u64;

    /// Appends the encoded parameters. Shapes: `params: [layout.len()]`, all finite.
    fn encode(&self, layout: &Layout, params: &[f32], out: &mut Vec<u8>);

    /// Whether every parameter that [`Coding::read`] can give is finite.
    fn is_finite(&self, layout: &Layout, body: &[u8]) -> bool;

    /// Decodes the parameters from `start` on. Shapes: `out: [n]` with `start + n <= layout.len()`.
    fn read(&self, layout: &Layout, body: &[u8], start: usize, out: &mut [f32]);
}

impl Codec {
    /// Every codec, best compression last.
    pub const ALL: [Codec; 3] = [Codec::F32, Codec::F16, Codec::Int8];

    /// What this codec can do.
    pub fn coding(self) -> &'static dyn Coding {
        match self {
            Codec::F32 => &float::Single,
            Codec::F16 => &float::Half,
            Codec::Int8 => &int8::Int8,
        }
    }

    /// The tag on the wire; append only.
    pub const fn tag(self) -> u8 {
        match self {
            Codec::F32 => 0,
            Codec::F16 => 1,
            Codec::Int8 => 2,
        }
    }

    /// The codec of a tag, if it is known here.
    pub fn from_tag(tag: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|codec| codec.tag() == tag)
    }
}

/// A set of codecs, one bit each; bits unknown here are kept and ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CodecSet(pub u8);

impl CodecSet {
    /// All codecs known here.
    pub fn all() -> Self {
        Self(Codec::ALL.into_iter().fold(0, |bits, codec| bits | 1 << codec.tag()))
    }

    /// Whether `codec` is in the set.
    pub fn contains(self, codec: Codec) -> bool {
        self.0 & (1 << codec.tag()) != 0
    }
}
