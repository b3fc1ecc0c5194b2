//! One signed byte a parameter, one scale a row: for matrices whose rows differ much in size (LLM.int8, Dettmers et al.
//! 2022, section 2.1).
//!
//! A row is one index of the first dimension of a tensor with two or more dimensions; a vector is one row. A matrix
//! with rows shorter than 16 is one row too, or scales would cost more than a quarter.

use super::int8::{dequantize, quantize, scale, scale_at, scales_are_sound};
use super::{Choice, Coding};
use crate::params::{Layout, TensorSpec};

/// Shortest row that gets a scale of its own.
const LEAST_ROW: usize = 16;

pub(super) struct Int8Row;

/// Length of the rows of a tensor with `size` parameters.
fn row_of(tensor: &TensorSpec, size: usize) -> usize {
    match tensor.shape.as_slice() {
        [] | [_] => size,
        [rows, ..] if size / rows >= LEAST_ROW => size / rows,
        _ => size,
    }
}

fn row_count(layout: &Layout) -> usize {
    layout.tensors().iter().zip(layout.ranges()).map(|(tensor, range)| range.len() / row_of(tensor, range.len())).sum()
}

impl Coding for Int8Row {
    fn encoded_len(&self, layout: &Layout) -> u64 {
        (row_count(layout) * 4 + layout.len()) as u64
    }

    fn encode(&self, layout: &Layout, params: &[f32], choice: &mut Choice<'_>, out: &mut Vec<u8>) {
        let tensors = || layout.tensors().iter().zip(layout.ranges());
        let mut scales = Vec::with_capacity(row_count(layout));
        for (tensor, range) in tensors() {
            let row = row_of(tensor, range.len());
            scales.extend(params[range].chunks(row).map(scale));
        }
        out.extend(scales.iter().flat_map(|scale| scale.to_le_bytes()));
        let mut scales = scales.into_iter();
        for (tensor, range) in tensors() {
            let row = row_of(tensor, range.len());
            for (values, scale) in params[range].chunks(row).zip(&mut scales) {
                quantize(values, scale, choice.dither.as_deref_mut(), out);
            }
        }
    }

    fn is_sound(&self, layout: &Layout, body: &[u8]) -> bool {
        scales_are_sound(&body[..row_count(layout) * 4])
    }

    fn read(&self, layout: &Layout, body: &[u8], start: usize, out: &mut [f32]) {
        let (scales, bytes) = body.split_at(row_count(layout) * 4);
        let end = start + out.len();
        let mut first_row = 0;
        for (tensor, range) in layout.tensors().iter().zip(layout.ranges()) {
            let row = row_of(tensor, range.len());
            let (from, to) = (range.start.max(start), range.end.min(end));
            let mut at = from;
            while at < to {
                let index = (at - range.start) / row;
                let stop = (range.start + (index + 1) * row).min(to);
                dequantize(&bytes[at..stop], scale_at(scales, first_row + index), &mut out[at - start..stop - start]);
                at = stop;
            }
            first_row += range.len() / row;
        }
    }
}
