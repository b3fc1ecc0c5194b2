//! Rows as readers hand them on.

use std::path::Path;

use peerlearn_protocols::dataset::{Values, pick};

use super::DataError;
use super::table::classes_of;

/// Rows as they are in the source, not scaled.
#[derive(Debug, Clone, PartialEq)]
pub struct Raw {
    /// Shape of one example.
    pub input: Vec<usize>,
    /// Names of the features of a table, in their order; empty for images.
    pub columns: Vec<String>,
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
        Self {
            input: self.input.clone(),
            columns: self.columns.clone(),
            classes: self.classes.clone(),
            features,
            labels,
        }
    }

    /// Takes the classes that the settings declare in place of those found; in the order of all class lists.
    ///
    /// # Errors
    /// One that was found is not declared.
    pub(super) fn declare(&mut self, path: &Path, declared: &[String]) -> Result<(), DataError> {
        if declared.is_empty() {
            return Ok(());
        }
        let classes = classes_of(declared.to_vec());
        // Only what rows have: files of images name every number up to the largest.
        for label in &mut self.labels {
            let place = place_of(&self.classes[*label as usize], &classes);
            *label = place.map_err(|reason| DataError::File { path: path.to_owned(), reason })?;
        }
        self.classes = classes;
        Ok(())
    }

    pub(super) fn chosen(self, choose: ChooseRows<'_>) -> Result<Self, DataError> {
        match choose(&self.labels, self.classes.len())? {
            None => Ok(self),
            Some(rows) => Ok(self.pick(&rows)),
        }
    }
}

/// The number of a class in a list of all.
///
/// # Errors
/// It is not in the list, in words.
pub(super) fn place_of(class: &str, classes: &[String]) -> Result<u32, String> {
    let place = classes.iter().position(|other| other == class);
    let missing = || format!("class {class:?} is not among data.classes: {}", classes.join(", "));
    place.map(|place| place as u32).ok_or_else(missing)
}
