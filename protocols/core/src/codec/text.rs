//! Codecs as people write them: `int8`, `fragment:4`, `top-k:100`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

use super::Codec;

/// A text that names no codec.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "{got:?} is no codec; write f32, f16, bf16, int8, int8-row, fragment:P (one of P parameters, 2 to 1000) or top-k:M \
     (M thousandths, 1 to 500)"
)]
pub struct ParseCodecError {
    /// The text, cut to 40 characters.
    pub got: String,
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Codec::F32 => f.write_str("f32"),
            Codec::F16 => f.write_str("f16"),
            Codec::Bf16 => f.write_str("bf16"),
            Codec::Int8 => f.write_str("int8"),
            Codec::Int8Row => f.write_str("int8-row"),
            Codec::Fragment(parts) => write!(f, "fragment:{parts}"),
            Codec::TopK(permille) => write!(f, "top-k:{permille}"),
        }
    }
}

impl FromStr for Codec {
    type Err = ParseCodecError;

    fn from_str(text: &str) -> Result<Self, ParseCodecError> {
        let wrong = || ParseCodecError { got: text.chars().take(40).collect() };
        let codec = match text.split_once(':') {
            None => Codec::ALL.into_iter().find(|codec| codec.parameter() == 0 && codec.to_string() == text),
            Some(("fragment", parts)) => parts.parse().ok().map(Codec::Fragment),
            Some(("top-k", permille)) => permille.parse().ok().map(Codec::TopK),
            Some(_) => None,
        };
        codec.filter(|codec| codec.is_valid()).ok_or_else(wrong)
    }
}

impl Serialize for Codec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Codec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_round_trip_and_nonsense_is_refused() {
        for codec in Codec::ALL {
            assert_eq!(codec.to_string().parse(), Ok(codec));
        }
        for text in ["", "int9", "fragment", "fragment:1", "fragment:1001", "top-k:0", "top-k:501", "int8:3", "top-k:x"]
        {
            assert!(text.parse::<Codec>().is_err(), "{text}");
        }
    }
}
