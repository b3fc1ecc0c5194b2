//! Readers of the real data sets that the experiments use. All take the folder that holds the data sets, one folder each,
//! as [`data_dir`] finds it.

mod idx;
mod sets;
mod table;

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use thiserror::Error;

pub use idx::mnist;
pub use sets::{Hospital, heart, optdigits, pendigits, spambase};
pub use table::{Table, table};

/// The environment variable that names the folder with the data sets.
pub const DATA_VARIABLE: &str = "PEERLEARN_DATA";

/// The most bytes that a file may hold after decompression; the training images of MNIST are 47 MB.
const MAX_BYTES: u64 = 1 << 26;

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
    /// The file holds more than any file of these data sets.
    #[error("{} holds more than {MAX_BYTES} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
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
        line: usize,
        /// What is wrong.
        what: String,
    },
}

impl DataError {
    fn format(path: &Path, what: impl Into<String>) -> Self {
        Self::Format { path: path.to_owned(), what: what.into() }
    }

    fn line(path: &Path, line: usize, what: impl Into<String>) -> Self {
        Self::Line { path: path.to_owned(), line, what: what.into() }
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

/// All bytes of a file, decompressed if its name ends in `.gz`.
///
/// # Errors
/// [`DataError::Io`], or [`DataError::TooLarge`] beyond `limit` bytes; no more than that is ever held.
fn read(path: &Path, limit: u64) -> Result<Vec<u8>, DataError> {
    let failed = |source| DataError::Io { path: path.to_owned(), source };
    let file = File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    if path.extension().is_some_and(|extension| extension == "gz") {
        GzDecoder::new(file).take(limit + 1).read_to_end(&mut bytes).map_err(failed)?;
    } else {
        file.take(limit + 1).read_to_end(&mut bytes).map_err(failed)?;
    }
    if bytes.len() as u64 > limit { Err(DataError::TooLarge { path: path.to_owned() }) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests;
