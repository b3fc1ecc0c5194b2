use proptest::prelude::*;

use super::*;
use crate::estimate::trial::{Situation, VerdictShares, verdicts};

/// The verdicts of 60 peers in 200 rounds, over seeds.
fn shares(situation: Situation, rounds: std::ops::Range<u32>) -> VerdictShares {
    let run = |seed| verdicts(situation, 60, rounds.clone(), VerdictConfig::default(), seed).unwrap();
    let sum = (0..3)
        .map(run)
        .fold([0.0; 3], |sum, run| [sum[0] + run.converged / 3.0, sum[1] + run.moving / 3.0, sum[2] + run.split / 3.0]);
    VerdictShares { converged: sum[0], moving: sum[1], split: sum[2] }
}

fn tracker() -> VerdictTracker {
    VerdictTracker::new(VerdictConfig::default()).unwrap()
}

/// Rounds of four distances each, of these peers.
fn play(tracker: &mut VerdictTracker, rounds: u32, distances: [(u8, f64); 4]) -> Verdict {
    let distances = distances.map(|(peer, distance)| (PeerId([peer; 32]), distance));
    let seen = RoundSeen { disagreement: 0.001, movement: 0.001, distances: &distances };
    (0..rounds).map(|_| tracker.observe(seen).unwrap()).last().unwrap()
}

#[test]
fn an_averaging_network_moves_and_then_converges() {
    assert_eq!(shares(Situation::Noise(0.002), 0..40).moving, 1.0);
    let late = shares(Situation::Noise(0.002), 100..300);
    assert!(late.converged > 0.99 && late.split == 0.0, "{late:?}");
}

#[test]
fn no_split_where_there_is_none() {
    for situation in [Situation::Noise(0.05), Situation::HeavyTails] {
        let shares = shares(situation, 50..300);
        assert!(shares.split < 0.001 && shares.converged < 0.001, "{situation:?}: {shares:?}");
    }
    let drop = shares(Situation::Drop, 60..200);
    assert!(drop.split < 0.001, "{drop:?}");
}

#[test]
fn a_byzantine_peer_neither_makes_nor_hides_a_split_nor_prevents_convergence() {
    let byzantine = shares(Situation::Byzantine, 100..300);
    assert!(byzantine.split < 0.001 && byzantine.converged > 0.98, "{byzantine:?}");
    let split = shares(Situation::SplitByzantine, 100..300);
    assert!(split.split > 0.99, "{split:?}");
}

#[test]
fn splits_are_found() {
    let even = shares(Situation::Split(0.5), 100..300);
    assert!(even.split > 0.99, "{even:?}");
    let rare = shares(Situation::Split(0.1), 100..300);
    assert!(rare.split > 0.95 && rare.converged < 0.01, "{rare:?}");
}

#[test]
fn two_peers_on_either_side_make_a_split_and_one_does_not() {
    assert_eq!(play(&mut tracker(), 40, [(1, 0.01), (2, 0.011), (3, 0.5), (4, 0.51)]), Verdict::Split);
    assert_eq!(play(&mut tracker(), 40, [(1, 0.01), (2, 0.011), (3, 0.5), (3, 0.51)]), Verdict::Converged);
    assert_eq!(play(&mut tracker(), 40, [(1, 0.01), (1, 0.011), (3, 0.5), (4, 0.51)]), Verdict::Moving);
}

#[test]
fn a_split_below_the_threshold_is_none() {
    assert_eq!(play(&mut tracker(), 40, [(1, 1e-6), (2, 1e-6), (3, 1e-3), (4, 1e-3)]), Verdict::Converged);
}

#[test]
fn a_split_ends_with_the_groups() {
    let mut tracker = tracker();
    play(&mut tracker, 40, [(1, 0.01), (2, 0.011), (3, 0.5), (4, 0.51)]);
    let whole = [(1, 0.01), (2, 0.011), (3, 0.012), (4, 0.013)];
    assert_eq!(play(&mut tracker, LEAVE - 1, whole), Verdict::Split);
    assert_eq!(play(&mut tracker, 16, whole), Verdict::Converged);
}

#[test]
fn bad_numbers_are_refused() {
    let mut tracker = tracker();
    let seen = RoundSeen { disagreement: 0.001, movement: 0.001, distances: &[] };
    for bad in [f64::NAN, f64::INFINITY, -1.0] {
        assert!(tracker.observe(RoundSeen { disagreement: bad, ..seen }).is_err());
        assert!(tracker.observe(RoundSeen { movement: bad, ..seen }).is_err());
        let distances = [(PeerId([1; 32]), bad)];
        assert_eq!(tracker.observe(RoundSeen { distances: &distances, ..seen }), Ok(Verdict::Moving));
    }
    assert!(tracker.draws.is_empty() && tracker.quiet.len() == 3);
    let right = VerdictConfig::default();
    for wrong in [
        VerdictConfig { disagreement: 0.0, ..right },
        VerdictConfig { movement: f64::NAN, ..right },
        VerdictConfig { rounds: 0, ..right },
        VerdictConfig { draws: 2000, ..right },
        VerdictConfig { share: 0.6, ..right },
        VerdictConfig { gap: -1.0, ..right },
    ] {
        assert!(VerdictTracker::new(wrong).is_err(), "{wrong:?}");
    }
}

proptest! {
    #[test]
    fn memory_is_bounded_and_nothing_panics(
        rounds in prop::collection::vec(
            (any::<f64>(), any::<f64>(), prop::collection::vec((any::<u8>(), any::<f64>()), 0..100)), 0..30),
    ) {
        let mut tracker = tracker();
        for (disagreement, movement, distances) in rounds {
            let distances: Vec<_> = distances.into_iter().map(|(peer, value)| (PeerId([peer; 32]), value)).collect();
            let _ = tracker.observe(RoundSeen { disagreement, movement, distances: &distances });
            prop_assert!(tracker.draws.len() <= 64 && tracker.quiet.len() <= 32);
        }
    }
}
