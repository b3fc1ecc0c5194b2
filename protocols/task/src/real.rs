//! Numbers whose text is the same for everybody.

use std::fmt;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A finite number. Written as a string in the shortest decimal form that reads back as the same double, so that the canonical
/// form does not hang on how a library prints numbers; read from a string or a number.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Real(f64);

impl Real {
    /// `None` for NaN and infinities. Minus zero becomes zero.
    pub fn new(value: f64) -> Option<Self> {
        value.is_finite().then_some(Self(value + 0.0))
    }

    /// The number.
    pub fn get(self) -> f64 {
        self.0
    }
}

impl fmt::Display for Real {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Whole numbers and fractions as people write them; what is very large or small with an exponent.
        match self.0.abs() {
            size if size != 0.0 && !(1e-6..1e15).contains(&size) => write!(f, "{:e}", self.0),
            _ => write!(f, "{}", self.0),
        }
    }
}

impl Serialize for Real {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Real {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reading)
    }
}

struct Reading;

impl Visitor<'_> for Reading {
    type Value = Real;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a finite number")
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Real, E> {
        Real::new(value).ok_or_else(|| E::custom("it is no finite number"))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Real, E> {
        self.visit_f64(value as f64)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Real, E> {
        self.visit_f64(value as f64)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Real, E> {
        text.parse().map_err(|_| E::custom(format!("{text:?} is no number"))).and_then(|value| self.visit_f64(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_written_so_that_it_reads_back() {
        for value in [0.0, -0.0, 54.0, 0.1, 1e-9, 1e300, -2.5e-8, f64::MAX, 123_456_789.25] {
            let real = Real::new(value).unwrap();
            let json = serde_json::to_string(&real).unwrap();
            assert_eq!(serde_json::from_str::<Real>(&json).unwrap(), real, "{json}");
        }
        assert_eq!(Real::new(-0.0).unwrap().to_string(), "0");
        assert!(Real::new(f64::NAN).is_none() && serde_json::from_str::<Real>("\"inf\"").is_err());
        assert_eq!(toml::from_str::<toml::Table>("a = 3").unwrap()["a"].clone().try_into::<Real>().unwrap().get(), 3.0);
    }
}
