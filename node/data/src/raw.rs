//! Rows as readers hand them on.

use peerlearn_protocols::dataset::{Values, pick};

use super::DataError;

/// Rows as they are in the source, not scaled.
#[derive(Debug, Clone, PartialEq)]
pub struct Raw {
    /// Shape of one example.
    pub input: Vec<usize>,
    /// Names of the classes.
    pub classes: Vec<String>,
    /// Shapes: `[rows, width]`.
    pub features: Values,
    /// Shapes: `[rows]`.
    pub labels: Vec<u32>,
}

/// Which rows are wanted of those with these labels in so many classes, and in which order; `None` is all as they lie.
pub(super) type ChooseRows<'a> = &'a dyn Fn(&[u32], usize) -> Result<Option<Vec<usize>>, DataError>;

impl Raw {
    /// The rows `picked`, in that order.
    ///
    /// # Panics
    /// One is beyond the last.
    pub fn pick(&self, picked: &[usize]) -> Self {
        let features = self.features.pick(self.input.iter().product(), picked);
        let labels = pick(&self.labels, 1, picked);
        Self { input: self.input.clone(), classes: self.classes.clone(), features, labels }
    }

    pub(super) fn chosen(self, choose: ChooseRows<'_>) -> Result<Self, DataError> {
        match choose(&self.labels, self.classes.len())? {
            None => Ok(self),
            Some(rows) => Ok(self.pick(&rows)),
        }
    }
}
