//! Tables of numbers, one row a line, separated by commas.

use std::ops::Range;
use std::path::Path;

use peerlearn::data::csv::{CsvReader, Row};
use peerlearn_protocols::dataset::{Dataset, DatasetError};

use super::DataError;

/// The most classes that labels may name.
const MAX_CLASSES: u32 = 1 << 16;

/// Rows of numbers as the file has them, with a class each; at least one row.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// Features in a row.
    pub width: usize,
    /// Number of classes: one more than the largest label.
    pub classes: usize,
    /// Shapes: `[rows, width]`, row by row; finite.
    pub features: Vec<f64>,
    /// Shapes: `[rows]`.
    pub labels: Vec<u32>,
}

impl Table {
    /// Number of rows.
    #[expect(clippy::len_without_is_empty, reason = "a table is never empty")]
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Features of one row. Shapes: `[width]`.
    pub fn row(&self, index: usize) -> &[f64] {
        &self.features[index * self.width..(index + 1) * self.width]
    }

    /// The same rows in `f32`, for the simulator.
    ///
    /// # Errors
    /// A feature is too large for `f32`.
    pub fn rows(&self) -> Result<Dataset, DatasetError> {
        let features = self.features.iter().map(|&value| value as f32).collect();
        Dataset::new(vec![self.width], self.classes, features, self.labels.clone())
    }
}

/// Reads a table whose last column is the label, a whole number; plain, or compressed if its name ends in `.gz`.
///
/// # Errors
/// The file is missing, too large, empty or not text, a line has another number of columns than the first, a feature is
/// not a finite number, or a label not a whole number below 65,536.
pub fn table(path: &Path, has_header: bool) -> Result<Table, DataError> {
    let mut reader = CsvReader::open(path, has_header)?;
    let mut builder = Builder::default();
    while let Some(row) = reader.next_row()? {
        let last = row.len() - 1;
        builder.push(&row, 0..last, last)?;
    }
    builder.finish(path)
}

/// A table as it grows.
#[derive(Default)]
pub(super) struct Builder {
    features: Vec<f64>,
    labels: Vec<u32>,
}

impl Builder {
    /// Adds a row with its features and its label in these columns.
    pub(super) fn push(&mut self, row: &Row<'_>, features: Range<usize>, label: usize) -> Result<(), DataError> {
        for column in features {
            self.features.push(row.number(column)?);
        }
        let label = row.cell(label);
        let wrong = || row.wrong(format!("label {label:?} is not a whole number below {MAX_CLASSES}"));
        self.labels.push(label.parse().ok().filter(|&label: &u32| label < MAX_CLASSES).ok_or_else(wrong)?);
        Ok(())
    }

    /// The table.
    pub(super) fn finish(self, path: &Path) -> Result<Table, DataError> {
        let Some(&top) = self.labels.iter().max() else {
            return Err(DataError::format(path, "no rows"));
        };
        let width = self.features.len() / self.labels.len();
        Ok(Table { width, classes: top as usize + 1, features: self.features, labels: self.labels })
    }
}
