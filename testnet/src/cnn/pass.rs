//! One forward and backward pass over a few images.

use rand_chacha::ChaCha8Rng;

use super::activation::{cross_entropy, dropout, pool, relu, relu_narrow, relu_widen, unpool};
use super::conv::Conv;
use super::dense::Dense;

/// Side of an image.
pub(super) const SIDE: usize = 28;
/// Number of classes.
pub(super) const CLASSES: usize = 10;
/// The first convolution.
pub(super) const CONV1: Conv = Conv { side: SIDE, inputs: 1, outputs: 32 };
/// The second convolution.
pub(super) const CONV2: Conv = Conv { side: CONV1.out_side(), inputs: CONV1.outputs, outputs: 64 };
/// Side of what is left after the maximum.
const POOLED: usize = CONV2.out_side() / 2;
/// The hidden layer.
pub(super) const DENSE1: Dense = Dense { inputs: POOLED * POOLED * CONV2.outputs, outputs: 128 };
/// The layer of the scores.
pub(super) const DENSE2: Dense = Dense { inputs: DENSE1.outputs, outputs: CLASSES };

const IMAGE: usize = SIDE * SIDE;
const ACTIVATION: usize = CONV1.out_side() * CONV1.out_side() * CONV1.outputs;

/// Parameters or their gradient, cut into weights and biases in the order of the layout.
pub(super) struct Parts<T> {
    pub(super) conv1: (T, T),
    pub(super) conv2: (T, T),
    pub(super) dense1: (T, T),
    pub(super) dense2: (T, T),
}

/// What the forward pass leaves for the backward pass. Shapes: `[rows, ..]` each, but for `wide`.
pub(super) struct Pass {
    images: Vec<f32>,
    activation: Vec<f32>,
    channel_scale: Vec<f32>,
    pooled: Vec<f32>,
    picks: Vec<u8>,
    hidden: Vec<f32>,
    hidden_scale: Vec<f32>,
    /// Class scores; after the loss their gradient. Shapes: `[rows, CLASSES]`.
    pub(super) scores: Vec<f32>,
    wide1: Vec<f32>,
    wide2: Vec<f32>,
}

impl Pass {
    /// Room for the images given, without dropout. Shapes: `images: [rows, SIDE * SIDE]`.
    pub(super) fn new(images: Vec<f32>) -> Self {
        let rows = images.len() / IMAGE;
        Self {
            images,
            activation: vec![0.0; rows * ACTIVATION],
            channel_scale: vec![1.0; rows * CONV2.outputs],
            pooled: vec![0.0; rows * DENSE1.inputs],
            picks: vec![0; rows * DENSE1.inputs],
            hidden: vec![0.0; rows * DENSE1.outputs],
            hidden_scale: vec![1.0; rows * DENSE1.outputs],
            scores: vec![0.0; rows * CLASSES],
            wide1: vec![0.0; CONV1.wide_len()],
            wide2: vec![0.0; CONV2.wide_len()],
        }
    }

    /// Draws which channels and hidden numbers to drop.
    pub(super) fn draw_dropout(&mut self, channel_rate: f64, hidden_rate: f64, noise: &mut ChaCha8Rng) {
        dropout(channel_rate, noise, &mut self.channel_scale);
        dropout(hidden_rate, noise, &mut self.hidden_scale);
    }

    /// Computes the scores.
    pub(super) fn forward(&mut self, parts: &Parts<&[f32]>) {
        let images = self.images.chunks_exact(IMAGE).zip(self.activation.chunks_exact_mut(ACTIVATION));
        let pooled = self.pooled.chunks_exact_mut(DENSE1.inputs).zip(self.picks.chunks_exact_mut(DENSE1.inputs));
        let scales = self.channel_scale.chunks_exact(CONV2.outputs);
        for (((image, activation), (pooled, picks)), scale) in images.zip(pooled).zip(scales) {
            CONV1.forward(parts.conv1.0, parts.conv1.1, image, &mut self.wide1);
            relu_narrow(&CONV1, &self.wide1, activation);
            CONV2.forward(parts.conv2.0, parts.conv2.1, activation, &mut self.wide2);
            pool(&CONV2, &self.wide2, scale, pooled, picks);
        }
        DENSE1.forward(parts.dense1.0, parts.dense1.1, &self.pooled, &mut self.hidden);
        relu(&mut self.hidden);
        scale_by(&mut self.hidden, &self.hidden_scale);
        DENSE2.forward(parts.dense2.0, parts.dense2.1, &self.hidden, &mut self.scores);
    }

    /// Adds `weight` times the gradient of the summed loss, and returns the summed loss. Uses the pass up.
    ///
    /// Shapes: `labels: [rows]`.
    pub(super) fn backward(
        mut self,
        parts: &Parts<&[f32]>,
        labels: &[u32],
        weight: f32,
        gradient: &mut Parts<&mut [f32]>,
    ) -> f64 {
        let loss = cross_entropy(&mut self.scores, labels, CLASSES, weight);
        let mut hidden = vec![0.0; self.hidden.len()];
        DENSE2.backward_weights(&self.hidden, &self.scores, gradient.dense2.0, gradient.dense2.1);
        DENSE2.backward_input(parts.dense2.0, &self.scores, &mut hidden);
        for ((gradient, value), scale) in hidden.iter_mut().zip(&self.hidden).zip(&self.hidden_scale) {
            *gradient = if *value > 0.0 { *gradient * scale } else { 0.0 };
        }
        let mut pooled = vec![0.0; self.pooled.len()];
        DENSE1.backward_weights(&self.pooled, &hidden, gradient.dense1.0, gradient.dense1.1);
        DENSE1.backward_input(parts.dense1.0, &hidden, &mut pooled);
        self.backward_convolutions(parts, &pooled, gradient);
        loss
    }

    /// The part of [`Pass::backward`] below the dense layers, image by image. Shapes: `pooled: [rows, DENSE1.inputs]`.
    fn backward_convolutions(self, parts: &Parts<&[f32]>, pooled: &[f32], gradient: &mut Parts<&mut [f32]>) {
        let (mut wide1, mut wide2) = (self.wide1, self.wide2);
        wide1.fill(0.0);
        wide2.fill(0.0);
        let mut columns = vec![0.0; CONV2.columns_len()];
        let mut below = vec![0.0; ACTIVATION];
        let images = self.images.chunks_exact(IMAGE).zip(self.activation.chunks_exact(ACTIVATION));
        let pooled = pooled.chunks_exact(DENSE1.inputs).zip(self.picks.chunks_exact(DENSE1.inputs));
        let scales = self.channel_scale.chunks_exact(CONV2.outputs);
        for (((image, activation), (pooled, picks)), scale) in images.zip(pooled).zip(scales) {
            unpool(&CONV2, pooled, scale, picks, &mut wide2);
            CONV2.backward_weights(activation, &wide2, gradient.conv2.0, gradient.conv2.1);
            CONV2.backward_input(parts.conv2.0, &wide2, &mut columns, &mut below);
            relu_widen(&CONV1, &below, activation, &mut wide1);
            CONV1.backward_weights(image, &wide1, gradient.conv1.0, gradient.conv1.1);
        }
    }
}

/// Multiplies number by number. Shapes: equal.
fn scale_by(values: &mut [f32], scale: &[f32]) {
    for (value, scale) in values.iter_mut().zip(scale) {
        *value *= scale;
    }
}
