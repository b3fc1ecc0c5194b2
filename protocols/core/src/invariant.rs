//! The invariants, each a predicate used by tests, simulations and running nodes.

use std::time::Duration;

use crate::params::check_finite;

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
        assert!(resumes_from(None, None) && resumes_from(Some(3), Some(3)) && !resumes_from(Some(3), None));
    }
}
