//! The averaging-only task: every peer starts from its own vector, nobody trains, and all should end with the mean.

use peerlearn_protocols::dataset::Dataset;
use peerlearn_protocols::params::{Layout, ParamsError, TensorSpec};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::Model;

/// A vector without a loss.
#[derive(Debug, Clone)]
pub struct Averaging {
    layout: Layout,
}

impl Averaging {
    /// Vectors of that many numbers.
    ///
    /// # Errors
    /// None, or too many numbers.
    pub fn new(parameters: usize) -> Result<Self, ParamsError> {
        Ok(Self { layout: Layout::new(vec![TensorSpec { name: "vector".into(), shape: vec![parameters] }])? })
    }
}

impl Model for Averaging {
    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn gradient(&self, _: &[f32], _: &Dataset, _: &[usize], _: &mut ChaCha8Rng, gradient: &mut [f32]) -> f32 {
        gradient.fill(0.0);
        0.0
    }

    fn scores(&self, _: &[f32], rows: &Dataset, batch: &[usize]) -> Vec<f32> {
        vec![0.0; batch.len() * rows.classes()]
    }

    /// Standard normal numbers. With a seed a peer, peers start apart.
    fn initial(&self, seed: u64) -> Vec<f32> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        (0..self.layout.len()).map(|_| super::random::normal(&mut rng)).collect()
    }
}
