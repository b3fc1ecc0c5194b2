//! The convolutional network of "Byzantine-robust decentralized learning via ClippedGossip" (He, Karimireddy, Jaggi
//! 2022), as a [`Model`] for the simulator: the MNIST example of PyTorch without its second ReLU, as in their code.
//!
//! 3x3 convolution 1 to 32, ReLU, 3x3 convolution 32 to 64, 2x2 maximum, channel dropout 0.25, dense 9216 to 128, ReLU,
//! dropout 0.5, dense 128 to 10, softmax cross-entropy.

mod activation;
mod conv;
mod dense;
mod gemm;
mod pass;
#[cfg(test)]
mod tests;

use peerlearn_protocols::dataset::Dataset;
use peerlearn_protocols::params::{Layout, ParamsError, TensorSpec};
use peerlearn_sim::Model;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use pass::{CLASSES, CONV1, CONV2, DENSE1, DENSE2, Parts, Pass, SIDE};

/// Images that one pass holds in memory; longer batches go in pieces.
const CHUNK: usize = 32;
/// Share of channels that dropout removes after the convolutions.
const CHANNEL_DROPOUT: f64 = 0.25;
/// Share of hidden numbers that dropout removes.
const HIDDEN_DROPOUT: f64 = 0.5;

/// The network of the ClippedGossip paper: 1,199,882 parameters, for rows of 784 numbers in 10 classes.
///
/// Weights are stored as the products want them, not as PyTorch does: convolutions `[3, 3, in, out]`, dense layers
/// `[in, out]`, and the 9216 numbers between them pixel by pixel. It panics on rows of another width and on labels that
/// are not below 10.
#[derive(Debug, Clone)]
pub struct ClippedGossipCnn {
    layout: Layout,
    dropout: Dropout,
}

/// What dropout draws.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dropout {
    /// Nothing: it is left out.
    Off,
    /// Anew for every row of every batch, which is what dropout is.
    Fresh,
    /// The same for the n-th row of every batch, at everybody and for ever. The authors' runs did this: they put the
    /// state of the random generator back after each worker's step, so that it never moved.
    Frozen,
}

/// What [`Dropout::Frozen`] draws from.
const FROZEN: u64 = 0x6472_6f70;

impl ClippedGossipCnn {
    /// The network of the paper.
    ///
    /// # Errors
    /// None in practice: only what [`Layout::new`] refuses.
    pub fn new(dropout: Dropout) -> Result<Self, ParamsError> {
        let tensor = |name: &str, shape: &[usize]| TensorSpec { name: name.to_owned(), shape: shape.to_vec() };
        let layout = Layout::new(vec![
            tensor("conv1.weight", &[3, 3, CONV1.inputs, CONV1.outputs]),
            tensor("conv1.bias", &[CONV1.outputs]),
            tensor("conv2.weight", &[3, 3, CONV2.inputs, CONV2.outputs]),
            tensor("conv2.bias", &[CONV2.outputs]),
            tensor("dense1.weight", &[DENSE1.inputs, DENSE1.outputs]),
            tensor("dense1.bias", &[DENSE1.outputs]),
            tensor("dense2.weight", &[DENSE2.inputs, DENSE2.outputs]),
            tensor("dense2.bias", &[DENSE2.outputs]),
        ])?;
        Ok(Self { layout, dropout })
    }

    /// Cuts parameters into tensors. Shapes: `params: [layout.len()]`.
    fn parts<'a>(&self, params: &'a [f32]) -> Parts<&'a [f32]> {
        let cut = |tensor: usize| (&params[self.layout.range(tensor)], &params[self.layout.range(tensor + 1)]);
        Parts { conv1: cut(0), conv2: cut(2), dense1: cut(4), dense2: cut(6) }
    }

    /// Cuts a gradient into tensors. Shapes: `gradient: [layout.len()]`.
    fn parts_mut<'a>(&self, gradient: &'a mut [f32]) -> Parts<&'a mut [f32]> {
        let mut rest = gradient;
        let mut cut = |tensor: usize| {
            let (head, tail) = std::mem::take(&mut rest).split_at_mut(self.layout.range(tensor).len());
            rest = tail;
            head
        };
        Parts { conv1: (cut(0), cut(1)), conv2: (cut(2), cut(3)), dense1: (cut(4), cut(5)), dense2: (cut(6), cut(7)) }
    }
}

/// Copies rows together. Shapes: answer `[batch, width]`.
fn gather(rows: &Dataset, batch: &[usize]) -> Vec<f32> {
    assert_eq!(rows.width(), SIDE * SIDE, "the network reads images of {SIDE} x {SIDE}");
    let mut gathered = Vec::with_capacity(batch.len() * rows.width());
    batch.iter().for_each(|&index| rows.copy_row(index, &mut gathered));
    gathered
}

impl Model for ClippedGossipCnn {
    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn gradient(
        &self,
        params: &[f32],
        rows: &Dataset,
        batch: &[usize],
        noise: &mut ChaCha8Rng,
        gradient: &mut [f32],
    ) -> f32 {
        gradient.fill(0.0);
        let (parts, mut gradient) = (self.parts(params), self.parts_mut(gradient));
        let mut still = ChaCha8Rng::seed_from_u64(FROZEN);
        let noise = if self.dropout == Dropout::Frozen { &mut still } else { noise };
        let mut loss = 0.0;
        for chunk in batch.chunks(CHUNK) {
            let labels: Vec<u32> = chunk.iter().map(|&index| rows.labels()[index]).collect();
            let mut pass = Pass::new(gather(rows, chunk));
            if self.dropout != Dropout::Off {
                pass.draw_dropout(CHANNEL_DROPOUT, HIDDEN_DROPOUT, noise);
            }
            pass.forward(&parts);
            loss += pass.backward(&parts, &labels, 1.0 / batch.len() as f32, &mut gradient);
        }
        (loss / batch.len() as f64) as f32
    }

    fn scores(&self, params: &[f32], rows: &Dataset, batch: &[usize]) -> Vec<f32> {
        let parts = self.parts(params);
        let mut scores = Vec::with_capacity(batch.len() * CLASSES);
        for chunk in batch.chunks(CHUNK) {
            let mut pass = Pass::new(gather(rows, chunk));
            pass.forward(&parts);
            scores.extend_from_slice(&pass.scores);
        }
        scores
    }

    /// PyTorch's default: every weight and bias uniform within `1 / sqrt(inputs of its layer)`.
    fn initial(&self, seed: u64) -> Vec<f32> {
        let fan_ins = [9 * CONV1.inputs, 9 * CONV2.inputs, DENSE1.inputs, DENSE2.inputs];
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut params = Vec::with_capacity(self.layout.len());
        for (tensor, range) in self.layout.ranges().enumerate() {
            let bound = 1.0 / (fan_ins[tensor / 2] as f32).sqrt();
            params.extend(range.map(|_| rng.random_range(-bound..bound)));
        }
        params
    }
}
