//! Rows of features with labels, in model units: what a peer trains on and is measured on. Labels are in memory, features there or
//! elsewhere.

mod stored;
mod targets;
mod values;

use std::borrow::Cow;
use std::sync::Arc;

use thiserror::Error;

pub use stored::{Rescale, RowError, RowStore, Stored};
pub use targets::Loss;
use targets::Numbers;
use values::copy_or_nan;
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
    /// A target is NaN or infinite.
    #[error("row {row} has {value} as its target")]
    Number {
        /// Row, from 0.
        row: usize,
        /// The value.
        value: f32,
    },
    /// The unit of the targets is no size.
    #[error("one unit of the target is {value}; it must be a number above 0")]
    Unit {
        /// The value.
        value: f32,
    },
    /// The loss is not one of such targets.
    #[error("the loss {loss} does not fit: cross-entropy is for classes, mse and mae are for numbers")]
    Loss {
        /// The loss.
        loss: Loss,
    },
    /// Not one weight a class.
    #[error("{got} weights of classes, but {want} classes")]
    Weights {
        /// Weights given.
        got: usize,
        /// Number of classes; 0 for rows whose targets are numbers.
        want: usize,
    },
    /// A class has no weight that could be used.
    #[error("class {class} weighs {value}; it must be a number above 0")]
    Weight {
        /// Class, from 0.
        class: usize,
        /// The value.
        value: f32,
    },
}

/// Rows of features with labels. Cloning is cheap. Features that came as bytes are kept as bytes, whatever they are
/// divided by: pictures take a quarter of the memory so.
///
/// Shapes: features `[rows, width]` row by row with `width = product of input`; labels `[rows]`, each below `classes`.
/// Instead of classes, rows may have numbers, `[rows]`; see [`Dataset::with_numbers`].
#[derive(Debug, Clone)]
pub struct Dataset {
    input: Arc<[usize]>,
    width: usize,
    classes: usize,
    /// Each to be divided by `unit`; floats are divided already, and theirs is 1.
    values: Values,
    unit: f32,
    labels: Arc<Vec<u32>>,
    numbers: Option<Numbers>,
    class_weights: Option<Arc<[f32]>>,
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
        let fits = !matches!(&values, Values::Stored(rows) if rows.width() != width);
        if values.len() != want || width == 0 || !fits {
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
            // Looked at whenever they are read.
            Values::Stored(_) => {
                if unit != 1.0 {
                    values.rescale(&vec![Rescale { over: f64::from(unit), ..Rescale::NONE }; width].into());
                }
                1.0
            }
        };
        let (input, labels) = (input.into(), Arc::new(labels));
        Ok(Self { input, width, classes, values, unit, labels, numbers: None, class_weights: None })
    }

    /// No rows, of one feature and two classes: for peers that train on nothing.
    pub fn none() -> Self {
        let (values, labels) = (Values::Floats(Arc::default()), Arc::default());
        let (input, width, classes) = (Arc::new([1]), 1, 2);
        Self { input, width, classes, values, unit: 1.0, labels, numbers: None, class_weights: None }
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

    /// The same targets with other features of the same shape, `[rows, width]`.
    ///
    /// # Errors
    /// Not as many values as there were, or one that is not finite.
    pub fn with_features(&self, features: Vec<f32>) -> Result<Self, DatasetError> {
        let rows = Self::new(self.input.to_vec(), self.classes, features, self.labels.to_vec())?;
        Ok(Self { numbers: self.numbers.clone(), class_weights: self.class_weights.clone(), ..rows })
    }

    /// The same targets with every feature changed, `by: [width]`: at once in memory, which makes floats of bytes; elsewhere
    /// whenever a row is read, so that nothing is copied. Both give the same bits.
    ///
    /// # Errors
    /// Not one change a feature, or a feature in memory is not finite then.
    pub fn rescaled(&self, by: Arc<[Rescale]>) -> Result<Self, DatasetError> {
        if by.len() != self.width {
            let (rows, width) = (self.len(), self.width);
            return Err(DatasetError::Shape { rows, width, want: rows * width, got: rows * by.len() });
        }
        if let Values::Stored(rows) = &self.values {
            return Ok(Self { values: Values::Stored(rows.clone().rescaled(by)), ..self.clone() });
        }
        let mut features = self.features();
        stored::rescale(&by, &mut features);
        self.with_features(features)
    }

    /// Shape of one example, for example `[1, 8, 8]`.
    pub fn input(&self) -> &[usize] {
        &self.input
    }

    /// Number of classes; 1 for rows whose targets are numbers.
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

    /// All features, as a copy in memory, `[rows, width]`. Rows that cannot be read are NaN; see [`Dataset::failure`].
    pub fn features(&self) -> Vec<f32> {
        let mut features = Vec::with_capacity(self.len() * self.width());
        (0..self.len()).for_each(|row| self.copy_row(row, &mut features));
        features
    }

    /// The bytes that features are kept as and what to divide them by, `[rows, width]`; `None` where they are no bytes.
    pub fn bytes(&self) -> Option<(&[u8], f32)> {
        match &self.values {
            Values::Floats(_) | Values::Stored(_) => None,
            Values::Bytes(values) => Some((values, self.unit)),
        }
    }

    /// All labels, `[rows]`.
    pub fn labels(&self) -> &[u32] {
        &self.labels
    }

    /// Whether the features are kept elsewhere than in memory. Rows that lie near each other are best asked for one after the
    /// other then.
    pub fn is_stored(&self) -> bool {
        matches!(self.values, Values::Stored(_))
    }

    /// The first row that could not be read, of all that were asked for of the same store; `None` for rows in memory. Whatever
    /// was computed of these rows may be wrong then.
    pub fn failure(&self) -> Option<&RowError> {
        match &self.values {
            Values::Stored(rows) => rows.failure(),
            Values::Bytes(_) | Values::Floats(_) => None,
        }
    }

    /// The features of one row, `[width]`. A row that cannot be read is NaN; see [`Dataset::failure`].
    pub fn row(&self, index: usize) -> Cow<'_, [f32]> {
        match &self.values {
            Values::Floats(values) => Cow::Borrowed(&values[self.range(index)]),
            Values::Bytes(_) | Values::Stored(_) => {
                let mut row = Vec::with_capacity(self.width());
                self.copy_row(index, &mut row);
                Cow::Owned(row)
            }
        }
    }

    /// Appends the features of one row, `[width]`.
    ///
    /// # Errors
    /// It is kept elsewhere and cannot be read; nothing is appended then.
    pub fn read_row(&self, index: usize, out: &mut Vec<f32>) -> Result<(), RowError> {
        match &self.values {
            Values::Stored(rows) => rows.copy_row(index, out),
            Values::Bytes(_) | Values::Floats(_) => {
                self.copy_row(index, out);
                Ok(())
            }
        }
    }

    /// Appends the features of one row, `[width]`. A row that cannot be read is NaN; see [`Dataset::failure`].
    pub fn copy_row(&self, index: usize, out: &mut Vec<f32>) {
        match &self.values {
            Values::Floats(values) => out.extend_from_slice(&values[self.range(index)]),
            Values::Bytes(values) => {
                out.extend(values[self.range(index)].iter().map(|value| f32::from(*value) / self.unit));
            }
            Values::Stored(rows) => copy_or_nan(rows, index, out),
        }
    }

    fn range(&self, row: usize) -> std::ops::Range<usize> {
        row * self.width..(row + 1) * self.width
    }

    /// The rows at `indices`, in that order. Features that are kept elsewhere are not copied.
    pub fn select(&self, indices: &[usize]) -> Self {
        let values = self.values.pick(self.width(), indices);
        let numbers = self.numbers.as_ref().map(|numbers| numbers.select(indices));
        Self { values, labels: Arc::new(pick(&self.labels, 1, indices)), numbers, ..self.clone() }
    }

    /// Rows of each class, `[classes]`.
    pub fn class_counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.classes];
        self.labels.iter().for_each(|&label| counts[label as usize] += 1);
        counts
    }

    /// The same rows with every label y replaced by c - 1 - y, of c classes, and every number by its negative: what an
    /// attacker that flips labels learns.
    pub fn with_flipped_labels(&self) -> Self {
        let last = (self.classes as u32).saturating_sub(1);
        let labels = self.labels.iter().map(|label| last.saturating_sub(*label)).collect();
        let numbers = self.numbers.as_ref().map(Numbers::negated);
        Self { labels: Arc::new(labels), numbers, ..self.clone() }
    }

    /// A hash over shape, features, labels and numbers; the same rows have the same digest on every machine.
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
        for number in self.numbers().unwrap_or_default() {
            hasher.update(&number.to_le_bytes());
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

    #[test]
    fn rows_kept_elsewhere_are_the_same_rows() {
        let values: Vec<f32> = (0..12).map(|value| value as f32 - 5.0).collect();
        let (shape, labels) = (vec![1, 3], vec![0, 1, 1, 0]);
        for unit in [1.0, 3.0] {
            let floats = Values::Floats(Arc::new(values.clone()));
            let plain = Dataset::in_units(shape.clone(), 2, floats, unit, labels.clone()).unwrap();
            let shelf = Values::Stored(stored::tests::Shelf::stored(3, values.clone()));
            let kept = Dataset::in_units(shape.clone(), 2, shelf, unit, labels.clone()).unwrap();
            assert!(kept.is_stored() && !plain.is_stored() && kept.bytes().is_none());
            assert_eq!((kept.features(), kept.digest(), kept.row(2)), (plain.features(), plain.digest(), plain.row(2)));
            let (some, others) = (kept.select(&[3, 1, 0]).select(&[2, 0]), plain.select(&[0, 3]));
            assert_eq!((some.digest(), some.labels()), (others.digest(), others.labels()));
            let by: Arc<[Rescale]> = [1.0, 2.0, 7.0].map(|over| Rescale { minus: 0.1, over, limit: 4.0 }).into();
            let (other, others) = (some.rescaled(Arc::clone(&by)).unwrap(), others.rescaled(by).unwrap());
            assert!(other.is_stored());
            assert_eq!((other.digest(), other.features()), (others.digest(), others.features()));
            assert!(matches!(kept.rescaled([Rescale::NONE].into()), Err(DatasetError::Shape { .. })));
        }
        let shelf = || Values::Stored(stored::tests::Shelf::stored(4, values.clone()));
        assert!(matches!(Dataset::in_units(vec![3], 2, shelf(), 1.0, labels), Err(DatasetError::Shape { .. })));
        assert!(Dataset::in_units(vec![4], 2, shelf(), 1.0, vec![0; 4]).is_err());
        assert!(Dataset::in_units(vec![4], 2, shelf(), 1.0, vec![0; 3]).is_ok());
    }

    #[test]
    fn a_row_that_cannot_be_read_is_no_number() {
        let shelf = stored::tests::Shelf { width: 2, values: vec![1.0; 6], broken: 2 };
        let values = Values::Stored(Stored::new(Arc::new(shelf)));
        let rows = Dataset::in_units(vec![2], 2, values, 1.0, vec![0, 1, 0]).unwrap();
        let (apart, mut out) = (rows.select(&[0]), Vec::new());
        assert!(rows.read_row(1, &mut out).is_ok() && rows.failure().is_none());
        assert!(rows.read_row(2, &mut out).is_err() && out.len() == 2);
        assert!(
            rows.row(2).iter().all(|value| value.is_nan()) && rows.features()[4..].iter().all(|value| value.is_nan())
        );
        assert_eq!(rows.failure().map(|error| error.row), Some(2));
        assert_eq!(apart.failure(), rows.failure());
    }
}
