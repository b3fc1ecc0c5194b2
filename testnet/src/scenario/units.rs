//! Durations and byte counts as people write them in scenarios.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use peerlearn::config::duration;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A duration: `250ms`, `10s`, `5m`, `1h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Span(pub Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&duration::format(self.0))
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let wrong = || D::Error::custom(format!("{text:?} is no duration; write 250ms, 10s, 5m or 1h"));
        duration::parse(&text).map(Self).ok_or_else(wrong)
    }
}

/// A number of bytes: `900`, `64kB`, `10MB`, `1GB` (powers of ten).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(pub u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            n if n > 0 && n.is_multiple_of(1_000_000_000) => write!(f, "{}GB", n / 1_000_000_000),
            n if n > 0 && n.is_multiple_of(1_000_000) => write!(f, "{}MB", n / 1_000_000),
            n if n > 0 && n.is_multiple_of(1000) => write!(f, "{}kB", n / 1000),
            n => write!(f, "{n}B"),
        }
    }
}

impl FromStr for Bytes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let unit = match &text[digits..] {
            "" | "B" => Some(1u64),
            "kB" => Some(1000),
            "MB" => Some(1_000_000),
            "GB" => Some(1_000_000_000),
            _ => None,
        };
        let number = text[..digits].parse::<u64>().ok();
        let bytes = number.zip(unit).and_then(|(number, unit)| number.checked_mul(unit));
        bytes.map(Self).ok_or_else(|| format!("{text:?} is no number of bytes; write 900, 64kB, 10MB or 1GB"))
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_round_trip_and_nonsense_is_refused() {
        for text in ["900B", "64kB", "10MB", "1GB", "0B"] {
            assert_eq!(text.parse::<Bytes>().unwrap().to_string(), text);
        }
        for text in ["", "kB", "1.5MB", "10 MB", "99999999999GB", "-1"] {
            assert!(text.parse::<Bytes>().is_err(), "{text}");
        }
    }
}
