//! What can be wrong with data.

use thiserror::Error;

/// What can be wrong with data. Every message says where and what to do.
#[derive(Debug, Error)]
pub enum DataError {
    /// The numbers of features, labels and classes contradict each other.
    #[error("{rows} rows of {width} features need {want} values, got {got}")]
    Shape {
        /// Number of labels.
        rows: usize,
        /// Features a row.
        width: usize,
        /// Values needed.
        want: usize,
        /// Values given.
        got: usize,
    },
    /// A label is not below the number of classes.
    #[error("row {row} has label {label}, but there are {classes} classes")]
    Label {
        /// Row, from 0.
        row: usize,
        /// Its label.
        label: u32,
        /// Number of classes.
        classes: usize,
    },
    /// A feature is NaN or infinite.
    #[error("row {row}, feature {column} is {value}")]
    NotFinite {
        /// Row, from 0.
        row: usize,
        /// Feature, from 0.
        column: usize,
        /// The value.
        value: f32,
    },
}
