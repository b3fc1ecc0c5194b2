//! What can be wrong with a scenario.

use std::path::PathBuf;

use thiserror::Error;

/// Why a scenario is refused.
#[derive(Debug, Error)]
pub enum ScenarioError {
    /// The file cannot be read.
    #[error("cannot read the scenario {path}: {source}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is larger than any scenario.
    #[error("{path}: {got} bytes; a scenario has at most {most}", path = path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its bytes.
        got: u64,
        /// Most bytes.
        most: u64,
    },
    /// It is no TOML, or a key is unknown, missing or of another type.
    #[error("{origin}: {reason}")]
    Text {
        /// File and line.
        origin: String,
        /// What is wrong, with the key.
        reason: String,
    },
    /// A value cannot be.
    #[error("{origin}: {key}: {reason}")]
    Value {
        /// File and line, or the option it came from.
        origin: String,
        /// The key.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
}
