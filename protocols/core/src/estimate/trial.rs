//! Seeded simulations that measure the errors this room documents. Tests assert them; the example `estimate_error`
//! prints them.
//!
//! All peers act in lockstep: each round everyone draws [`DRAWS`] others uniformly and pulls what they had at its
//! start.

mod disagreement;
mod size;
mod verdict;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

pub use disagreement::{DisagreementError, disagreement_error};
pub use size::{churn, rounds_to_settle, size_error, size_with_byzantine_peer};
pub use verdict::{Situation, VerdictShares, verdicts};

use crate::id::PeerId;

/// Partners drawn by each peer a round.
pub const DRAWS: usize = 4;

/// A peer by number.
fn peer(index: usize) -> PeerId {
    PeerId(*blake3::hash(&(index as u64).to_le_bytes()).as_bytes())
}

/// Up to [`DRAWS`] different peers of `peers`, none of them `own`.
fn partners(own: usize, peers: usize, rng: &mut ChaCha8Rng) -> Vec<usize> {
    let others = peers.saturating_sub(1);
    let drawn = rand::seq::index::sample(rng, others, DRAWS.min(others));
    drawn.into_iter().map(|other| if other >= own { other + 1 } else { other }).collect()
}

/// A normal number of mean 0 and deviation 1 (Box and Muller 1958).
fn normal(rng: &mut ChaCha8Rng) -> f64 {
    let (radius, angle): (f64, f64) = (rng.random(), rng.random());
    (-2.0 * (1.0 - radius).ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
}

/// The root of the mean of the squares; 0 of nothing.
fn root_mean_square(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0_u32), |(sum, count), value| (sum + value * value, count + 1));
    (sum / f64::from(count.max(1))).sqrt()
}
