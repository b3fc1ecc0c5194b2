//! The numbers of a setup, read from TOML.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use toml::{Table, Value};

use super::ReplicationError;

/// Largest scenario read.
const MAX_BYTES: u64 = 1 << 20;

/// A scenario: a table whose section `fast`, where asked for, lies over the rest.
#[derive(Debug, Clone)]
pub struct Scenario {
    path: PathBuf,
    table: Table,
}

impl Scenario {
    /// Reads a scenario.
    ///
    /// # Errors
    /// The file cannot be read or is no TOML.
    pub fn read(path: &Path, fast: bool) -> Result<Self, ReplicationError> {
        let wrong = |reason: String| ReplicationError::Scenario { path: path.to_owned(), reason };
        let size = std::fs::metadata(path).map_err(|error| wrong(error.to_string()))?.len();
        if size > MAX_BYTES {
            return Err(wrong(format!("{size} bytes, at most {MAX_BYTES} are read")));
        }
        let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
        let mut table: Table = text.parse().map_err(|error: toml::de::Error| wrong(error.to_string()))?;
        let over = table.remove("fast");
        if let (true, Some(Value::Table(over))) = (fast, over) {
            table.extend(over);
        }
        Ok(Self { path: path.to_owned(), table })
    }

    /// The scenario as a typed setup; every key must be known and present.
    ///
    /// # Errors
    /// A key is missing, unknown or of another type.
    pub fn setup<T: DeserializeOwned>(&self) -> Result<T, ReplicationError> {
        Value::Table(self.table.clone()).try_into().map_err(|error: toml::de::Error| ReplicationError::Scenario {
            path: self.path.clone(),
            reason: error.message().to_owned(),
        })
    }
}
