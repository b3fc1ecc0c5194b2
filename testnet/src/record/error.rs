//! What can go wrong with a run directory.

use std::path::{Path, PathBuf};

use thiserror::Error;

/// A run directory could not be written or read.
#[derive(Debug, Error)]
pub enum RecordError {
    /// The system refused to write.
    #[error("cannot write {path}: {source}", path = path.display())]
    Write {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The system refused to read.
    #[error("cannot read {path}: {source}", path = path.display())]
    Read {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The directory has files that are not ours to replace.
    #[error("{path} is not empty and not an earlier run; choose another directory", path = path.display())]
    NotEmpty {
        /// The directory.
        path: PathBuf,
    },
    /// There is no run in the directory.
    #[error("{path} is no run directory: it has no run.json", path = path.display())]
    NoRun {
        /// The directory.
        path: PathBuf,
    },
    /// A line of a table is wrong.
    #[error("{path}, line {line}: {reason}", path = path.display())]
    Line {
        /// The table.
        path: PathBuf,
        /// The line, counted from 1; the header is line 1.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// A JSON file is wrong.
    #[error("{path}, line {line}: {source}", path = path.display(), line = source.line())]
    Json {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A file is larger than is read.
    #[error("{path} has {got} bytes, at most {limit} are read", path = path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its bytes.
        got: u64,
        /// Most bytes.
        limit: u64,
    },
}

impl RecordError {
    /// For `map_err` after a write to `path`.
    pub(super) fn write(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Write { path, source }
    }

    /// For `map_err` after a read of `path`.
    pub(super) fn read(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Read { path, source }
    }
}
