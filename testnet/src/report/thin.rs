//! What is left out so that a page stays small.

use serde::Serialize;

/// Limits of one page; they hold for all seeds together, so a run with more seeds shows each in less detail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Thinning {
    /// Samples of the whole network: every k-th, and the last. A screen has no more columns.
    pub samples: usize,
    /// Points of the curves of single peers: every k-th of each peer, and the last.
    pub points: usize,
    /// Pairs and moments of "who mixed whom": moments are widened until they fit.
    pub mixes: usize,
    /// Times a connection was up; further ones are left out.
    pub links: usize,
    /// Faults; further ones are left out.
    pub faults: usize,
    /// Peers with a row of their own in "who mixed whom"; beyond that neighbours share one.
    pub cells: usize,
}

impl Thinning {
    /// About 4 MB of JSON at the most: a number takes 5 to 9 bytes.
    pub const fn page(seeds: usize) -> Self {
        let seeds = if seeds == 0 { 1 } else { seeds };
        Self {
            samples: floor(6_000 / seeds, 100),
            points: 60_000 / seeds,
            mixes: 160_000 / seeds,
            links: 60_000 / seeds,
            faults: floor(2_000 / seeds, 50),
            cells: 120,
        }
    }
}

const fn floor(value: usize, least: usize) -> usize {
    let most = 800;
    if value < least {
        least
    } else if value > most {
        most
    } else {
        value
    }
}

/// Indices of at most `most` of `count` items at equal steps; the last is always among them.
pub(super) fn picked(count: usize, most: usize) -> impl Iterator<Item = usize> {
    let step = count.div_ceil(most.max(2) - 1).max(1);
    let last = count.checked_sub(1);
    (0..count).filter(move |index| index.is_multiple_of(step) || Some(*index) == last)
}

/// A number with five significant digits, enough for any screen.
pub(super) fn brief(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return value;
    }
    let digits = 4 - value.abs().log10().floor() as i32;
    let scale = 10f64.powi(digits);
    if digits > 0 && scale.is_finite() { (value * scale).round() / scale } else { value }
}
