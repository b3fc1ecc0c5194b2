//! What can be wrong with data.

use std::path::PathBuf;

use peerlearn_protocols::dataset::{DatasetError, RowError};
use thiserror::Error;

use super::records::TableError;
use super::{Finding, PartitionError};

/// A cell that is not what the task expects.
#[derive(Debug, Clone, PartialEq, Error)]
#[error("{path}, line {line}, column {column:?}: got {got}, expected {expected}{mend}", path = path.display())]
pub struct WrongCell {
    /// The file.
    pub path: PathBuf,
    /// Line, from 1.
    pub line: u64,
    /// Name of the column in the file.
    pub column: String,
    /// What is there.
    pub got: String,
    /// What the task expects.
    pub expected: String,
    /// What mends it.
    pub mend: String,
}

/// What can be wrong with data. Every message says where and what to do.
#[derive(Debug, Error)]
pub enum DataError {
    /// The rows contradict themselves.
    #[error(transparent)]
    Rows(#[from] DatasetError),
    /// The source is neither the built-in digits nor a file nor a directory.
    #[error("data source {path} does not exist; use digits, a directory with IDX files or a CSV file", path = path.display())]
    Missing {
        /// The path.
        path: PathBuf,
    },
    /// The system refused.
    #[error("cannot read {path}: {source}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file of encoded rows cannot be made or written.
    #[error("cannot keep encoded rows in {path}: {source}; data.cache names another folder, data.memory says from how many MiB on it is needed", path = path.display())]
    Store {
        /// The file, or the folder for it.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file of encoded rows cannot be read any more.
    #[error(transparent)]
    Unreadable(#[from] RowError),
    /// A file is not what it should be.
    #[error("{path}: {reason}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// One line of a file is not what it should be.
    #[error("{path}, line {line}: {reason}", path = path.display())]
    Row {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: u64,
        /// What is wrong.
        reason: String,
    },
    /// A directory without a pair of IDX files and without images.
    #[error(
        "{directory} has no pair of train-images-idx3-ubyte and train-labels-idx1-ubyte (plain or gzipped) and no folders of PNG or JPEG images, one a class; it holds {there}",
        directory = directory.display()
    )]
    NoIdx {
        /// The directory.
        directory: PathBuf,
        /// What is in it, in words.
        there: String,
    },
    /// The label column is missing.
    #[error("{path} has no column {label:?}; name the label column with --label or data.label, one of: {columns}{hint}", path = path.display())]
    NoLabel {
        /// The file.
        path: PathBuf,
        /// The column wanted.
        label: String,
        /// The columns there are.
        columns: String,
        /// What else may be wrong.
        hint: String,
    },
    /// A cell is not what the task expects.
    #[error("{0}")]
    Cell(Box<WrongCell>),
    /// The file does not fit the task.
    #[error("{path} does not fit the task:\n  {list}", path = path.display(), list = findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n  "))]
    Findings {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        findings: Vec<Finding>,
    },
    /// A feature is not a finite number.
    #[error("{path}, line {line}, column {column:?}: {got:?} is no finite number", path = path.display())]
    NotANumber {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: u64,
        /// Name of the column.
        column: String,
        /// The text.
        got: String,
    },
    /// A table is not what it should be, or how it is to be read is unsure.
    #[error(transparent)]
    Table(Box<TableError>),
    /// Too few classes to tell apart, or too many to be classes.
    #[error("{path}: column {column:?} has {got} different labels; 2 to {most} are needed", path = path.display())]
    Classes {
        /// The file.
        path: PathBuf,
        /// Name of the column.
        column: String,
        /// Labels found.
        got: usize,
        /// Most labels taken.
        most: usize,
    },
    /// The rows cannot be partitioned.
    #[error(transparent)]
    Partition(#[from] PartitionError),
    /// The embedded digits are damaged: the program was built wrongly.
    #[error("the embedded digits are damaged; build the program again")]
    Embedded,
}
