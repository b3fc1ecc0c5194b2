//! Tables of numbers, one row a line, separated by commas.

use std::path::Path;

use peerlearn_sim::Rows;

use super::{DataError, MAX_BYTES, read};

/// The most columns that a table may have.
const MAX_COLUMNS: usize = 4096;
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
    pub fn rows(&self) -> Rows {
        Rows {
            width: self.width,
            classes: self.classes,
            features: self.features.iter().map(|&value| value as f32).collect(),
            labels: self.labels.iter().copied().collect(),
        }
    }
}

/// Reads a table whose last column is the label, a whole number; plain, or compressed if its name ends in `.gz`.
///
/// # Errors
/// The file is missing, too large, empty or not text, a line has another number of columns than the first, a feature is
/// not a finite number, or a label not a whole number below 65,536.
pub fn table(path: &Path, has_header: bool) -> Result<Table, DataError> {
    let text = Text::read(path)?;
    let mut builder = Builder::default();
    for (line, cells) in text.lines(has_header)? {
        let Some((label, features)) = cells.split_last() else { continue };
        builder.push(path, line, features, label)?;
    }
    builder.finish(path)
}

/// A text file.
pub(super) struct Text<'a> {
    path: &'a Path,
    text: String,
}

impl<'a> Text<'a> {
    /// Reads the whole file.
    pub(super) fn read(path: &'a Path) -> Result<Self, DataError> {
        let text = String::from_utf8(read(path, MAX_BYTES)?).map_err(|_| DataError::format(path, "not UTF-8"))?;
        Ok(Self { path, text })
    }

    /// Cells of the first line.
    pub(super) fn header(&self) -> Vec<&str> {
        self.text.lines().next().map(split).unwrap_or_default()
    }

    /// Numbers of the lines that are not empty, from 1, and their cells: at least two, and as many in every line.
    pub(super) fn lines(&self, has_header: bool) -> Result<Vec<(usize, Vec<&str>)>, DataError> {
        let mut columns = None;
        let mut lines = Vec::new();
        for (index, line) in self.text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let cells = split(line);
            let want = *columns.get_or_insert(cells.len());
            if cells.len() != want || !(2..=MAX_COLUMNS).contains(&want) {
                let what = format!("{} columns, where the first line has {want}", cells.len());
                return Err(DataError::line(self.path, index + 1, what));
            }
            if index > 0 || !has_header {
                lines.push((index + 1, cells));
            }
        }
        Ok(lines)
    }
}

fn split(line: &str) -> Vec<&str> {
    line.split(',').map(str::trim).collect()
}

/// A table as it grows.
#[derive(Default)]
pub(super) struct Builder {
    features: Vec<f64>,
    labels: Vec<u32>,
}

impl Builder {
    /// Adds the row of line `line`.
    pub(super) fn push(&mut self, path: &Path, line: usize, features: &[&str], label: &str) -> Result<(), DataError> {
        for cell in features {
            let value = cell.parse().ok().filter(|value: &f64| value.is_finite());
            let value = value.ok_or_else(|| DataError::line(path, line, format!("{cell:?} is not a finite number")))?;
            self.features.push(value);
        }
        let wrong =
            || DataError::line(path, line, format!("label {label:?} is not a whole number below {MAX_CLASSES}"));
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
