//! A 3x3 convolution without padding, on images stored pixel by pixel (channels last).
//!
//! There is no `im2col`: on the *wide* grid, whose rows are as long as those of the input, the three neighbouring
//! pixels that a row of the kernel sees are contiguous, so that overlapping windows of the image are the rows of a
//! matrix and one row of the kernel is one matrix product. The price is two columns of the wide grid that mean nothing.

use super::gemm::{add_rows, fill_rows, matrix, multiply, strided};

/// Side of the kernel.
const KERNEL: usize = 3;

/// Sizes of a convolution. Weights are `[3, 3, inputs, outputs]`: kernel row, kernel column, channel in, channel out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Conv {
    /// Side of the square input.
    pub(super) side: usize,
    /// Channels of the input.
    pub(super) inputs: usize,
    /// Channels of the output.
    pub(super) outputs: usize,
}

impl Conv {
    /// Side of the output.
    pub(super) const fn out_side(&self) -> usize {
        self.side + 1 - KERNEL
    }

    /// Numbers on the wide grid: `[out_side, side, outputs]`, of which the last two columns mean nothing.
    pub(super) const fn wide_len(&self) -> usize {
        self.out_side() * self.side * self.outputs
    }

    /// Numbers in [`Conv::backward_input`]'s scratch.
    pub(super) const fn columns_len(&self) -> usize {
        self.wide_rows() * KERNEL * KERNEL * self.inputs
    }

    /// Windows on the wide grid; the last two pixels of its last row have none.
    const fn wide_rows(&self) -> usize {
        self.out_side() * self.side + 1 - KERNEL
    }

    /// Weights of one row of the kernel.
    const fn band(&self) -> usize {
        KERNEL * self.inputs * self.outputs
    }

    /// What the kernel's row `row` sees. Shapes: answer `[wide_rows, 3 * inputs]`.
    fn windows<'a>(&self, image: &'a [f32], row: usize) -> ndarray::ArrayView2<'a, f32> {
        let shape = (self.wide_rows(), KERNEL * self.inputs);
        strided(&image[row * self.side * self.inputs..], shape, (self.inputs, 1))
    }

    /// Convolves one image onto the wide grid, before any activation.
    ///
    /// Shapes: `weights: [3, 3, inputs, outputs]`, `bias: [outputs]`, `image: [side, side, inputs]`, `wide:
    /// [wide_len]`.
    pub(super) fn forward(&self, weights: &[f32], bias: &[f32], image: &[f32], wide: &mut [f32]) {
        let wide = &mut wide[..self.wide_rows() * self.outputs];
        fill_rows(bias, wide);
        for (row, band) in weights.chunks_exact(self.band()).enumerate() {
            multiply(self.windows(image, row), matrix(band, KERNEL * self.inputs, self.outputs), 1.0, wide);
        }
    }

    /// Adds one image's part to the gradient of the weights and the bias.
    ///
    /// Shapes: `image: [side, side, inputs]`, `wide: [wide_len]` (the gradient of the output, zero where the wide grid
    /// means nothing), `weights: [3, 3, inputs, outputs]`, `bias: [outputs]`.
    pub(super) fn backward_weights(&self, image: &[f32], wide: &[f32], weights: &mut [f32], bias: &mut [f32]) {
        let wide = &wide[..self.wide_rows() * self.outputs];
        add_rows(wide, bias);
        for (row, band) in weights.chunks_exact_mut(self.band()).enumerate() {
            let windows = self.windows(image, row).reversed_axes();
            multiply(windows, matrix(wide, self.wide_rows(), self.outputs), 1.0, band);
        }
    }

    /// Replaces `image` by the gradient of the input.
    ///
    /// Shapes: `weights: [3, 3, inputs, outputs]`, `wide: [wide_len]` (as in [`Conv::backward_weights`]),
    /// `columns: [columns_len]` (scratch), `image: [side, side, inputs]`.
    pub(super) fn backward_input(&self, weights: &[f32], wide: &[f32], columns: &mut [f32], image: &mut [f32]) {
        let wide = &wide[..self.wide_rows() * self.outputs];
        let window = KERNEL * self.inputs;
        let transposed = matrix(weights, KERNEL * window, self.outputs).reversed_axes();
        multiply(matrix(wide, self.wide_rows(), self.outputs), transposed, 0.0, columns);
        image.fill(0.0);
        for (pixel, column) in columns.chunks_exact(KERNEL * window).enumerate() {
            for (row, part) in column.chunks_exact(window).enumerate() {
                let start = (pixel + row * self.side) * self.inputs;
                for (target, value) in image[start..start + window].iter_mut().zip(part) {
                    *target += value;
                }
            }
        }
    }
}
