//! How parameters become bytes: each codec a pure function with its error bound stated and tested.
//!
//! | codec | setting | bytes a parameter | error of one parameter |
//! |---|---|---|---|
//! | [`Codec::F32`] | `f32` | 4 | none |
//! | [`Codec::F16`] | `f16` | 2 | at most 2^-11 of its value, or 2^-25 below 2^-14; values beyond 65,504 are clamped |
//! | [`Codec::Bf16`] | `bf16` | 2 | at most 2^-8 of its value, or 2^-134 below 2^-126; values beyond 3.39e38 are clamped |
//! | [`Codec::Int8`] | `int8` | 1, and 4 a tensor | at most half a step; the step is the tensor's largest magnitude / 127; values beyond 3.37e38 are clamped |
//! | [`Codec::Int8Row`] | `int8-row` | 1, and 4 a row | the same with the step of its row (first dimension of a matrix) |
//! | [`Codec::Fragment`] | `fragment:P` | 1 / P, and 4 for 512 sent | half a step of its 512; one of every P parameters is sent, drawn anew from a seed |
//! | [`Codec::TopK`] | `top-k:M` | 5 M / 1000, and 4 for 512 sent | half a step of its 512; the M / 1000 that changed most since they were last sent |
//!
//! Steps are counted in single precision, which adds up to 3e-5 of one. The int8 family rounds to the nearest step, or
//! stochastically ([`Rounding`]): then the error is at most one step, and zero in expectation (Alistarh et al. 2017,
//! QSGD, section 3.1). The last two are *partial*: a parameter that was not sent reads as NaN, and mixing leaves it out
//! of the mean. Fragments cut bytes when peers are many and hide whole models (Biswas et al. 2025, Shatter); top-k
//! suits slow, stable networks (Dhasade et al. 2023, JWINS, compares both).
//!
//! A new codec is one file that implements [`Coding`], one variant here and one line in [`Codec::coding`].

mod float;
mod fragment;
mod int8;
mod rows;
pub(crate) mod sparse;
#[cfg(test)]
mod tests;
mod text;

use serde::{Deserialize, Serialize};

use crate::params::Layout;

pub use text::ParseCodecError;

/// A way to write parameters as bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Codec {
    /// Little-endian IEEE single precision; exact.
    F32,
    /// Little-endian IEEE half precision.
    F16,
    /// One signed byte a parameter and one scale a tensor.
    Int8,
    /// The upper half of single precision, rounded to nearest.
    Bf16,
    /// One signed byte a parameter and one scale a row of a matrix.
    Int8Row,
    /// One of every so many parameters, 2 to 1,000, as int8.
    Fragment(u16),
    /// So many thousandths of the parameters, 1 to 500, as int8 with their positions.
    TopK(u16),
}

/// How the int8 family rounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rounding {
    /// To the nearest step: least error of one model.
    #[default]
    Nearest,
    /// Up or down with the probability that makes the expectation exact: errors of many models cancel in their mean
    /// (Alistarh et al. 2017, QSGD, section 3.1).
    Stochastic,
}

/// What a codec can do. `body` is the encoded model without its header; its length has been checked.
pub trait Coding: Sync {
    /// Bytes of the encoded parameters.
    fn encoded_len(&self, layout: &Layout) -> u64;

    /// Appends the encoded parameters. Shapes: `params: [layout.len()]`, all finite.
    fn encode(&self, layout: &Layout, params: &[f32], choice: &mut Choice<'_>, out: &mut Vec<u8>);

    /// Whether the bytes are in order: every parameter that [`Coding::read`] can give is finite, and positions fit.
    fn is_sound(&self, layout: &Layout, body: &[u8]) -> bool;

    /// Decodes the parameters from `start` on; one that was not sent becomes NaN.
    /// Shapes: `out: [n]` with `start + n <= layout.len()`.
    fn read(&self, layout: &Layout, body: &[u8], start: usize, out: &mut [f32]);
}

/// What an encoder decides for a codec: how to round, which fragment, which positions.
#[derive(Debug)]
pub struct Choice<'a> {
    /// Randomness for stochastic rounding; `None` rounds to nearest.
    pub dither: Option<&'a mut rand_chacha::ChaCha8Rng>,
    /// Names the fragment.
    pub seed: u64,
    /// Positions to send, ascending; as many as [`Codec::TopK`] asks for.
    pub positions: &'a [u32],
}

impl Codec {
    /// Every codec, in the order of tags, with a usual parameter where it has one.
    pub const ALL: [Codec; 7] =
        [Codec::F32, Codec::F16, Codec::Int8, Codec::Bf16, Codec::Int8Row, Codec::Fragment(4), Codec::TopK(100)];

    /// Calls `with` with what this codec can do.
    pub fn coding<T>(self, with: impl FnOnce(&dyn Coding) -> T) -> T {
        match self {
            Codec::F32 => with(&float::Single),
            Codec::F16 => with(&float::Half),
            Codec::Bf16 => with(&float::Brain),
            Codec::Int8 => with(&int8::Int8),
            Codec::Int8Row => with(&rows::Int8Row),
            Codec::Fragment(parts) => with(&fragment::Fragment { parts }),
            Codec::TopK(permille) => with(&sparse::TopK { permille }),
        }
    }

    /// The tag on the wire; append only.
    pub const fn tag(self) -> u8 {
        match self {
            Codec::F32 => 0,
            Codec::F16 => 1,
            Codec::Int8 => 2,
            Codec::Bf16 => 3,
            Codec::Int8Row => 4,
            Codec::Fragment(_) => 5,
            Codec::TopK(_) => 6,
        }
    }

    /// The parameter on the wire; 0 for a codec without one.
    pub const fn parameter(self) -> u16 {
        match self {
            Codec::Fragment(value) | Codec::TopK(value) => value,
            _ => 0,
        }
    }

    /// The codec of a tag and a parameter, if it is known here.
    pub fn from_wire(tag: u8, parameter: u16) -> Option<Self> {
        let codec = match Self::ALL.into_iter().find(|codec| codec.tag() == tag)? {
            Codec::Fragment(_) => Codec::Fragment(parameter),
            Codec::TopK(_) => Codec::TopK(parameter),
            codec => codec,
        };
        (codec.is_valid() && codec.parameter() == parameter).then_some(codec)
    }

    /// Whether the parameter is in its range.
    pub const fn is_valid(self) -> bool {
        match self {
            Codec::Fragment(parts) => 2 <= parts && parts <= 1000,
            Codec::TopK(permille) => 1 <= permille && permille <= 500,
            _ => true,
        }
    }

    /// Whether a model in this codec lacks parameters.
    pub const fn is_partial(self) -> bool {
        matches!(self, Codec::Fragment(_) | Codec::TopK(_))
    }

    /// The codec for one who has no model yet: this one, or int8 in place of a partial one.
    pub const fn whole(self) -> Codec {
        if self.is_partial() { Codec::Int8 } else { self }
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

    /// Whether `codec` is in the set, whatever its parameter.
    pub fn contains(self, codec: Codec) -> bool {
        self.0 & (1 << codec.tag()) != 0
    }
}
