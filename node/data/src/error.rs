//! What can be wrong with data.

use std::path::PathBuf;

use peerlearn_protocols::dataset::DatasetError;
use thiserror::Error;

use super::PartitionError;

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
    /// A directory without a pair of IDX files.
    #[error("{directory} has no pair of train-images-idx3-ubyte and train-labels-idx1-ubyte (plain or .gz)", directory = directory.display())]
    NoIdx {
        /// The directory.
        directory: PathBuf,
    },
    /// The label column is missing.
    #[error("{path} has no column {label:?}; name the label column with data.label, one of: {columns}", path = path.display())]
    NoLabel {
        /// The file.
        path: PathBuf,
        /// The column wanted.
        label: String,
        /// The columns there are.
        columns: String,
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
