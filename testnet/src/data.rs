//! Readers of the real data sets that the experiments use. All take the folder that holds the data sets, one folder
//! each, as [`data_dir`] finds it.

mod idx;
mod sets;
mod table;

use std::path::{Path, PathBuf};

use thiserror::Error;

pub use idx::mnist;
pub use sets::{Hospital, heart, optdigits, pendigits, spambase};
pub use table::{Table, table};

/// The environment variable that names the folder with the data sets.
pub const DATA_VARIABLE: &str = "PEERLEARN_DATA";

/// What is wrong with the data on disk.
#[derive(Debug, Error)]
pub enum DataError {
    /// The folder with the data sets is not there.
    #[error("no data sets in {}; name their folder in {DATA_VARIABLE}", path.display())]
    NoDirectory {
        /// Where they were looked for.
        path: PathBuf,
    },
    /// The operating system, or the decompression, failed.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What it said.
        source: std::io::Error,
    },
    /// The file as a whole is not what it should be.
    #[error("{}: {what}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// One line is not what it should be.
    #[error("{} line {line}: {what}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Number of the line, from 1.
        line: u64,
        /// What is wrong.
        what: String,
    },
    /// The rows contradict each other.
    #[error(transparent)]
    Rows(#[from] peerlearn_protocols::dataset::DatasetError),
    /// Whatever else a reader of nodes says.
    #[error(transparent)]
    Other(peerlearn::data::DataError),
}

impl DataError {
    fn format(path: &Path, what: impl Into<String>) -> Self {
        Self::Format { path: path.to_owned(), what: what.into() }
    }

    fn line(path: &Path, line: u64, what: impl Into<String>) -> Self {
        Self::Line { path: path.to_owned(), line, what: what.into() }
    }
}

/// What the readers of nodes say.
impl From<peerlearn::data::DataError> for DataError {
    fn from(error: peerlearn::data::DataError) -> Self {
        use peerlearn::data::DataError as Read;
        match error {
            Read::Read { path, source } => Self::Io { path, source },
            Read::Row { path, line, reason } => Self::Line { path, line, what: reason },
            Read::NotANumber { path, line, column, got } => {
                Self::Line { path, line, what: format!("column {column:?}: {got:?} is no finite number") }
            }
            Read::File { path, reason } => Self::Format { path, what: reason },
            other => Self::Other(other),
        }
    }
}

/// The folder with the data sets: `$PEERLEARN_DATA`, or else `shared/data` beside the workspace.
///
/// # Errors
/// [`DataError::NoDirectory`] if it is not there.
pub fn data_dir() -> Result<PathBuf, DataError> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let path = std::env::var_os(DATA_VARIABLE).map_or_else(beside, PathBuf::from);
    if path.is_dir() { Ok(path) } else { Err(DataError::NoDirectory { path }) }
}

#[cfg(test)]
mod tests;
