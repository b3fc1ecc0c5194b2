use super::*;
use crate::estimate::MAX_EPOCH;

fn peer(number: u8) -> PeerId {
    PeerId([number; 32])
}

fn observer(number: u8) -> Observer {
    Observer::new(peer(number), true, VerdictConfig::default()).unwrap()
}

/// Everybody hears everybody; models are at 0, 1, 2, ... times `step`, with a norm of 10.
fn round(all: &mut [Observer], step: f64) -> Vec<Estimate> {
    let reports: Vec<EstimateReport> = all.iter().map(Observer::report).collect();
    let mut estimates = Vec::new();
    for (own, observer) in all.iter_mut().enumerate() {
        let mut squared = Vec::new();
        for (other, report) in reports.iter().enumerate().filter(|(other, _)| *other != own) {
            observer.drew(peer(other as u8));
            observer.hear(peer(other as u8), report).unwrap();
            squared.push((peer(other as u8), (step * (own as f64 - other as f64)).powi(2)));
        }
        estimates.push(observer.close(Some(&RoundObservation { squared, movement: 0.0, norm: 10.0 })));
    }
    estimates
}

#[test]
fn eight_find_out_how_many_they_are_how_far_apart_and_that_they_stand_still() {
    let mut all: Vec<Observer> = (0..8).map(observer).collect();
    let mut estimates = Vec::new();
    (0..60).for_each(|_| estimates = round(&mut all, 1.0));
    // The positions 0 to 7 are 2.29 from their mean.
    for estimate in &estimates {
        assert!((estimate.peers.unwrap() - 8.0).abs() < 3.0 * 0.13 * 8.0, "{estimate:?}");
        assert!((estimate.disagreement.unwrap() / 2.29 - 1.0).abs() < 0.3, "{estimate:?}");
        assert!((estimate.relative.unwrap() / 0.229 - 1.0).abs() < 0.3, "{estimate:?}");
        assert_eq!(estimate.verdict, Verdict::Moving, "still apart");
    }
    (0..150).for_each(|_| estimates = round(&mut all, 1e-3));
    assert!(estimates.iter().all(|estimate| estimate.verdict == Verdict::Converged), "{estimates:?}");
    assert!(estimates.iter().all(|estimate| estimate.disagreement.unwrap() < 0.01));
}

#[test]
fn one_alone_says_so_and_numbers_that_cannot_be_are_refused() {
    let mut alone = observer(1);
    for _ in 0..20 {
        alone.close(Some(&RoundObservation { norm: 1.0, ..RoundObservation::default() }));
    }
    let estimate = alone.estimate();
    assert!(estimate.peers.unwrap() < 1.5 && estimate.disagreement.is_none() && estimate.relative.is_none());
    let good = observer(2).report();
    assert!(alone.hear(peer(2), &good).is_ok());
    for bad in [
        EstimateReport { minima: vec![f32::NAN; 64], ..good.clone() },
        EstimateReport { minima: vec![0.5; 1], ..good.clone() },
        EstimateReport { minima: vec![0.5; 32], ..good.clone() },
        EstimateReport { epoch: MAX_EPOCH + 1, ..good.clone() },
    ] {
        assert!(alone.hear(peer(2), &bad).is_err(), "{bad:?}");
    }
    for norm in [0.0, f64::NAN, f64::INFINITY] {
        let seen = RoundObservation { squared: vec![(peer(2), f64::NAN), (peer(3), 1.0)], movement: f64::NAN, norm };
        let estimate = alone.close(Some(&seen));
        assert!(estimate.disagreement.unwrap().is_finite() && estimate.relative.is_none_or(f64::is_finite));
    }
}
