//! Single and half precision, little-endian, in the order of the layout.

use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};

use super::{Choice, Coding};
use crate::params::Layout;

/// The largest finite half; larger parameters are clamped to it, because infinity may not travel.
const MOST: f32 = 65_504.0;

/// Exact.
pub(super) struct Single;

impl Coding for Single {
    fn encoded_len(&self, layout: &Layout) -> u64 {
        layout.len() as u64 * 4
    }

    fn encode(&self, _: &Layout, params: &[f32], _: &mut Choice<'_>, out: &mut Vec<u8>) {
        out.extend(params.iter().flat_map(|value| value.to_le_bytes()));
    }

    fn is_sound(&self, _: &Layout, body: &[u8]) -> bool {
        let exponent = |bytes: &[u8; 4]| u32::from_le_bytes(*bytes) & 0x7f80_0000;
        body.as_chunks().0.iter().all(|bytes| exponent(bytes) != 0x7f80_0000)
    }

    fn read(&self, _: &Layout, body: &[u8], start: usize, out: &mut [f32]) {
        let bytes = &body[start * 4..][..out.len() * 4];
        for (value, bytes) in out.iter_mut().zip(bytes.as_chunks().0) {
            *value = f32::from_le_bytes(*bytes);
        }
    }
}

/// Half precision.
pub(super) struct Half;

/// Values converted at a time: large enough for the processor's conversion instructions, small enough for the stack.
const BLOCK: usize = 512;

impl Coding for Half {
    fn encoded_len(&self, layout: &Layout) -> u64 {
        layout.len() as u64 * 2
    }

    fn encode(&self, _: &Layout, params: &[f32], _: &mut Choice<'_>, out: &mut Vec<u8>) {
        let (mut clamped, mut halves) = ([0.0f32; BLOCK], [f16::ZERO; BLOCK]);
        for block in params.chunks(BLOCK) {
            let (clamped, halves) = (&mut clamped[..block.len()], &mut halves[..block.len()]);
            clamped.iter_mut().zip(block).for_each(|(to, from)| *to = from.clamp(-MOST, MOST));
            halves.convert_from_f32_slice(clamped);
            out.extend(halves.iter().flat_map(|half| half.to_le_bytes()));
        }
    }

    fn is_sound(&self, _: &Layout, body: &[u8]) -> bool {
        body.as_chunks().0.iter().all(|bytes| u16::from_le_bytes(*bytes) & 0x7c00 != 0x7c00)
    }

    fn read(&self, _: &Layout, body: &[u8], start: usize, out: &mut [f32]) {
        let mut halves = [f16::ZERO; BLOCK];
        let bytes = body[start * 2..][..out.len() * 2].as_chunks().0;
        for (values, bytes) in out.chunks_mut(BLOCK).zip(bytes.chunks(BLOCK)) {
            let halves = &mut halves[..values.len()];
            halves.iter_mut().zip(bytes).for_each(|(half, bytes)| *half = f16::from_le_bytes(*bytes));
            halves.convert_to_f32_slice(values);
        }
    }
}

/// Upper half of single precision.
pub(super) struct Brain;

/// The largest finite bf16.
const MOST_BRAIN: f32 = 3.389_531_4e38;

impl Coding for Brain {
    fn encoded_len(&self, layout: &Layout) -> u64 {
        layout.len() as u64 * 2
    }

    fn encode(&self, _: &Layout, params: &[f32], _: &mut Choice<'_>, out: &mut Vec<u8>) {
        let brain = |value: &f32| bf16::from_f32(value.clamp(-MOST_BRAIN, MOST_BRAIN));
        out.extend(params.iter().flat_map(|value| brain(value).to_le_bytes()));
    }

    fn is_sound(&self, _: &Layout, body: &[u8]) -> bool {
        body.as_chunks().0.iter().all(|bytes| u16::from_le_bytes(*bytes) & 0x7f80 != 0x7f80)
    }

    fn read(&self, _: &Layout, body: &[u8], start: usize, out: &mut [f32]) {
        let bytes = body[start * 2..][..out.len() * 2].as_chunks().0;
        for (value, bytes) in out.iter_mut().zip(bytes) {
            *value = f32::from_bits(u32::from(u16::from_le_bytes(*bytes)) << 16);
        }
    }
}
