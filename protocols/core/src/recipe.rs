//! Everything a peer does to its own model.

use serde::{Deserialize, Serialize};

/// Loss and accuracy on a data set.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Mean loss a row.
    pub loss: f32,
    /// Fraction of rows whose most probable class is their label.
    pub accuracy: f32,
    /// Rows measured.
    pub rows: usize,
}
