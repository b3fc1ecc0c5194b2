//! One signed byte a parameter, one scale a tensor; and what the other int8 codecs share.
//!
//! q = round(x / s) with s = max|x| / 127 over the tensor, so that |x - s q| <= s / 2. The scales of all tensors come
//! first, then all bytes, so that parameter i is at byte i. -128 is never written; read, it is one step below -127.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::{Choice, Coding};
use crate::params::Layout;

pub(super) struct Int8;

impl Coding for Int8 {
    fn encoded_len(&self, layout: &Layout) -> u64 {
        (layout.tensors().len() * 4 + layout.len()) as u64
    }

    fn encode(&self, layout: &Layout, params: &[f32], choice: &mut Choice<'_>, out: &mut Vec<u8>) {
        let scales: Vec<f32> = layout.ranges().map(|range| scale(&params[range])).collect();
        out.extend(scales.iter().flat_map(|scale| scale.to_le_bytes()));
        for (range, scale) in layout.ranges().zip(scales) {
            quantize(&params[range], scale, choice.dither.as_deref_mut(), out);
        }
    }

    fn is_sound(&self, layout: &Layout, body: &[u8]) -> bool {
        scales_are_sound(&body[..layout.tensors().len() * 4])
    }

    fn read(&self, layout: &Layout, body: &[u8], start: usize, out: &mut [f32]) {
        let (scales, bytes) = body.split_at(layout.tensors().len() * 4);
        let mut done = 0;
        for tensor in layout.tensor_at(start).. {
            if done == out.len() {
                break;
            }
            let end = layout.range(tensor).end.min(start + out.len());
            dequantize(&bytes[start + done..end], scale_at(scales, tensor), &mut out[done..end - start]);
            done = end - start;
        }
    }
}

/// The largest step: 128 of it are still finite, because a stranger's byte may be -128. Values beyond 127 of it are
/// clamped.
const MOST: f32 = f32::MAX / 128.0;

/// The step of some values. A step that would be subnormal is rounded up to the least normal number: its inverse must
/// be finite, and parameters below 1e-36 mean nothing.
pub(super) fn scale(values: &[f32]) -> f32 {
    // Eight maxima at a time: a single one would wait for itself at every value.
    let (chunks, rest) = values.as_chunks::<16>();
    let mut lanes = [0.0f32; 16];
    for chunk in chunks {
        lanes.iter_mut().zip(chunk).for_each(|(most, value)| *most = most.max(value.abs()));
    }
    let most = lanes.iter().chain(rest).fold(0.0f32, |most, value| most.max(value.abs()));
    if most == 0.0 { 0.0 } else { (most / 127.0).clamp(f32::MIN_POSITIVE * 2.0, MOST) }
}

/// Appends one byte a value.
pub(super) fn quantize(values: &[f32], scale: f32, dither: Option<&mut ChaCha8Rng>, out: &mut Vec<u8>) {
    // Without this a tensor of zeros would divide by zero; its bytes are zero either way.
    let inverse = if scale > 0.0 { 1.0 / scale } else { 0.0 };
    // Adding 1.5 * 2^23 rounds to the nearest integer and leaves it in the lowest bits, without a call a value.
    const ROUND: f32 = 12_582_912.0;
    match dither {
        None => out.extend(values.iter().map(|x| ((x * inverse).clamp(-127.0, 127.0) + ROUND).to_bits() as u8)),
        Some(rng) => out.extend(values.iter().map(|x| {
            let dithered = (x * inverse).clamp(-127.0, 127.0) + rng.random::<f32>();
            dithered.floor().clamp(-127.0, 127.0) as i8 as u8
        })),
    }
}

/// Shapes: `bytes` and `out`: `[n]`.
pub(super) fn dequantize(bytes: &[u8], scale: f32, out: &mut [f32]) {
    for (value, byte) in out.iter_mut().zip(bytes) {
        *value = f32::from(*byte as i8) * scale;
    }
}

/// The scale of part `index`.
pub(super) fn scale_at(scales: &[u8], index: usize) -> f32 {
    f32::from_le_bytes([0, 1, 2, 3].map(|n| scales[index * 4 + n]))
}

/// Whether no byte can become infinite: 128 * scale must be finite too, for the byte -128.
pub(super) fn scales_are_sound(scales: &[u8]) -> bool {
    let scales = scales.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes));
    scales.into_iter().all(|scale| scale >= 0.0 && (scale * 128.0).is_finite())
}

/// Values of the partial codecs that share one scale.
pub(super) const GROUP: usize = 512;

/// Bytes of `count` values in groups.
pub(super) fn grouped_len(count: usize) -> u64 {
    (count.div_ceil(GROUP) * 4 + count) as u64
}

/// Appends the scales of all groups, then one byte a value.
pub(super) fn quantize_groups(values: &[f32], mut dither: Option<&mut ChaCha8Rng>, out: &mut Vec<u8>) {
    let scales: Vec<f32> = values.chunks(GROUP).map(scale).collect();
    out.extend(scales.iter().flat_map(|scale| scale.to_le_bytes()));
    for (group, scale) in values.chunks(GROUP).zip(scales) {
        quantize(group, scale, dither.as_deref_mut(), out);
    }
}

/// Value `index` of `count` written by [`quantize_groups`].
pub(super) fn grouped_value(body: &[u8], count: usize, index: usize) -> f32 {
    let byte = body[count.div_ceil(GROUP) * 4 + index];
    f32::from(byte as i8) * scale_at(body, index / GROUP)
}
