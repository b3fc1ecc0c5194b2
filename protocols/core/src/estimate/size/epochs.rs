//! Epochs: when a sketch starts anew, and whom to believe about it.

use std::collections::VecDeque;

use super::{MAX_EPOCH, SizeSketch};
use crate::estimate::{EstimateError, RecentDraws};
use crate::id::PeerId;

/// Rounds of its own after which a peer opens the next epoch, unless another did before.
pub const EPOCH_ROUNDS: u32 = 32;
/// Rounds after which a peer follows a single other one into the next epoch.
pub const MATURE_ROUNDS: u32 = 16;
/// Rounds after which the minima of everyone have arrived: with four pulls a round, 10 000 peers need 9.
pub const SETTLE_ROUNDS: u32 = 12;
/// Different peers that must speak of a later epoch before this one follows out of turn or further than one step.
pub const AGREE: usize = 3;
/// Peers whose claims of a later epoch are remembered; the oldest is forgotten first.
const CLAIMS: usize = 8;

/// What is known of the network's size.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SizeEstimate {
    /// Number of peers, this one included: the sketch's estimate, no more than `most`.
    pub peers: f64,
    /// What the sketch says, which a Byzantine peer can raise.
    pub sketch: f64,
    /// Most peers that the own draws leave credible, which a Byzantine peer cannot change; `None` while they are too
    /// few.
    pub most: Option<f64>,
}

impl SizeEstimate {
    /// Whether the sketch is not believed: someone lies, the network just grew, or the draws are not uniform.
    pub fn is_capped(&self) -> bool {
        self.peers < self.sketch
    }
}

/// The number of peers over time: a sketch an epoch, the answer of the last settled one, and the own draws as a check.
///
/// Without Byzantine peers the relative error is that of the sketch, `1 / sqrt(values - 2)`, and departures show within
/// two epochs (64 rounds). A single Byzantine peer can raise the estimate up to `most`: after 512 draws 1.2 times the
/// truth up to 100 peers, 1.4 (at worst 2) times at 1000, mostly below 4 times at 10 000; without `most` it is
/// unbounded. A single Byzantine peer can shorten epochs to [`MATURE_ROUNDS`], which are still longer than
/// [`SETTLE_ROUNDS`], and can move nobody by more than one epoch, but for a peer that has drawn nobody but the
/// Byzantine peer in its first [`MATURE_ROUNDS`]; [`AGREE`] Byzantine peers can move everyone.
#[derive(Debug, Clone)]
pub struct SizeEstimator {
    me: PeerId,
    sketch: SizeSketch,
    /// Rounds closed in this epoch.
    rounds: u32,
    settled: Option<f64>,
    claims: VecDeque<(PeerId, u64)>,
    recent_draws: RecentDraws,
}

impl SizeEstimator {
    /// Starts in an epoch, 0 when none is known, with `values` numbers a sketch.
    ///
    /// # Errors
    ///
    /// As [`SizeSketch::of`].
    pub fn new(me: PeerId, epoch: u64, values: usize) -> Result<Self, EstimateError> {
        let sketch = SizeSketch::of(&me, epoch, values)?;
        Ok(Self { me, sketch, rounds: 0, settled: None, claims: VecDeque::new(), recent_draws: RecentDraws::default() })
    }

    /// The sketch to send along.
    pub fn sketch(&self) -> &SizeSketch {
        &self.sketch
    }

    /// Takes in that this peer drew another one at random, whether or not its model then arrived.
    pub fn drew(&mut self, peer: PeerId) {
        self.recent_draws.drew(peer);
    }

    /// Takes in the sketch of a peer. A sketch of a former epoch is ignored; one of a later epoch moves this peer there
    /// when it may (see [`SizeEstimator`]) and is remembered as a claim otherwise.
    ///
    /// # Errors
    ///
    /// [`EstimateError::Mismatch`] for a sketch of another length; nothing changes then.
    pub fn receive(&mut self, from: PeerId, heard: &SizeSketch) -> Result<(), EstimateError> {
        let (expected, got) = (self.sketch.minima().len(), heard.minima().len());
        if expected != got {
            return Err(EstimateError::Mismatch { expected, got });
        }
        if from == self.me {
            return Ok(());
        }
        if heard.epoch() > self.sketch.epoch() {
            self.claim(from, heard.epoch());
            self.advance(self.reachable())?;
        }
        if heard.epoch() == self.sketch.epoch() { self.sketch.merge(heard) } else { Ok(()) }
    }

    /// Counts a round; the last of an epoch opens the next one.
    pub fn close_round(&mut self) {
        self.rounds = self.rounds.saturating_add(1);
        let next = (self.sketch.epoch() + 1).min(MAX_EPOCH);
        if self.rounds >= EPOCH_ROUNDS {
            // Cannot fail: the length was checked at the start and the epoch just now.
            let _ = self.advance(next);
        }
    }

    /// The number of peers; `None` before the first sketch has settled.
    pub fn estimate(&self) -> Option<SizeEstimate> {
        let current = (self.rounds >= SETTLE_ROUNDS).then(|| self.sketch.estimate());
        let sketch = current.or(self.settled)?;
        let most = self.recent_draws.most();
        Some(SizeEstimate { peers: most.map_or(sketch, |most| sketch.min(most)), sketch, most })
    }

    fn claim(&mut self, from: PeerId, epoch: u64) {
        self.claims.retain(|(peer, _)| *peer != from);
        if self.claims.len() == CLAIMS {
            self.claims.pop_front();
        }
        self.claims.push_back((from, epoch));
    }

    /// The epoch this peer may move to, given the claims: its own if none.
    fn reachable(&self) -> u64 {
        let mut epochs: Vec<u64> = self.claims.iter().map(|(_, epoch)| *epoch).collect();
        epochs.sort_unstable_by(|a, b| b.cmp(a));
        let (own, is_mature) = (self.sketch.epoch(), self.rounds >= MATURE_ROUNDS);
        // Where fewer than AGREE others exist, AGREE would never agree.
        let needed = if is_mature { self.recent_draws.distinct().clamp(1, AGREE) } else { AGREE };
        let agreed = epochs.get(needed - 1).copied().unwrap_or(own);
        let step = if is_mature && !epochs.is_empty() { own + 1 } else { own };
        agreed.max(step)
    }

    fn advance(&mut self, epoch: u64) -> Result<(), EstimateError> {
        if epoch <= self.sketch.epoch() {
            return Ok(());
        }
        let fresh = SizeSketch::of(&self.me, epoch, self.sketch.minima().len())?;
        if self.rounds >= SETTLE_ROUNDS {
            self.settled = Some(self.sketch.estimate());
        }
        self.sketch = fresh;
        self.rounds = 0;
        self.claims.retain(|(_, claimed)| *claimed > epoch);
        Ok(())
    }
}
