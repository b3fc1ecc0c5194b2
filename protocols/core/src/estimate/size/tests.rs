use proptest::prelude::*;

use super::*;
use crate::estimate::trial;

fn peer(index: u8) -> PeerId {
    PeerId([index; 32])
}

fn sketch(index: u8, epoch: u64) -> SizeSketch {
    SizeSketch::of(&peer(index), epoch, DEFAULT_VALUES).unwrap()
}

fn estimator(index: u8) -> SizeEstimator {
    SizeEstimator::new(peer(index), 0, DEFAULT_VALUES).unwrap()
}

fn rounds(estimator: &mut SizeEstimator, count: u32) {
    (0..count).for_each(|_| estimator.close_round());
}

fn root_mean_square(errors: &[f64]) -> f64 {
    (errors.iter().map(|error| error * error).sum::<f64>() / errors.len() as f64).sqrt()
}

#[test]
fn draws_are_fixed_by_peer_and_epoch_and_have_mean_one() {
    assert_eq!(sketch(1, 5), sketch(1, 5));
    assert_ne!(sketch(1, 5).minima(), sketch(1, 6).minima());
    assert_ne!(sketch(1, 5).minima(), sketch(2, 5).minima());
    let all: Vec<f32> = (0..200).flat_map(|index| sketch(index, 0).minima().to_vec()).collect();
    let mean = all.iter().sum::<f32>() / all.len() as f32;
    assert!((mean - 1.0).abs() < 0.03, "{mean}");
}

#[test]
fn hostile_sketches_are_refused() {
    for bad in [f32::NAN, f32::INFINITY, 0.0, -1.0, 1e-13, 41.0] {
        let mut minima = vec![1.0; 64];
        minima[7] = bad;
        assert_eq!(SizeSketch::from_parts(0, minima), Err(EstimateError::Value { index: 7 }), "{bad}");
    }
    assert_eq!(SizeSketch::from_parts(0, vec![1.0; 7]), Err(EstimateError::Length { got: 7 }));
    assert_eq!(SizeSketch::from_parts(0, vec![1.0; 257]), Err(EstimateError::Length { got: 257 }));
    assert_eq!(SizeSketch::from_parts(MAX_EPOCH + 1, vec![1.0; 64]), Err(EstimateError::EpochTooHigh));
    let short = SizeSketch::of(&peer(2), 0, 32).unwrap();
    assert_eq!(sketch(1, 0).merge(&short), Err(EstimateError::Mismatch { expected: 64, got: 32 }));
    assert_eq!(sketch(1, 0).merge(&sketch(2, 1)), Err(EstimateError::Epoch));
    assert!(estimator(1).receive(peer(2), &short).is_err());
}

#[test]
fn relative_error_is_as_documented() {
    for (peers, seeds) in [(10, 100), (100, 60), (1000, 20)] {
        let errors: Vec<f64> = (0..seeds).map(|seed| trial::size_error(peers, 64, seed).unwrap()).collect();
        // A root mean square over so few seeds is itself uncertain by 1 / sqrt(2 seeds): three of those are allowed.
        let bound = (1.0 + 3.0 / (2.0 * seeds as f64).sqrt()) / 62.0_f64.sqrt();
        let error = root_mean_square(&errors);
        assert!(error < bound, "{peers} peers: {error} over {bound}");
    }
}

#[test]
fn minima_arrive_before_they_count() {
    for peers in [10, 100, 1000, 3000] {
        assert!(trial::rounds_to_settle(peers, 16, 1).unwrap() <= SETTLE_ROUNDS);
    }
}

#[test]
fn departures_show_and_epochs_meet() {
    let (before, after) = trial::churn(200, 50, 256, 1).unwrap();
    assert_eq!((before.len(), after.len()), (200, 50));
    for (all, truth) in [(before, 200.0), (after, 50.0)] {
        let errors: Vec<f64> = all.iter().map(|estimate| estimate.peers / truth - 1.0).collect();
        assert!(errors.iter().all(|error| error.abs() < 0.45), "{truth}: {errors:?}");
    }
}

#[test]
fn a_byzantine_peer_raises_the_estimate_to_the_cap_only() {
    for (peers, factor) in [(10, 1.3), (100, 1.2), (300, 1.4)] {
        let estimates = trial::size_with_byzantine_peer(peers, 128, 1).unwrap();
        assert_eq!(estimates.len(), peers - 1);
        for estimate in estimates {
            assert!(estimate.is_capped() && estimate.sketch > 1e9, "{estimate:?}");
            assert!((0.97..factor).contains(&(estimate.peers / peers as f64)), "{peers}: {estimate:?}");
        }
    }
}

#[test]
fn one_peer_moves_the_epoch_by_one_and_only_when_it_is_due() {
    let mut me = estimator(0);
    (1..=3).for_each(|index| me.drew(peer(index)));
    me.receive(peer(1), &sketch(1, 1_000_000)).unwrap();
    assert_eq!(me.sketch().epoch(), 0);
    rounds(&mut me, MATURE_ROUNDS);
    (0..5).for_each(|_| me.receive(peer(1), &sketch(1, 1_000_000)).unwrap());
    assert_eq!(me.sketch().epoch(), 1);
}

#[test]
fn several_peers_move_it_to_what_all_of_them_reach() {
    let mut me = estimator(0);
    for (index, epoch) in [(1, 50), (2, MAX_EPOCH), (2, MAX_EPOCH), (3, 51)] {
        assert_eq!(me.sketch().epoch(), 0);
        me.receive(peer(index), &sketch(index, epoch)).unwrap();
    }
    assert_eq!(me.sketch().epoch(), 50);
}

#[test]
fn a_pair_meets_in_one_epoch() {
    let mut me = estimator(0);
    me.drew(peer(1));
    rounds(&mut me, MATURE_ROUNDS);
    me.receive(peer(1), &sketch(1, 57)).unwrap();
    assert_eq!(me.sketch().epoch(), 57);
}

#[test]
fn the_last_answer_stands_until_the_new_one_has_settled() {
    let mut me = estimator(0);
    assert_eq!(me.estimate(), None);
    (1..20).for_each(|index| me.receive(peer(index), &sketch(index, 0)).unwrap());
    rounds(&mut me, EPOCH_ROUNDS);
    let settled = me.estimate().unwrap().sketch;
    assert!(me.sketch().epoch() == 1 && settled > 10.0);
    rounds(&mut me, SETTLE_ROUNDS - 1);
    assert_eq!(me.estimate().unwrap().sketch, settled);
    rounds(&mut me, 1);
    assert!(me.estimate().unwrap().sketch < 2.0);
    assert!(!me.estimate().unwrap().is_capped());
}

proptest! {
    #[test]
    fn order_and_repeats_do_not_matter(mut ids in prop::collection::vec(any::<u8>(), 1..20)) {
        let merged = |ids: &[u8]| {
            let mut all = sketch(ids[0], 3);
            ids.iter().for_each(|id| all.merge(&sketch(*id, 3)).unwrap());
            all
        };
        let forward = merged(&ids);
        ids.reverse();
        ids.extend(ids.clone());
        prop_assert_eq!(forward, merged(&ids));
    }

    #[test]
    fn whatever_comes_the_estimate_is_finite_and_memory_bounded(
        heard in prop::collection::vec((any::<u8>(), 0..=MAX_EPOCH, VALUE_RANGE, any::<bool>()), 0..200),
    ) {
        let mut me = estimator(0);
        for (from, epoch, value, closes) in heard {
            let before = me.sketch().epoch();
            me.drew(peer(from));
            me.receive(peer(from), &SizeSketch::from_parts(epoch, vec![value; 64]).unwrap()).unwrap();
            if closes {
                me.close_round();
            }
            prop_assert!(me.sketch().epoch() >= before && me.sketch().epoch() <= MAX_EPOCH);
            prop_assert!(me.estimate().is_none_or(|estimate| estimate.peers >= 1.0 && estimate.sketch <= 1e12));
        }
    }
}
