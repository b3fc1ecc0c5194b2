//! Rows of features with labels, in memory, in model units: what a peer trains on and is measured on.

mod values;

use std::borrow::Cow;
use std::sync::Arc;

use thiserror::Error;

pub use values::{Values, pick};

use crate::id::Hash;

/// Rows that contradict themselves.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
pub enum DatasetError {
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

/// Rows of features with labels. Cloning is cheap. Features that came as bytes are kept as bytes, whatever they are
/// divided by: pictures take a quarter of the memory so.
///
/// Shapes: features `[rows, width]` row by row with `width = product of input`; labels `[rows]`, each below `classes`.
#[derive(Debug, Clone)]
pub struct Dataset {
    input: Arc<[usize]>,
    width: usize,
    classes: usize,
    /// Each to be divided by `unit`; floats are divided already, and theirs is 1.
    values: Values,
    unit: f32,
    labels: Arc<Vec<u32>>,
}

impl Dataset {
    /// Checks and wraps rows.
    ///
    /// # Errors
    /// The lengths contradict each other, a label is out of range, or a feature is not finite.
    pub fn new(input: Vec<usize>, classes: usize, features: Vec<f32>, labels: Vec<u32>) -> Result<Self, DatasetError> {
        Self::in_units(input, classes, Values::Floats(Arc::new(features)), 1.0, labels)
    }

    /// Checks and wraps rows whose features are `values` divided by `unit`.
    ///
    /// # Errors
    /// The lengths contradict each other, a label is out of range, or a feature is not finite.
    pub fn in_units(
        input: Vec<usize>,
        classes: usize,
        mut values: Values,
        unit: f32,
        labels: Vec<u32>,
    ) -> Result<Self, DatasetError> {
        let width: usize = input.iter().product();
        let want = labels.len() * width;
        if values.len() != want || width == 0 {
            return Err(DatasetError::Shape { rows: labels.len(), width, want, got: values.len() });
        }
        check_labels(&labels, classes)?;
        let not_finite = |at: usize, value: f32| DatasetError::NotFinite { row: at / width, column: at % width, value };
        let unit = match &mut values {
            // If the largest is finite, so are all.
            Values::Bytes(_) if !(255.0 / unit).is_finite() => return Err(not_finite(0, 255.0 / unit)),
            Values::Bytes(_) => unit,
            Values::Floats(values) => {
                if unit != 1.0 {
                    Arc::make_mut(values).iter_mut().for_each(|value| *value /= unit);
                }
                if let Some(at) = values.iter().position(|value| !value.is_finite()) {
                    return Err(not_finite(at, values[at]));
                }
                1.0
            }
        };
        Ok(Self { input: input.into(), width, classes, values, unit, labels: Arc::new(labels) })
    }

    /// No rows, of one feature and two classes: for peers that train on nothing.
    pub fn none() -> Self {
        let (values, labels) = (Values::Floats(Arc::default()), Arc::default());
        Self { input: Arc::new([1]), width: 1, classes: 2, values, unit: 1.0, labels }
    }

    /// The same features with other labels.
    ///
    /// # Errors
    /// Not one label a row, or one that is out of range.
    pub fn with_labels(&self, labels: Vec<u32>) -> Result<Self, DatasetError> {
        if labels.len() != self.len() {
            let (width, got) = (self.width(), self.len() * self.width());
            return Err(DatasetError::Shape { rows: labels.len(), width, want: labels.len() * width, got });
        }
        check_labels(&labels, self.classes)?;
        Ok(Self { labels: Arc::new(labels), ..self.clone() })
    }

    /// The same labels with other features of the same shape, `[rows, width]`.
    ///
    /// # Errors
    /// Not as many values as there were, or one that is not finite.
    pub fn with_features(&self, features: Vec<f32>) -> Result<Self, DatasetError> {
        Self::new(self.input.to_vec(), self.classes, features, self.labels.to_vec())
    }

    /// Shape of one example, for example `[1, 8, 8]`.
    pub fn input(&self) -> &[usize] {
        &self.input
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Features a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// All features, as a copy, `[rows, width]`.
    pub fn features(&self) -> Vec<f32> {
        let mut features = Vec::with_capacity(self.len() * self.width());
        (0..self.len()).for_each(|row| self.copy_row(row, &mut features));
        features
    }

    /// The bytes that features are kept as and what to divide them by, `[rows, width]`; `None` where they are no bytes.
    pub fn bytes(&self) -> Option<(&[u8], f32)> {
        match &self.values {
            Values::Floats(_) => None,
            Values::Bytes(values) => Some((values, self.unit)),
        }
    }

    /// All labels, `[rows]`.
    pub fn labels(&self) -> &[u32] {
        &self.labels
    }

    /// The features of one row, `[width]`.
    pub fn row(&self, index: usize) -> Cow<'_, [f32]> {
        match &self.values {
            Values::Floats(values) => Cow::Borrowed(&values[self.range(index)]),
            Values::Bytes(_) => {
                let mut row = Vec::with_capacity(self.width());
                self.copy_row(index, &mut row);
                Cow::Owned(row)
            }
        }
    }

    /// Appends the features of one row, `[width]`.
    pub fn copy_row(&self, index: usize, out: &mut Vec<f32>) {
        match &self.values {
            Values::Floats(values) => out.extend_from_slice(&values[self.range(index)]),
            Values::Bytes(values) => {
                out.extend(values[self.range(index)].iter().map(|value| f32::from(*value) / self.unit));
            }
        }
    }

    fn range(&self, row: usize) -> std::ops::Range<usize> {
        row * self.width..(row + 1) * self.width
    }

    /// The rows at `indices`, in that order.
    pub fn select(&self, indices: &[usize]) -> Self {
        let values = self.values.pick(self.width(), indices);
        Self { values, labels: Arc::new(pick(&self.labels, 1, indices)), ..self.clone() }
    }

    /// Rows of each class, `[classes]`.
    pub fn class_counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.classes];
        self.labels.iter().for_each(|&label| counts[label as usize] += 1);
        counts
    }

    /// The same rows with every label y replaced by c - 1 - y, of c classes: what an attacker that flips labels learns.
    pub fn with_flipped_labels(&self) -> Self {
        let last = (self.classes as u32).saturating_sub(1);
        let labels = self.labels.iter().map(|label| last.saturating_sub(*label)).collect();
        Self { labels: Arc::new(labels), ..self.clone() }
    }

    /// A hash over shape, features and labels; the same rows have the same digest on every machine.
    pub fn digest(&self) -> Hash {
        let mut hasher = blake3::Hasher::new();
        for &size in self.input.iter().chain([&self.classes]) {
            hasher.update(&(size as u64).to_le_bytes());
        }
        let mut bytes = Vec::with_capacity(4 * self.width());
        for row in 0..self.len() {
            bytes.clear();
            bytes.extend(self.row(row).iter().flat_map(|value| value.to_le_bytes()));
            hasher.update(&bytes);
        }
        for label in self.labels.iter() {
            hasher.update(&label.to_le_bytes());
        }
        Hash(*hasher.finalize().as_bytes())
    }
}

fn check_labels(labels: &[u32], classes: usize) -> Result<(), DatasetError> {
    match labels.iter().position(|&label| label as usize >= classes) {
        Some(row) => Err(DatasetError::Label { row, label: labels[row], classes }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_kept_as_bytes_are_the_same_rows() {
        let bytes = Values::Bytes(Arc::new(vec![0, 16, 3, 7, 255, 1]));
        let kept = Dataset::in_units(vec![2], 2, bytes.clone(), 16.0, vec![0, 1, 1]).unwrap();
        let floats = bytes.to_vec().into_iter().map(|value| value / 16.0).collect();
        let plain = Dataset::new(vec![2], 2, floats, vec![0, 1, 1]).unwrap();
        assert_eq!((kept.features(), kept.digest()), (plain.features(), plain.digest()));
        assert_eq!((kept.row(1), kept.row(2)), (plain.row(1), plain.row(2)));
        let (some, others) = (kept.select(&[2, 0]), plain.select(&[2, 0]));
        assert_eq!((some.digest(), some.labels()), (others.digest(), &[1, 0][..]));
        assert_eq!(some.bytes(), Some((&[255, 1, 0, 16][..], 16.0)));
        for unit in [0.0, f32::NAN, 1e-38] {
            let error = Dataset::in_units(vec![2], 2, bytes.clone(), unit, vec![0, 1, 1]).unwrap_err();
            assert!(matches!(error, DatasetError::NotFinite { .. }), "{unit}: {error}");
        }
        assert!(matches!(kept.with_labels(vec![0, 1, 2]), Err(DatasetError::Label { row: 2, .. })));
        assert!(matches!(kept.with_labels(vec![0]), Err(DatasetError::Shape { .. })));
        assert_eq!(kept.with_labels(vec![1, 0, 0]).unwrap().features(), plain.features());
    }
}
