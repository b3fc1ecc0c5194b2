//! How raw rows become the inputs of a model: kept beside the model, so that other rows mean the same to it.

use std::path::Path;

use peerlearn_protocols::dataset::Values;
use serde::{Deserialize, Serialize};

use super::idx::Idx;
use super::{DataError, Scaling, table};

/// What a model was trained to take and to answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Preprocessing {
    /// Shape of one example.
    pub input: Vec<usize>,
    /// Names of the features of a table, in the order of the inputs; empty for images.
    pub columns: Vec<String>,
    /// Names of the classes, in the order of the outputs.
    pub classes: Vec<String>,
    /// The scaling; never `auto`.
    pub scaling: Scaling,
    /// Mean and standard deviation of every feature over the rows that were trained on, under `standard`; else empty.
    pub moments: Vec<(f32, f32)>,
}

impl Preprocessing {
    /// Whether rows of these columns mean what the model was trained on.
    pub(super) fn fits(&self, columns: &[String], scaling: Scaling) -> bool {
        self.columns == columns && self.scaling == scaling && self.moments.len() == columns.len()
    }

    /// Reads rows without labels and brings them to the inputs of the model: a table that has the columns, by name, or an IDX
    /// file of images.
    ///
    /// Shapes: answer `[rows, width]` with `width = product of input`.
    ///
    /// # Errors
    /// The file cannot be read, lacks a column or holds other images.
    pub fn read(&self, path: &Path) -> Result<Vec<f32>, DataError> {
        let width: usize = self.input.iter().product();
        let mut rows = match self.columns.is_empty() {
            false => table::read_features(path, &self.columns)?,
            true => self.images(path)?,
        };
        match self.scaling.unit() {
            Some(unit) => rows.iter_mut().for_each(|value| *value /= unit),
            None if self.moments.len() == width => super::scaling::standardize(width, &mut rows, &self.moments),
            None => {
                let reason = format!("{} of {width} columns have a mean and a deviation", self.moments.len());
                return Err(DataError::File { path: path.to_owned(), reason });
            }
        }
        match rows.iter().position(|value| !value.is_finite()) {
            Some(at) => {
                let column = self.columns.get(at % width).map_or_else(|| (at % width + 1).to_string(), String::clone);
                let reason = format!("row {}, column {column}, is too large after scaling", at / width + 1);
                Err(DataError::File { path: path.to_owned(), reason })
            }
            None => Ok(rows),
        }
    }

    fn images(&self, path: &Path) -> Result<Vec<f32>, DataError> {
        let images = Idx::open(path, 3)?;
        // Without the channel, of which there is one.
        if self.input.get(1..) != images.sizes().get(1..) {
            let (got, want) = (images.sizes().get(1..).unwrap_or_default(), self.input.get(1..).unwrap_or_default());
            let reason = format!("its images are {got:?}, the model takes {want:?}");
            return Err(DataError::File { path: path.to_owned(), reason });
        }
        Ok(Values::Bytes(std::sync::Arc::new(images.rows(None)?)).to_vec())
    }
}
