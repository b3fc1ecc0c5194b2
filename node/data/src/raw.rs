//! Rows as readers hand them on.

use std::path::Path;

use peerlearn_protocols::dataset::{Values, pick};
use peerlearn_task::in_order;

use super::DataError;

/// Rows as readers hand them on: tables scaled, pictures as their source has them.
#[derive(Debug, Clone, PartialEq)]
pub struct Raw {
    /// Shape of one example.
    pub input: Vec<usize>,
    /// Names of the classes.
    pub classes: Vec<String>,
    /// Shapes: `[rows, width]`.
    pub features: Values,
    /// Shapes: `[rows]`; all 0 where the answer is a number.
    pub labels: Vec<u32>,
    /// Numbers to be answered, scaled, `[rows]`; empty for classes.
    pub targets: Vec<f32>,
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
            classes: self.classes.clone(),
            features,
            labels,
            targets: if self.targets.is_empty() { Vec::new() } else { pick(&self.targets, 1, picked) },
        }
    }

    /// The same for numbers in half the memory, of which there are many where features are not in memory.
    pub(super) fn pick_numbers(&self, picked: &[u32]) -> Self {
        let Values::Stored(rows) = &self.features else {
            return self.pick(&picked.iter().map(|row| *row as usize).collect::<Vec<_>>());
        };
        let places = || picked.iter().map(|row| *row as usize);
        let targets =
            if self.targets.is_empty() { Vec::new() } else { places().map(|row| self.targets[row]).collect() };
        Self {
            input: self.input.clone(),
            classes: self.classes.clone(),
            features: Values::Stored(rows.pick(places())),
            labels: places().map(|row| self.labels[row]).collect(),
            targets,
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

/// The classes that labels name: each once, ordered as numbers where all are whole numbers, else as words.
pub fn classes_of(labels: Vec<String>) -> Vec<String> {
    let mut classes = labels;
    classes.sort();
    classes.dedup();
    in_order(classes)
}
