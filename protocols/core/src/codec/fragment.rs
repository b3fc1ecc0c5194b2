//! One of every P parameters, drawn from a seed.
//!
//! Parameters are taken in groups of P neighbours; a hash of seed and group number says which one of the group is sent.
//! So exactly ceil(n / P) values travel, their positions cost 8 bytes in all, and value i is that of group i.

use super::int8::{grouped_len, grouped_value, quantize_groups, scales_are_sound};
use super::{Choice, Coding};
use crate::params::Layout;

/// Bytes of the seed in front.
const SEED_BYTES: usize = 8;

pub(super) struct Fragment {
    pub parts: u16,
}

impl Fragment {
    fn count(&self, layout: &Layout) -> usize {
        layout.len().div_ceil(usize::from(self.parts))
    }

    /// The position of the value that group `group` sends.
    fn position(&self, seed: u64, group: usize, len: usize) -> usize {
        let parts = usize::from(self.parts);
        let size = parts.min(len - group * parts);
        group * parts + (mix(seed ^ group as u64) % size as u64) as usize
    }
}

/// The finalizer of SplitMix64 (Steele et al. 2014): spreads neighbouring numbers over all bits.
pub(super) fn mix(mut z: u64) -> u64 {
    z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn seed_of(body: &[u8]) -> u64 {
    u64::from_le_bytes([0, 1, 2, 3, 4, 5, 6, 7].map(|n| body[n]))
}

impl Coding for Fragment {
    fn encoded_len(&self, layout: &Layout) -> u64 {
        SEED_BYTES as u64 + grouped_len(self.count(layout))
    }

    fn encode(&self, layout: &Layout, params: &[f32], choice: &mut Choice<'_>, out: &mut Vec<u8>) {
        let position = |group| self.position(choice.seed, group, params.len());
        let values: Vec<f32> = (0..self.count(layout)).map(|group| params[position(group)]).collect();
        out.extend_from_slice(&choice.seed.to_le_bytes());
        quantize_groups(&values, choice.dither.as_deref_mut(), out);
    }

    fn is_sound(&self, layout: &Layout, body: &[u8]) -> bool {
        let count = self.count(layout);
        scales_are_sound(&body[SEED_BYTES..body.len() - count])
    }

    fn read(&self, layout: &Layout, body: &[u8], start: usize, out: &mut [f32]) {
        let (seed, count, parts) = (seed_of(body), self.count(layout), usize::from(self.parts));
        let end = start + out.len();
        out.fill(f32::NAN);
        for group in start / parts..end.div_ceil(parts) {
            let at = self.position(seed, group, layout.len());
            if (start..end).contains(&at) {
                out[at - start] = grouped_value(&body[SEED_BYTES..], count, group);
            }
        }
    }
}
