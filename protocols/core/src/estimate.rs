//! What one peer can say of the whole network from gossip alone: how many peers there are, how far their models are
//! from the mean of all models, and whether they have converged, still move, or have split.
//!
//! Everything here lives on what a peer pulls anyway each round, the models of a handful of uniformly drawn peers, and
//! on a few numbers that travel with them: [`DEFAULT_VALUES`] `f32` of a [`SizeSketch`] (256 bytes) and one `f64` of a
//! [`Disagreement`]. Memory is bounded, whatever comes in. No estimate is proof: each documents its error, measured by
//! the seeded simulations in [`trial`], and what a single Byzantine peer can do to it. [`Observer`] puts them together
//! for one peer.

mod disagreement;
mod observer;
mod recent_draws;
mod size;
pub mod trial;
mod verdict;

pub use disagreement::{CLIP, Disagreement, MAX_SQUARED, squared_distance};
pub use observer::{Estimate, EstimateReport, Observer, RoundObservation};
pub use recent_draws::{MAX_PEERS, RecentDraws};
pub use size::{
    AGREE, DEFAULT_VALUES, EPOCH_ROUNDS, MATURE_ROUNDS, MAX_EPOCH, MAX_VALUES, MIN_VALUES, SETTLE_ROUNDS, SizeEstimate,
    SizeEstimator, SizeSketch, VALUE_RANGE,
};
pub use verdict::{RoundSeen, Verdict, VerdictConfig, VerdictTracker};

/// Why an input to an estimate is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EstimateError {
    /// A sketch with too few or too many values.
    #[error("a size sketch has {MIN_VALUES} to {MAX_VALUES} values, not {got}")]
    Length {
        /// Values it has.
        got: usize,
    },
    /// Sketches of different lengths do not merge.
    #[error("a sketch of {got} values does not merge into one of {expected}")]
    Mismatch {
        /// Values of the own sketch.
        expected: usize,
        /// Values of the other sketch.
        got: usize,
    },
    /// A value that no honest peer draws: not finite, not positive, or out of [`VALUE_RANGE`].
    #[error("value {index} of a size sketch is out of range")]
    Value {
        /// Its place.
        index: usize,
    },
    /// Sketches of different epochs do not merge.
    #[error("a sketch of another epoch does not merge")]
    Epoch,
    /// An epoch over [`MAX_EPOCH`].
    #[error("an epoch is at most {MAX_EPOCH}")]
    EpochTooHigh,
    /// An own measurement or setting that is not finite, is negative or is outside its range.
    #[error("{what} is out of range")]
    Range {
        /// What it was.
        what: &'static str,
    },
}
