//! The invariants, each a predicate used by tests, simulations and running nodes.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::params::check_finite;

/// An invariant that a running peer checks. One that does not hold is counted in its status and said in a warning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Invariant {
    /// [`no_overreach`], in every mix whose weights are not masses.
    NoOverreach,
    /// [`finite`], after every mix.
    Finite,
    /// [`bounded`], of the tables of a peer, at the end of every round.
    Bounded,
    /// [`mass_kept`] after every mix under push-sum; under `pair`, that no session hangs half settled.
    MeanKept,
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoOverreach => "no overreach",
            Self::Finite => "finite",
            Self::Bounded => "bounded",
            Self::MeanKept => "mean kept",
        })
    }
}

/// *No overreach*: with `n` weights given to others, none exceeds `1 / (n + 1)` (but for the rounding of one division),
/// and together they leave the own model its share.
pub fn no_overreach(weights: &[f32]) -> bool {
    let most = 1.0 / (weights.len() as f32 + 1.0);
    let slack = 1.0 + 4.0 * f32::EPSILON;
    weights.iter().all(|&weight| (0.0..=most * slack).contains(&weight))
}

/// *Finite*: no NaN, no infinity.
pub fn finite(params: &[f32]) -> bool {
    check_finite(params).is_ok()
}

/// *Bounded*: a table or queue of `length` entries is within its limit.
pub fn bounded(length: usize, limit: usize) -> bool {
    length <= limit
}

/// *Mean kept*, under push-sum: after a mix a peer holds the mass that it held before and that of the models it mixed
/// in, and nothing else. If every peer's mass is kept, so is the weighted mean of all models.
pub fn mass_kept(before: u64, mixed: impl IntoIterator<Item = u64>, after: u64) -> bool {
    mixed.into_iter().fold(before, u64::saturating_add) == after
}

/// *Mean kept*, in a symmetric exchange: what one side's parameter moves by, the other's moves back by, but for the
/// rounding of the additions.
pub fn moves_cancel(one: f32, other: f32) -> bool {
    (one + other).abs() <= 4.0 * f32::EPSILON * one.abs().max(other.abs())
}

/// *Progress*: no peer is there for longer than `bound` without closing a round.
pub fn progress(longest_wait: Duration, bound: Duration) -> bool {
    longest_wait <= bound
}

/// *Nothing lost*: after a restart a peer is at or past the last round it called committed.
pub fn resumes_from(committed: Option<u64>, resumed: Option<u64>) -> bool {
    resumed >= committed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn predicates_can_fail() {
        assert!(no_overreach(&[0.5]) && !no_overreach(&[0.51]) && !no_overreach(&[f32::NAN]));
        assert!(finite(&[1.0]) && !finite(&[f32::NAN]));
        assert!(bounded(3, 3) && !bounded(4, 3));
        assert!(mass_kept(5, [2, 1], 8) && !mass_kept(5, [2, 1], 7));
        assert!(moves_cancel(0.5, -0.5) && moves_cancel(0.0, 0.0) && !moves_cancel(0.5, -0.4));
        assert!(resumes_from(None, None) && resumes_from(Some(3), Some(3)) && !resumes_from(Some(3), None));
    }
}
