//! The number of peers, by the smallest of many exponential draws.
//!
//! Every peer draws `k` exponential numbers of mean 1; gossip keeps the minimum of each coordinate, which reaches
//! everyone in `O(log n)` rounds and does not care about repeats. The minimum of `n` such draws is exponential with
//! mean `1 / n`, so that `(k - 1) / sum` of the minima estimates `n` without bias and with relative error `1 / sqrt(k -
//! 2)`: 13 % for 64 values, 6 % for 256 (Mosk-Aoyama and Shah 2006; Baquero, Almeida and Menezes 2009, extrema
//! propagation).
//!
//! A minimum never rises, so a departed peer would be counted for ever: [`SizeEstimator`] starts anew every epoch.

mod epochs;
#[cfg(test)]
mod tests;

use std::ops::RangeInclusive;

pub use epochs::{AGREE, EPOCH_ROUNDS, MATURE_ROUNDS, SETTLE_ROUNDS, SizeEstimate, SizeEstimator};

use super::EstimateError;
use crate::id::PeerId;

/// Fewest values of a sketch: the error is defined from three on, and below 40 % from eight on.
pub const MIN_VALUES: usize = 8;
/// Values of a sketch unless told otherwise: 256 bytes for an error of 13 %.
pub const DEFAULT_VALUES: usize = 64;
/// Most values of a sketch: 1 KiB for an error of 6 %.
pub const MAX_VALUES: usize = 256;
/// Highest epoch. One a second lasts nine million years.
pub const MAX_EPOCH: u64 = 1 << 48;
/// What a value may be. 53 random bits give at most 37.5; among a million peers with 64 values each, one draw in 15 000
/// epochs would be below the lower end, and is raised to it.
pub const VALUE_RANGE: RangeInclusive<f32> = 1e-12..=40.0;

/// The smallest draws of all peers heard of in one epoch.
///
/// A peer's draws follow from its id and the epoch, so that drawing again until they suit means making new identities.
/// A sketch does not say whose each minimum is: *a Byzantine peer can lower minima and so raise the estimate*, up to
/// the bound that [`super::RecentDraws::most`] sets; it cannot lower the estimate, as nothing raises a minimum.
#[derive(Debug, Clone, PartialEq)]
pub struct SizeSketch {
    epoch: u64,
    minima: Vec<f32>,
}

impl SizeSketch {
    /// The draws of one peer alone. Shapes: `values` numbers.
    ///
    /// # Errors
    ///
    /// [`EstimateError::Length`] unless `values` is from [`MIN_VALUES`] to [`MAX_VALUES`];
    /// [`EstimateError::EpochTooHigh`].
    pub fn of(peer: &PeerId, epoch: u64, values: usize) -> Result<Self, EstimateError> {
        check_size(epoch, values)?;
        Ok(Self { epoch, minima: draws(peer, epoch, values) })
    }

    /// A sketch as it came from a stranger. Shapes: `minima: [values]`.
    ///
    /// # Errors
    ///
    /// As [`SizeSketch::of`], and [`EstimateError::Value`] for a value outside [`VALUE_RANGE`].
    pub fn from_parts(epoch: u64, minima: Vec<f32>) -> Result<Self, EstimateError> {
        check_size(epoch, minima.len())?;
        match minima.iter().position(|value| !VALUE_RANGE.contains(value)) {
            Some(index) => Err(EstimateError::Value { index }),
            None => Ok(Self { epoch, minima }),
        }
    }

    /// Its epoch.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The minima, to be sent. Shapes: `[values]`.
    pub fn minima(&self) -> &[f32] {
        &self.minima
    }

    /// Takes the smaller value of each coordinate; in any order and any number of times with the same end.
    ///
    /// # Errors
    ///
    /// [`EstimateError::Epoch`] or [`EstimateError::Mismatch`]; the sketch then stays as it was.
    pub fn merge(&mut self, other: &Self) -> Result<(), EstimateError> {
        if other.epoch != self.epoch {
            return Err(EstimateError::Epoch);
        }
        if other.minima.len() != self.minima.len() {
            return Err(EstimateError::Mismatch { expected: self.minima.len(), got: other.minima.len() });
        }
        for (own, other) in self.minima.iter_mut().zip(&other.minima) {
            *own = own.min(*other);
        }
        Ok(())
    }

    /// Peers whose draws are in the sketch, with relative error `1 / sqrt(values - 2)` (root mean square); at least 1.
    pub fn estimate(&self) -> f64 {
        let sum: f64 = self.minima.iter().map(|value| f64::from(*value)).sum();
        ((self.minima.len() as f64 - 1.0) / sum).max(1.0)
    }
}

fn check_size(epoch: u64, values: usize) -> Result<(), EstimateError> {
    if !(MIN_VALUES..=MAX_VALUES).contains(&values) {
        return Err(EstimateError::Length { got: values });
    }
    if epoch > MAX_EPOCH {
        return Err(EstimateError::EpochTooHigh);
    }
    Ok(())
}

/// The values of a peer in an epoch, by inversion of 53 uniform bits each.
fn draws(peer: &PeerId, epoch: u64, values: usize) -> Vec<f32> {
    let mut hasher = blake3::Hasher::new_derive_key("peerlearn size sketch 1");
    hasher.update(peer.as_bytes()).update(&epoch.to_le_bytes());
    let mut reader = hasher.finalize_xof();
    let draw = |_| {
        let mut bytes = [0; 8];
        reader.fill(&mut bytes);
        let uniform = ((u64::from_le_bytes(bytes) >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
        (-uniform.ln() as f32).clamp(*VALUE_RANGE.start(), *VALUE_RANGE.end())
    };
    (0..values).map(draw).collect()
}
