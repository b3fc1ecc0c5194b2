//! Trials of the number of peers.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::{partners, peer};
use crate::estimate::{EstimateError, SETTLE_ROUNDS, SizeEstimate, SizeEstimator, SizeSketch, VALUE_RANGE};

/// The relative error of the sketch at peer 0 of `peers` after [`SETTLE_ROUNDS`] rounds, signed: 0.1 is 10 % too many.
///
/// # Errors
///
/// As [`SizeSketch::of`].
pub fn size_error(peers: usize, values: usize, seed: u64) -> Result<f64, EstimateError> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut sketches = fresh(peers, values, seed)?;
    for _ in 0..SETTLE_ROUNDS {
        sketches = gossip(&sketches, &mut rng)?;
    }
    Ok(sketches[0].estimate() / peers as f64 - 1.0)
}

/// Rounds until every peer of `peers` has every minimum.
///
/// # Errors
///
/// As [`SizeSketch::of`].
pub fn rounds_to_settle(peers: usize, values: usize, seed: u64) -> Result<u32, EstimateError> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut sketches = fresh(peers, values, seed)?;
    let mut end = sketches[0].clone();
    sketches.iter().try_for_each(|sketch| end.merge(sketch))?;
    let mut rounds = 0;
    while sketches.iter().any(|sketch| *sketch != end) {
        sketches = gossip(&sketches, &mut rng)?;
        rounds += 1;
    }
    Ok(rounds)
}

/// The draws of all peers; the seed is the epoch, so that seeds differ in the draws too.
fn fresh(peers: usize, values: usize, seed: u64) -> Result<Vec<SizeSketch>, EstimateError> {
    (0..peers).map(|index| SizeSketch::of(&peer(index), seed, values)).collect()
}

fn gossip(sketches: &[SizeSketch], rng: &mut ChaCha8Rng) -> Result<Vec<SizeSketch>, EstimateError> {
    let pull = |(own, sketch): (usize, &SizeSketch)| {
        let mut sketch = sketch.clone();
        partners(own, sketches.len(), rng).iter().try_for_each(|other| sketch.merge(&sketches[*other]))?;
        Ok(sketch)
    };
    sketches.iter().enumerate().map(pull).collect()
}

/// What all peers estimate after `rounds` in a network of which all but `stay` peers left after half of them. Peers
/// start in epoch 0, but for every tenth, which starts at 50.
///
/// # Errors
///
/// As [`SizeEstimator::new`].
pub fn churn(
    peers: usize,
    stay: usize,
    rounds: u32,
    seed: u64,
) -> Result<(Vec<SizeEstimate>, Vec<SizeEstimate>), EstimateError> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let start = |index| SizeEstimator::new(peer(index), if index % 10 == 9 { 50 } else { 0 }, 64);
    let mut all: Vec<SizeEstimator> = (0..peers).map(start).collect::<Result<_, _>>()?;
    (0..rounds / 2).try_for_each(|_| round(&mut all, None, &mut rng))?;
    let before = all.iter().filter_map(SizeEstimator::estimate).collect();
    all.truncate(stay);
    (0..rounds / 2).try_for_each(|_| round(&mut all, None, &mut rng))?;
    Ok((before, all.iter().filter_map(SizeEstimator::estimate).collect()))
}

/// What the honest peers estimate after `rounds` when the last peer always claims the smallest values that pass.
///
/// # Errors
///
/// As [`SizeEstimator::new`].
pub fn size_with_byzantine_peer(peers: usize, rounds: u32, seed: u64) -> Result<Vec<SizeEstimate>, EstimateError> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let start = |index| SizeEstimator::new(peer(index), 0, 64);
    let mut all: Vec<SizeEstimator> = (0..peers).map(start).collect::<Result<_, _>>()?;
    (0..rounds).try_for_each(|_| round(&mut all, Some(peers - 1), &mut rng))?;
    all.pop();
    Ok(all.iter().filter_map(SizeEstimator::estimate).collect())
}

/// One round of everyone; a Byzantine peer sends the smallest values, and of the next epoch.
fn round(all: &mut [SizeEstimator], byzantine: Option<usize>, rng: &mut ChaCha8Rng) -> Result<(), EstimateError> {
    let mut sent: Vec<SizeSketch> = all.iter().map(|estimator| estimator.sketch().clone()).collect();
    if let Some(sketch) = byzantine.and_then(|byzantine| sent.get_mut(byzantine)) {
        *sketch = SizeSketch::from_parts(sketch.epoch() + 1, vec![*VALUE_RANGE.start(); sketch.minima().len()])?;
    }
    let peers = all.len();
    for (own, estimator) in all.iter_mut().enumerate() {
        for other in partners(own, peers, rng) {
            estimator.drew(peer(other));
            estimator.receive(peer(other), &sent[other])?;
        }
        estimator.close_round();
    }
    Ok(())
}
