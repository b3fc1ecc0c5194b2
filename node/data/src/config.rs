//! Settings of the data: section `data`.

use peerlearn_runtime::settings::SettingError;
use serde::{Deserialize, Serialize};

use super::arrays::Geometry;
use super::records::Dialect;
use super::{Map, Partition, Scaling};

/// Settings of the data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DataConfig {
    /// `digits` (built in), a table (CSV, TSV, JSON lines, Parquet; plain or packed), a folder of tables, of IDX files or of
    /// pictures, an `.npz` file, or `-` for a table on standard input.
    pub source: String,
    /// For tables: the column with the answer; empty is that of the task, or `label` without one.
    pub label: String,
    /// For tables without a task: the columns to learn from, by name; the default is all that can be learnt from.
    pub columns: Vec<String>,
    /// Names of all classes of the task, where the own rows lack some; the default is those of the own rows.
    pub classes: Vec<String>,
    /// For tables: a second file with the same columns to measure on.
    pub test: String,
    /// How a table is written, where the guess is wrong.
    pub dialect: Dialect,
    /// Where names, words or units of the file differ from those of the task, by column of the task.
    pub map: Map,
    /// For pictures of different sizes without a task: how they become inputs.
    pub image: Option<Geometry>,
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
    /// For tables: most MiB of encoded rows of a file in memory; larger ones are kept in a file in `cache`.
    pub memory: u64,
    /// Folder for encoded rows that are too many for memory, so that the next start finds them; empty is `cache` in the home of a
    /// node, or a temporary file without a home.
    pub cache: String,
}

impl Default for DataConfig {
    fn default() -> Self {
        Self {
            source: "digits".to_owned(),
            label: String::new(),
            columns: Vec::new(),
            classes: Vec::new(),
            test: String::new(),
            dialect: Dialect::default(),
            map: Map::new(),
            image: None,
            scaling: Scaling::Auto,
            partition: None,
            parts: 8,
            part: None,
            validation: 0.1,
            seed: 0,
            memory: 1024,
            cache: String::new(),
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
        let declared =
            self.classes.is_empty() || self.classes.len() >= 2 && self.classes.iter().all(|name| !name.is_empty());
        check(declared, "data.classes", &self.classes, "two names or more, none of them empty; or none at all")?;
        let bare = self.source != "digits" || self.columns.is_empty() && self.classes.is_empty();
        check(bare, "data.source", &self.source, "a file where data.columns or data.classes is given")?;
        check(!self.source.is_empty(), "data.source", &self.source, "digits, a directory or a file")?;
        check((0.0..=0.9).contains(&self.validation), "data.validation", &self.validation, "from 0 to 0.9")?;
        check((1..=100_000).contains(&self.parts), "data.parts", &self.parts, "from 1 to 100000")?;
        check(self.memory <= 1 << 30, "data.memory", &self.memory, "MiB, at most 1073741824")?;
        let part = self.part.unwrap_or(0);
        check(part < self.parts, "data.part", &part, "below data.parts")
    }
}
