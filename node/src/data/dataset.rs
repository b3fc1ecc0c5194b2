//! Rows of features with labels, in memory, in model units.

use std::sync::Arc;

use peerlearn_protocols::id::Hash;

use super::DataError;

/// Rows of features with labels. Cloning is cheap.
///
/// Shapes: features `[rows, width]` row by row with `width = product of input`; labels `[rows]`, each below `classes`.
#[derive(Debug, Clone)]
pub struct Dataset {
    input: Vec<usize>,
    classes: usize,
    features: Arc<[f32]>,
    labels: Arc<[u32]>,
}

impl Dataset {
    /// Checks and wraps rows.
    ///
    /// # Errors
    /// The lengths contradict each other, a label is out of range, or a feature is not finite.
    pub fn new(input: Vec<usize>, classes: usize, features: Vec<f32>, labels: Vec<u32>) -> Result<Self, DataError> {
        let width: usize = input.iter().product();
        let want = labels.len() * width;
        if features.len() != want || width == 0 {
            return Err(DataError::Shape { rows: labels.len(), width, want, got: features.len() });
        }
        if let Some(row) = labels.iter().position(|&label| label as usize >= classes) {
            return Err(DataError::Label { row, label: labels[row], classes });
        }
        if let Some(at) = features.iter().position(|value| !value.is_finite()) {
            return Err(DataError::NotFinite { row: at / width, column: at % width, value: features[at] });
        }
        Ok(Self { input, classes, features: features.into(), labels: labels.into() })
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
        self.input.iter().product()
    }

    /// All features, `[rows, width]`.
    pub fn features(&self) -> &[f32] {
        &self.features
    }

    /// All labels, `[rows]`.
    pub fn labels(&self) -> &[u32] {
        &self.labels
    }

    /// The features of one row, `[width]`.
    pub fn row(&self, index: usize) -> &[f32] {
        let width = self.width();
        &self.features[index * width..(index + 1) * width]
    }

    /// The rows at `indices`, in that order.
    pub fn select(&self, indices: &[usize]) -> Self {
        let features: Vec<f32> = indices.iter().flat_map(|&index| self.row(index)).copied().collect();
        let labels: Vec<u32> = indices.iter().map(|&index| self.labels[index]).collect();
        Self { input: self.input.clone(), classes: self.classes, features: features.into(), labels: labels.into() }
    }

    /// Rows of each class, `[classes]`.
    pub fn class_counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.classes];
        self.labels.iter().for_each(|&label| counts[label as usize] += 1);
        counts
    }

    /// A hash over shape, features and labels; the same rows have the same digest on every machine.
    pub fn digest(&self) -> Hash {
        let mut hasher = blake3::Hasher::new();
        for &size in self.input.iter().chain([&self.classes]) {
            hasher.update(&(size as u64).to_le_bytes());
        }
        for value in self.features.iter() {
            hasher.update(&value.to_le_bytes());
        }
        for label in self.labels.iter() {
            hasher.update(&label.to_le_bytes());
        }
        Hash(*hasher.finalize().as_bytes())
    }
}
