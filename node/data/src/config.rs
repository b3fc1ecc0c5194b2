//! Settings of the data: section `data`.

use peerlearn_runtime::settings::SettingError;
use serde::{Deserialize, Serialize};

use super::{Partition, Scaling};

/// Settings of the data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DataConfig {
    /// `digits` (built in), a directory with IDX files (MNIST), or a CSV file with a header.
    pub source: String,
    /// For CSV: the column with the label.
    pub label: String,
    /// For CSV: a second file with the same columns to measure on.
    pub test: String,
    /// How raw values become model inputs.
    pub scaling: Scaling,
    /// To try things out: cut the training rows in this way and keep one part only.
    pub partition: Option<Partition>,
    /// Number of parts.
    pub parts: usize,
    /// The part to keep, from 0; the default takes one by the identity of the node.
    pub part: Option<usize>,
    /// Fraction of the own rows kept apart to measure on.
    pub validation: f64,
    /// Seeds partition and split.
    pub seed: u64,
}

impl Default for DataConfig {
    fn default() -> Self {
        Self {
            source: "digits".to_owned(),
            label: "label".to_owned(),
            test: String::new(),
            scaling: Scaling::Auto,
            partition: None,
            parts: 8,
            part: None,
            validation: 0.1,
            seed: 0,
        }
    }
}

impl DataConfig {
    /// Checks every value.
    ///
    /// # Errors
    /// The first value that breaks its rule.
    pub fn validate(&self) -> Result<(), SettingError> {
        let check = |fits, key, got: &dyn std::fmt::Debug, want| SettingError::check(fits, key, got, want);
        check(!self.source.is_empty(), "data.source", &self.source, "digits, a directory or a file")?;
        check((0.0..=0.9).contains(&self.validation), "data.validation", &self.validation, "from 0 to 0.9")?;
        check((1..=100_000).contains(&self.parts), "data.parts", &self.parts, "from 1 to 100000")?;
        let part = self.part.unwrap_or(0);
        check(part < self.parts, "data.part", &part, "below data.parts")
    }
}
