//! The parameters that changed most, with their positions.
//!
//! ```text
//! positions: count x u32, ascending     scales     count bytes
//! ```

use std::cmp::Reverse;

use super::int8::{grouped_len, grouped_value, quantize_groups, scales_are_sound};
use super::{Choice, Coding};
use crate::params::Layout;

pub(super) struct TopK {
    pub permille: u16,
}

/// Values sent of `len` parameters, at least one.
pub(crate) fn count(len: usize, permille: u16) -> usize {
    // The product may not fit 32 bits.
    (len as u64 * u64::from(permille)).div_ceil(1000) as usize
}

/// Fills `order` with the `count` positions at which `params` is farthest from `sent`, ascending.
///
/// Costs a selection, O(n), and a sort of what is kept. Of equal changes the first positions win, so that two runs
/// agree.
pub(crate) fn rank(params: &[f32], sent: &[f32], count: usize, order: &mut Vec<u32>) {
    order.clear();
    order.extend(0..params.len() as u32);
    let change = |&at: &u32| Reverse(((params[at as usize] - sent[at as usize]).abs().to_bits(), Reverse(at)));
    if count < order.len() {
        order.select_nth_unstable_by_key(count - 1, change);
        order.truncate(count);
    }
    order.sort_unstable();
}

fn position(body: &[u8], index: usize) -> usize {
    u32::from_le_bytes([0, 1, 2, 3].map(|n| body[index * 4 + n])) as usize
}

impl TopK {
    fn count(&self, layout: &Layout) -> usize {
        count(layout.len(), self.permille)
    }
}

impl Coding for TopK {
    fn encoded_len(&self, layout: &Layout) -> u64 {
        let count = self.count(layout);
        count as u64 * 4 + grouped_len(count)
    }

    fn encode(&self, layout: &Layout, params: &[f32], choice: &mut Choice<'_>, out: &mut Vec<u8>) {
        let mut own = Vec::new();
        // Without a memory of what was sent, the largest parameters are the best guess.
        let positions = if choice.positions.len() == self.count(layout) {
            choice.positions
        } else {
            rank(params, &vec![0.0; params.len()], self.count(layout), &mut own);
            &own
        };
        let values: Vec<f32> = positions.iter().map(|&at| params[at as usize]).collect();
        out.extend(positions.iter().flat_map(|at| at.to_le_bytes()));
        quantize_groups(&values, choice.dither.as_deref_mut(), out);
    }

    fn is_sound(&self, layout: &Layout, body: &[u8]) -> bool {
        let count = self.count(layout);
        let ascending = (1..count).all(|index| position(body, index - 1) < position(body, index));
        ascending && position(body, count - 1) < layout.len() && scales_are_sound(&body[count * 4..body.len() - count])
    }

    fn read(&self, layout: &Layout, body: &[u8], start: usize, out: &mut [f32]) {
        let count = self.count(layout);
        out.fill(f32::NAN);
        let mut index = first_at_least(body, count, start);
        while index < count && position(body, index) < start + out.len() {
            // A strange body that was not checked may name a position below `start`; it is passed over.
            if let Some(at) = position(body, index).checked_sub(start) {
                out[at] = grouped_value(&body[count * 4..], count, index);
            }
            index += 1;
        }
    }
}

/// The first index whose position is at least `start`.
fn first_at_least(body: &[u8], count: usize, start: usize) -> usize {
    let (mut low, mut high) = (0, count);
    while low < high {
        let middle = low + (high - low) / 2;
        if position(body, middle) < start {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}
