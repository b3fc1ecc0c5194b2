//! How many peers there are, judged by how often the same one is drawn.

use std::collections::{BTreeMap, VecDeque};

use crate::id::PeerId;

/// Draws remembered: with 10 000 peers 13 of them are repeats, which bounds the size within a factor of 4, mostly.
const WINDOW: usize = 512;
/// Sizes beyond this are not told apart.
pub const MAX_PEERS: f64 = 1e9;
/// How many standard deviations more repeats than expected are still believed to be chance.
const DEVIATIONS: f64 = 3.0;
/// Halvings of the logarithm of a range of 1e9: enough for nine digits.
const HALVINGS: u32 = 40;

/// The last 512 draws of this peer, for a size estimate that no other peer's numbers enter.
///
/// `m` uniform draws among `n` others show `n (1 - (1 - 1/n)^m)` distinct ones; solving for `n` is the classical
/// occupancy (capture-recapture) estimate. Its relative error is about `1 / sqrt(repeats)`: 30 % at 10 000 peers with a
/// full window, below 10 % up to 1000. It presumes uniform draws: a peer that draws a few favourites again and again
/// underestimates. It takes 512 draws to forget a former size.
#[derive(Debug, Clone, Default)]
pub struct RecentDraws {
    draws: VecDeque<PeerId>,
    times: BTreeMap<PeerId, u32>,
}

impl RecentDraws {
    /// Remembers a draw this peer made itself; the oldest is forgotten.
    pub fn drew(&mut self, peer: PeerId) {
        if self.draws.len() == WINDOW
            && let Some(oldest) = self.draws.pop_front()
        {
            self.forget(&oldest);
        }
        self.draws.push_back(peer);
        *self.times.entry(peer).or_insert(0) += 1;
    }

    fn forget(&mut self, peer: &PeerId) {
        if let Some(times) = self.times.get_mut(peer) {
            *times -= 1;
            if *times == 0 {
                self.times.remove(peer);
            }
        }
    }

    /// Number of different peers among the remembered draws.
    pub fn distinct(&self) -> usize {
        self.times.len()
    }

    /// Peers in the network, this one included; `None` while no peer was drawn twice.
    pub fn estimate(&self) -> Option<f64> {
        let (draws, distinct) = (self.draws.len() as f64, self.distinct() as f64);
        let enough = |others: f64| expected_distinct(others, draws) >= distinct;
        (distinct < draws).then(|| smallest(distinct, enough) + 1.0)
    }

    /// Most peers that the repeats seen leave credible, this one included (three standard deviations: one bound in a
    /// few hundred is below the truth); `None` while there are too few repeats, below three, to exclude anything up to
    /// [`MAX_PEERS`].
    pub fn most(&self) -> Option<f64> {
        let (draws, distinct) = (self.draws.len() as f64, self.distinct() as f64);
        let too_many = |others: f64| surplus(others, draws, draws - distinct) > DEVIATIONS;
        too_many(MAX_PEERS).then(|| smallest(distinct, too_many) + 1.0)
    }
}

/// Distinct peers expected in `draws` uniform draws among `others`.
fn expected_distinct(others: f64, draws: f64) -> f64 {
    -others * (draws * (-1.0 / others).ln_1p()).exp_m1()
}

/// How many standard deviations `repeats` is above what `others` peers would show, on the square root scale, on which a
/// rare count is nearly normal.
fn surplus(others: f64, draws: f64, repeats: f64) -> f64 {
    let expected = (draws - expected_distinct(others, draws)).max(f64::MIN_POSITIVE);
    let load = draws / others;
    let excess = if load < 1e-3 { load * load / 2.0 } else { load.exp_m1() - load };
    // Past a load of 100 every peer is drawn and `exp` overflows; the floor stands in there.
    let variance = if load > 100.0 { 0.0 } else { others * (-2.0 * load).exp() * excess };
    let deviation = variance.max(expected.min(0.25)).sqrt();
    2.0 * (repeats.sqrt() - expected.sqrt()) * expected.sqrt() / deviation
}

/// The smallest size from `least` to [`MAX_PEERS`] at which a condition holds that, once true, stays true.
fn smallest(least: f64, holds: impl Fn(f64) -> bool) -> f64 {
    // One other peer is always distinct 1; a size of exactly 1 makes the logarithm infinite, which is the right limit.
    let (mut low, mut high) = (least.max(1.0), MAX_PEERS);
    if holds(low) {
        return low;
    }
    for _ in 0..HALVINGS {
        let middle = (low * high).sqrt();
        if holds(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    high
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn peer(index: u64) -> PeerId {
        let mut id = [0; 32];
        id[..8].copy_from_slice(&index.to_le_bytes());
        PeerId(id)
    }

    fn drawn(others: u64, draws: usize, seed: u64) -> RecentDraws {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut recent_draws = RecentDraws::default();
        (0..draws).for_each(|_| recent_draws.drew(peer(rng.random_range(0..others))));
        recent_draws
    }

    #[test]
    fn says_nothing_before_a_repeat_and_the_truth_for_a_pair() {
        let mut recent_draws = RecentDraws::default();
        assert_eq!((recent_draws.estimate(), recent_draws.most()), (None, None));
        recent_draws.drew(peer(1));
        assert_eq!((recent_draws.estimate(), recent_draws.most()), (None, None));
        (0..600).for_each(|_| recent_draws.drew(peer(1)));
        assert!((recent_draws.estimate().unwrap() - 2.0).abs() < 0.01);
        assert!(recent_draws.most().unwrap() < 4.0, "{:?}", recent_draws.most());
    }

    #[test]
    fn the_bound_holds_and_is_not_idle() {
        for (others, width) in [(9, 1.2), (99, 1.1), (999, 1.6), (9999, 4.0)] {
            let mut most: Vec<f64> = (0..200).filter_map(|seed| drawn(others, WINDOW, seed).most()).collect();
            most.sort_unstable_by(f64::total_cmp);
            let below = most.iter().filter(|most| **most < others as f64).count();
            assert!(below <= 2, "{others}: {below} of 200 bounds are below the truth");
            let median = most[most.len() / 2];
            assert!(median < width * (others + 1) as f64, "{others}: median bound {median}");
        }
    }

    #[test]
    fn the_estimate_is_right_on_average() {
        for (others, error) in [(9, 0.01), (99, 0.02), (999, 0.1), (9999, 0.4)] {
            let square = |seed| (drawn(others, WINDOW, seed).estimate().unwrap() / (others + 1) as f64).ln().powi(2);
            let rms = ((0..100).map(square).sum::<f64>() / 100.0).sqrt();
            assert!(rms < error, "{others}: {rms}");
        }
    }

    proptest! {
        #[test]
        fn memory_is_bounded_and_answers_are_ordered(ids in prop::collection::vec(0_u64..300, 0..1500)) {
            let mut recent_draws = RecentDraws::default();
            ids.iter().for_each(|id| recent_draws.drew(peer(*id)));
            prop_assert!(recent_draws.draws.len() <= WINDOW && recent_draws.distinct() <= WINDOW);
            prop_assert_eq!(recent_draws.times.values().sum::<u32>() as usize, recent_draws.draws.len());
            if let Some(estimate) = recent_draws.estimate() {
                prop_assert!(estimate >= recent_draws.distinct() as f64);
                prop_assert!(recent_draws.most().is_none_or(|most| most >= 0.999 * estimate));
            }
        }
    }
}
