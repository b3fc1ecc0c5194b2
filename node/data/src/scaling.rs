//! How raw values become model inputs.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A scaling. Part of the task: peers with other scalings cannot average. Text form: `auto`, `none`, `unit:255`,
/// `standard`.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Scaling {
    /// What fits the source: `unit:16` for the digits, `unit:255` for IDX, `standard` for CSV.
    #[default]
    Auto,
    /// Values as they are.
    None,
    /// Divided by this.
    Unit(f32),
    /// Each feature minus its mean, by its standard deviation, both over the own training rows.
    Standard,
}

impl FromStr for Scaling {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let unit = || text.strip_prefix("unit:")?.parse().ok().filter(|most: &f32| most.is_finite() && *most > 0.0);
        match text {
            "auto" => Ok(Self::Auto),
            "none" => Ok(Self::None),
            "standard" => Ok(Self::Standard),
            _ => unit().map(Self::Unit).ok_or_else(|| {
                format!("{text:?} is no scaling; use auto, none, standard or unit:MAX with a number above 0")
            }),
        }
    }
}

impl fmt::Display for Scaling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::None => f.write_str("none"),
            Self::Unit(most) => write!(f, "unit:{most}"),
            Self::Standard => f.write_str("standard"),
        }
    }
}

impl Serialize for Scaling {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Scaling {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Scaling {
    /// What to divide every value by, where that is all there is to do.
    pub fn unit(self) -> Option<f32> {
        match self {
            Self::Auto | Self::None => Some(1.0),
            Self::Unit(most) => Some(most),
            Self::Standard => None,
        }
    }
}
