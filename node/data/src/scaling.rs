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

/// Brings rows to mean 0 and deviation 1 in every feature, by these moments.
///
/// Shapes: `rows: [rows, width]`, `moments: [width]`.
pub(super) fn standardize(width: usize, rows: &mut [f32], moments: &[(f32, f32)]) {
    for row in rows.chunks_mut(width.max(1)) {
        row.iter_mut().zip(moments).for_each(|(value, (mean, std))| *value = (*value - mean) / std);
    }
}

/// Mean and sample standard deviation of every feature. Shapes: `rows: [rows, width]`, answer `[width]`.
pub(super) fn moments(width: usize, rows: &[f32]) -> Vec<(f32, f32)> {
    (0..width).map(|column| moments_of(rows, width, column)).collect()
}

/// Mean and sample standard deviation of a column; 1 for a constant one, which then becomes zero.
fn moments_of(rows: &[f32], width: usize, column: usize) -> (f32, f32) {
    let values = || rows.iter().skip(column).step_by(width).map(|value| f64::from(*value));
    let count = values().count().max(1) as f64;
    let mean = values().sum::<f64>() / count;
    let variance = values().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0).max(1.0);
    let std = variance.sqrt();
    (mean as f32, if std > 1e-12 && std.is_finite() { std as f32 } else { 1.0 })
}
