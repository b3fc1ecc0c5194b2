//! What a simulated peer learns: a model as a pure function of flat parameters.

use std::fmt::Debug;
use std::sync::Arc;

use peerlearn_protocols::params::Layout;
use rand_chacha::ChaCha8Rng;

/// Rows to learn from or to be measured on; cheap to clone.
#[derive(Debug, Clone)]
pub struct Rows {
    /// Numbers a row.
    pub width: usize,
    /// Number of classes; labels are below it.
    pub classes: usize,
    /// Shapes: `[rows, width]`, row by row.
    pub features: Arc<[f32]>,
    /// Shapes: `[rows]`.
    pub labels: Arc<[u32]>,
}

impl Rows {
    /// Number of rows.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Features of one row. Shapes: `[width]`.
    pub fn row(&self, index: usize) -> &[f32] {
        &self.features[index * self.width..(index + 1) * self.width]
    }
}

/// A model: loss, gradient and class scores as functions of flat parameters. It keeps no state, so one value serves all
/// peers of a simulation.
pub trait Model: Send + Sync + Debug {
    /// Names and shapes of the parameters.
    fn layout(&self) -> &Layout;

    /// Mean loss over the rows of `batch`, and its gradient, which replaces what `gradient` held.
    ///
    /// Shapes: `params`, `gradient`: `[layout.len()]`; `batch`: indices of rows, at least one. `noise` serves models with
    /// dropout; others leave it alone.
    fn gradient(
        &self,
        params: &[f32],
        rows: &Rows,
        batch: &[usize],
        noise: &mut ChaCha8Rng,
        gradient: &mut [f32],
    ) -> f32;

    /// Class scores (before any softmax) of the rows of `batch`. Shapes: answer `[batch, classes]`, row by row.
    fn scores(&self, params: &[f32], rows: &Rows, batch: &[usize]) -> Vec<f32>;

    /// Where every peer starts. Shapes: `[layout.len()]`.
    fn initial(&self, seed: u64) -> Vec<f32>;
}
