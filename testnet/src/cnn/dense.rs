//! A dense layer.

use super::gemm::{add_rows, fill_rows, matrix, multiply};

/// Sizes of a dense layer. Weights are `[inputs, outputs]`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dense {
    /// Numbers in.
    pub(super) inputs: usize,
    /// Numbers out.
    pub(super) outputs: usize,
}

impl Dense {
    /// `output <- input weights + bias`, before any activation.
    ///
    /// Shapes: `weights: [inputs, outputs]`, `bias: [outputs]`, `input: [rows, inputs]`, `output: [rows, outputs]`.
    pub(super) fn forward(&self, weights: &[f32], bias: &[f32], input: &[f32], output: &mut [f32]) {
        fill_rows(bias, output);
        let input = matrix(input, input.len() / self.inputs, self.inputs);
        multiply(input, matrix(weights, self.inputs, self.outputs), 1.0, output);
    }

    /// Adds to the gradient of the weights and the bias.
    ///
    /// Shapes: `input: [rows, inputs]`, `output: [rows, outputs]` (the gradient of the output),
    /// `weights: [inputs, outputs]`, `bias: [outputs]`.
    pub(super) fn backward_weights(&self, input: &[f32], output: &[f32], weights: &mut [f32], bias: &mut [f32]) {
        add_rows(output, bias);
        let rows = input.len() / self.inputs;
        let input = matrix(input, rows, self.inputs).reversed_axes();
        multiply(input, matrix(output, rows, self.outputs), 1.0, weights);
    }

    /// Replaces `input` by the gradient of the input.
    ///
    /// Shapes: `weights: [inputs, outputs]`, `output: [rows, outputs]` (its gradient), `input: [rows, inputs]`.
    pub(super) fn backward_input(&self, weights: &[f32], output: &[f32], input: &mut [f32]) {
        let output = matrix(output, output.len() / self.outputs, self.outputs);
        multiply(output, matrix(weights, self.inputs, self.outputs).reversed_axes(), 0.0, input);
    }
}
