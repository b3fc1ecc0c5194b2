//! Two groups of distances, or one.

use std::collections::BTreeSet;

use super::VerdictConfig;
use crate::id::PeerId;

/// Different peers in a group: with one, a single Byzantine peer would make a group by itself.
const LEAST_PEERS: usize = 2;
/// The median of the far group is at least this multiple of that of the near group.
const APART: f64 = 1.5;

/// A draw: its distance, whose it was, whether it is in the newer half of the window.
type Draw = (f64, PeerId, bool);

/// Whether the draws, oldest first, fall into a near and a far group. Shapes: `draws: [n]`.
///
/// Every gap that leaves enough on both sides is tried, so that a wider gap further out, a Byzantine peer's, hides
/// none.
pub(super) fn are_two(draws: &[(PeerId, f64)], config: &VerdictConfig) -> bool {
    let newer = draws.len() / 2;
    let mut sorted: Vec<Draw> =
        draws.iter().enumerate().map(|(index, (peer, distance))| (*distance, *peer, index >= newer)).collect();
    sorted.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let least = ((draws.len() as f64 * config.share).ceil() as usize).max(1);
    (least..=sorted.len().saturating_sub(least)).any(|cut| {
        let (near, far) = sorted.split_at(cut);
        is_gap(near, far, config) && is_group(near) && is_group(far)
    })
}

fn is_gap(near: &[Draw], far: &[Draw], config: &VerdictConfig) -> bool {
    let (Some(last), Some(first)) = (near.last(), far.first()) else { return false };
    let width = first.0 - last.0;
    let spread = spread(near).max(spread(far));
    let (near, far) = (quantile(near, 2), quantile(far, 2));
    width > 0.0 && width >= config.gap * spread && far >= APART * near && far > config.disagreement
}

/// Whether the draws are of different peers and of both the older and the newer half.
fn is_group(draws: &[Draw]) -> bool {
    let peers: BTreeSet<PeerId> = draws.iter().map(|(_, peer, _)| *peer).collect();
    let in_half = |half| draws.iter().any(|(_, _, newer)| *newer == half);
    peers.len() >= LEAST_PEERS && in_half(false) && in_half(true)
}

/// The distance between the quartiles, which up to a quarter of outliers cannot move far.
fn spread(sorted: &[Draw]) -> f64 {
    quantile(sorted, 3) - quantile(sorted, 1)
}

/// The value at so many quarters of a sorted group that is not empty.
fn quantile(sorted: &[Draw], quarters: usize) -> f64 {
    sorted[(sorted.len() - 1) * quarters / 4].0
}
