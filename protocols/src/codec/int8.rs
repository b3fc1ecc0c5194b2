//! One signed byte a parameter, one scale a tensor.
//!
//! q = round(x / s) with s = max|x| / 127 over the tensor, so that |x - s q| <= s / 2. The scales of all tensors come
//! first, then all bytes, so that parameter i is at byte i. -128 is never written; read, it is one step below -127.

use super::Coding;
use crate::params::Layout;

pub(super) struct Int8;

impl Coding for Int8 {
    fn encoded_len(&self, layout: &Layout) -> u64 {
        (layout.tensors().len() * 4 + layout.len()) as u64
    }

    fn encode(&self, layout: &Layout, params: &[f32], out: &mut Vec<u8>) {
        let scales: Vec<f32> = layout.ranges().map(|range| scale(&params[range])).collect();
        out.extend(scales.iter().flat_map(|scale| scale.to_le_bytes()));
        for (range, scale) in layout.ranges().zip(scales) {
            // Without this a tensor of zeros would divide by zero; its bytes are zero either way.
            let inverse = if scale > 0.0 { 1.0 / scale } else { 0.0 };
            // Adding and taking away 1.5 * 2^23 rounds to the nearest integer, without a call a value.
            const ROUND: f32 = 12_582_912.0;
            let quantize = |value: &f32| ((value * inverse).clamp(-127.0, 127.0) + ROUND - ROUND) as i8 as u8;
            out.extend(params[range].iter().map(quantize));
        }
    }

    fn is_finite(&self, layout: &Layout, body: &[u8]) -> bool {
        // 128 * scale must be finite too, or the byte -128 would overflow.
        let scales = body[..layout.tensors().len() * 4].as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes));
        scales.into_iter().all(|scale| scale >= 0.0 && (scale * 128.0).is_finite())
    }

    fn read(&self, layout: &Layout, body: &[u8], start: usize, out: &mut [f32]) {
        let (scales, bytes) = body.split_at(layout.tensors().len() * 4);
        let mut done = 0;
        for tensor in layout.tensor_at(start).. {
            if done == out.len() {
                break;
            }
            let end = layout.range(tensor).end.min(start + out.len());
            let scale: [u8; 4] = [0, 1, 2, 3].map(|n| scales[tensor * 4 + n]);
            let scale = f32::from_le_bytes(scale);
            let values = &mut out[done..end - start];
            for (value, byte) in values.iter_mut().zip(&bytes[start + done..end]) {
                *value = f32::from(*byte as i8) * scale;
            }
            done = end - start;
        }
    }
}

/// The step of a tensor. A step that would be subnormal is rounded up to the least normal number: its inverse must be
/// finite, and parameters below 1e-36 mean nothing.
fn scale(values: &[f32]) -> f32 {
    let most = values.iter().fold(0.0f32, |most, value| most.max(value.abs()));
    if most == 0.0 { 0.0 } else { (most / 127.0).max(f32::MIN_POSITIVE * 2.0) }
}
