//! What a simulated peer learns: a model as a pure function of flat parameters.

use std::fmt::Debug;

use peerlearn_protocols::dataset::Dataset;
use peerlearn_protocols::params::Layout;
use rand_chacha::ChaCha8Rng;

/// A model: loss, gradient and class scores as functions of flat parameters. It keeps no state, so one value serves all
/// peers of a simulation.
pub trait Model: Send + Sync + Debug {
    /// Names and shapes of the parameters.
    fn layout(&self) -> &Layout;

    /// Mean loss over the rows of `batch`, and its gradient, which replaces what `gradient` held.
    ///
    /// Shapes: `params`, `gradient`: `[layout.len()]`; `batch`: indices of rows, at least one. `noise` serves models
    /// with dropout; others leave it alone.
    fn gradient(
        &self,
        params: &[f32],
        rows: &Dataset,
        batch: &[usize],
        noise: &mut ChaCha8Rng,
        gradient: &mut [f32],
    ) -> f32;

    /// Class scores (before any softmax) of the rows of `batch`. Shapes: answer `[batch, classes]`, row by row.
    fn scores(&self, params: &[f32], rows: &Dataset, batch: &[usize]) -> Vec<f32>;

    /// Where every peer starts. Shapes: `[layout.len()]`.
    fn initial(&self, seed: u64) -> Vec<f32>;
}
