use proptest::prelude::*;

use super::*;
use crate::estimate::trial::{DisagreementError, disagreement_error};

/// The mean error over seeds.
fn error(peers: usize, parameters: usize, has_byzantine_peer: bool) -> DisagreementError {
    let runs = (0..5).map(|seed| disagreement_error(peers, parameters, 60, has_byzantine_peer, seed));
    let (alone, shared) = runs.fold((0.0, 0.0), |sum, run| (sum.0 + run.alone, sum.1 + run.shared));
    DisagreementError { alone: alone / 5.0, shared: shared / 5.0 }
}

#[test]
fn two_peers_by_hand() {
    // Models 0 and 2: mean 1, distance to it 1.
    let mut disagreement = Disagreement::default();
    assert_eq!(disagreement.rms(), None);
    assert_eq!(disagreement.observe(&[squared_distance(&[0.0], &[2.0]).unwrap()]), 1);
    assert!((disagreement.rms_among(2.0).unwrap() - 1.0).abs() < 1e-12);
    assert!((disagreement.rms().unwrap() - 2.0_f64.sqrt()).abs() < 1e-12);
    assert!((disagreement.relative(2.0).unwrap() - 0.5_f64.sqrt()).abs() < 1e-12);
}

#[test]
fn error_is_as_documented() {
    for peers in [10, 100, 1000] {
        for (parameters, alone, shared) in [(1, 0.36, 0.12), (32, 0.08, 0.025), (256, 0.04, 0.025)] {
            let error = error(peers, parameters, false);
            assert!(error.alone < alone && error.shared < shared, "{peers} x {parameters}: {error:?}");
        }
    }
}

#[test]
fn a_liar_moves_it_by_as_much_as_documented() {
    for (peers, most) in [(10, 0.9), (100, 0.12), (1000, 0.025)] {
        let error = error(peers, 32, true);
        assert!(error.shared < most, "{peers}: {error:?}");
    }
}

#[test]
fn it_follows_a_fall() {
    let mut disagreement = Disagreement::default();
    (0..20).for_each(|_| assert_eq!(disagreement.observe(&[100.0; 4]), 4));
    (0..40).for_each(|_| assert_eq!(disagreement.observe(&[1.0; 4]), 4));
    assert!((disagreement.rms().unwrap() - 0.5_f64.sqrt()).abs() < 0.01);
}

#[test]
fn bad_numbers_are_left_out() {
    let mut disagreement = Disagreement::default();
    assert_eq!(disagreement.hear(&[1.0]), 0);
    assert_eq!(disagreement.observe(&[f64::NAN, f64::INFINITY, -1.0, 1e91]), 0);
    assert_eq!(disagreement.share(), None);
    assert_eq!(disagreement.observe(&[2.0; 100]), MOST);
    assert_eq!(disagreement.hear(&[f64::NAN, -1.0, 2.0]), 1);
    assert!((disagreement.rms().unwrap() - 1.0).abs() < 1e-12);
    assert_eq!(squared_distance(&[1.0], &[1.0, 2.0]), None);
    assert_eq!(squared_distance(&[f32::NAN], &[1.0]), None);
    assert!(squared_distance(&[f32::MAX; 100], &[-f32::MAX; 100]).is_some());
    assert_eq!(disagreement.relative(0.0), None);
    assert_eq!(disagreement.relative(f64::NAN), None);
    assert_eq!(disagreement.rms_among(f64::NAN), None);
    for smoothing in [0.0, -0.1, 1.1, f64::NAN] {
        assert!(Disagreement::new(smoothing).is_err());
    }
    assert!(Disagreement::new(1.0).is_ok());
}

proptest! {
    #[test]
    fn whatever_comes_the_answer_is_finite(
        rounds in prop::collection::vec(prop::collection::vec(any::<f64>(), 0..6), 0..40),
    ) {
        let mut disagreement = Disagreement::default();
        for numbers in rounds {
            disagreement.observe(&numbers);
            disagreement.hear(&numbers);
            prop_assert!(disagreement.recent.len() <= WINDOW);
            prop_assert!(disagreement.rms().is_none_or(|rms| rms.is_finite() && rms >= 0.0));
        }
    }

    #[test]
    fn equal_pairs_give_their_distance(squared in 0.0..1e6_f64, rounds in 1..20) {
        let mut disagreement = Disagreement::default();
        for _ in 0..rounds {
            disagreement.observe(&[squared; 4]);
            disagreement.hear(&[squared; 4]);
        }
        prop_assert!((disagreement.share().unwrap() - squared).abs() <= 1e-9 * squared);
    }
}
