use peerlearn_protocols::codec::Rounding;
use peerlearn_protocols::mixing::push_sum;
use peerlearn_protocols::recipe::Training;
use peerlearn_protocols::sampling::Graph;

use super::*;
use crate::threads::on_threads;
use crate::{Averaging, Head, Initial, Mlp};

fn no_rows() -> Dataset {
    Dataset::none()
}

/// A config with a rule of its own.
fn by(rule: Rule, config: Lockstep) -> Lockstep {
    Lockstep { recipe: Recipe { rule, ..config.recipe }, ..config }
}

fn averaging(peers: usize, config: Lockstep, model: &Averaging) -> Network<'_> {
    let start = |peer| Start::new(no_rows(), model.initial(peer as u64));
    Network::new(model, config, (0..peers).map(start).collect()).unwrap()
}

fn mean_of(network: &Network<'_>) -> Vec<f32> {
    mean_model(network.honest())
}

fn distance(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>().sqrt()
}

/// *Mean kept*: exact rules keep the network's mean and reach it.
#[test]
fn symmetric_rules_keep_the_mean() {
    let model = Averaging::new(50).unwrap();
    let cases = [
        (Rule::Metropolis, Links::Graph(Graph::Ring), 600),
        (Rule::Metropolis, Links::Graph(Graph::Torus), 200),
        (Rule::Metropolis, Links::Graph(Graph::BaseK { k: 2 }), 20),
        (
            Rule::Metropolis,
            Links::metropolis(
                12,
                &[(0, 1), (1, 2), (2, 0), (2, 3), (3, 4), (4, 5), (5, 6), (6, 7), (7, 8), (8, 9), (9, 10), (10, 11)],
                1,
            ),
            3000,
        ),
        (Rule::Pair, Links::fresh(3), 300),
    ];
    for (rule, links, rounds) in cases {
        let config = by(rule, Lockstep { links: links.clone(), ..Lockstep::default() });
        let mut network = averaging(12, config, &model);
        let mean = mean_of(&network);
        for _ in 0..rounds {
            network.round().unwrap();
        }
        let moved = distance(&mean_of(&network), &mean);
        let apart = disagreement(network.honest());
        assert!(moved < 1e-4 && apart < 1e-2, "{rule} {links:?}: mean moved {moved}, models {apart} apart");
    }
}

/// Push-sum on lossy one-sided draws: the mean weighted by mass never moves, and everyone ends with it.
#[test]
fn push_sum_ends_with_the_exact_mean_under_loss() {
    let model = Averaging::new(50).unwrap();
    let config = by(Rule::PushSum, Lockstep { links: Links::fresh(2), loss: 0.3, ..Lockstep::default() });
    let mut network = averaging(16, config, &model);
    let mean = mean_of(&network);
    for _ in 0..120 {
        network.round().unwrap();
        let mass: u64 = network.workers.iter().map(|worker| worker.mass).sum();
        assert_eq!(mass, 16 * push_sum::UNIT);
    }
    for params in network.honest() {
        assert!(distance(params, &mean) < 1e-3, "{}", distance(params, &mean));
    }
    // One-sided uniform draws agree too, but on another point.
    let config = Lockstep { links: Links::fresh(2), loss: 0.3, ..Lockstep::default() };
    let mut network = averaging(16, config, &model);
    (0..120).for_each(|_| network.round().unwrap());
    assert!(disagreement(network.honest()) < 1e-3);
    assert!(distance(&mean_of(&network), &mean) > 0.05);
}

/// One-sided draws keep the mean in expectation: over many seeds it wanders around the start.
#[test]
fn fresh_draws_keep_the_mean_in_expectation() {
    let model = Averaging::new(1).unwrap();
    let (mut sum, mut squares) = (0.0f64, 0.0f64);
    let seeds = 400;
    for seed in 0..seeds {
        let config = Lockstep { links: Links::fresh(2), seed, ..Lockstep::default() };
        let mut network = averaging(10, config, &model);
        let before = f64::from(mean_of(&network)[0]);
        (0..20).for_each(|_| network.round().unwrap());
        let moved = f64::from(mean_of(&network)[0]) - before;
        (sum, squares) = (sum + moved, squares + moved * moved);
    }
    let (mean, deviation) = (sum / seeds as f64, (squares / seeds as f64).sqrt());
    assert!(mean.abs() < 3.0 * deviation / (seeds as f64).sqrt(), "moved {mean}, deviation {deviation}");
}

fn blobs(peers: usize, classes_of: impl Fn(usize) -> Vec<u32>) -> (Vec<Dataset>, Dataset) {
    // Four clouds in eight dimensions.
    let row = |class: u32, n: u32| {
        (0..8u32).map(move |at| {
            let noise = ((n * 31 + at * 17 + class * 7).wrapping_mul(2_654_435_761) >> 16) % 1000;
            noise as f32 / 900.0 + if at / 2 == class { 1.0 } else { 0.0 }
        })
    };
    let rows = |labels: Vec<u32>, seed: u32| {
        let features = labels.iter().enumerate().flat_map(|(n, class)| row(*class, n as u32 + seed)).collect();
        Dataset::new(vec![8], 4, features, labels).unwrap()
    };
    let of_peer = |peer: usize| {
        let classes = classes_of(peer);
        rows((0..60).map(|n| classes[n % classes.len()]).collect(), peer as u32 * 1000)
    };
    ((0..peers).map(of_peer).collect(), rows((0..400).map(|n| n % 4).collect(), 999_000))
}

fn learning(config: Lockstep, attackers: usize, attack: Attack) -> (Score, u64) {
    let model = Mlp::new(8, &[16], 4, Head::Softmax, Initial::He).unwrap();
    let (parts, test) = blobs(10, |peer| if peer % 2 == 0 { vec![0, 1] } else { vec![2, 3] });
    let start = |(peer, rows)| Start {
        attack: (peer >= 10 - attackers).then_some(attack),
        ..Start::new(rows, model.initial(1))
    };
    let mut network = Network::new(&model, config, parts.into_iter().enumerate().map(start).collect()).unwrap();
    (0..60).for_each(|_| network.round().unwrap());
    (network.score(&test), network.digest())
}

fn learned() -> Lockstep {
    let training = Training { steps: 5, batch: 16, learning_rate: 0.1, control_variate: 0.1, ..Training::default() };
    let recipe = Recipe { training, rule: Rule::Uniform, ..Recipe::default() };
    Lockstep { recipe, links: Links::fresh(4), ..Lockstep::default() }
}

#[test]
fn peers_with_half_the_classes_learn_all_of_them() {
    let (score, _) = learning(learned(), 0, Attack::SignFlip);
    assert!(score.worst() > 0.9, "{score:?}");
    let alone = Lockstep { loss: 1.0, ..learned() };
    assert!(learning(alone, 0, Attack::SignFlip).0.mean() < 0.6);
}

#[test]
fn every_codec_learns() {
    for codec in Codec::ALL {
        let rounding = [Rounding::Nearest, Rounding::Stochastic];
        for rounding in rounding {
            let recipe = Recipe { codec, rounding, ..learned().recipe };
            let (score, _) = learning(Lockstep { recipe, ..learned() }, 0, Attack::SignFlip);
            assert!(score.worst() > 0.8, "{codec} {rounding:?}: {score:?}");
        }
    }
}

#[test]
fn attackers_ruin_the_mean_and_not_the_robust_rules() {
    for attack in [Attack::SignFlip, Attack::Gaussian(30.0), Attack::Replacement(30.0)] {
        let links = Links::fresh(6);
        let plain = learning(Lockstep { links: links.clone(), ..learned() }, 1, attack).0;
        for rule in [Rule::TrimmedMean { b: 1 }, Rule::Ios { b: 1 }, Rule::Median] {
            let robust = learning(by(rule, Lockstep { links: links.clone(), ..learned() }), 1, attack).0;
            assert!(robust.mean() > 0.8, "{rule} under {attack}: {robust:?}");
            assert!(robust.mean() >= plain.mean() - 0.02, "{rule} under {attack}: {robust:?} against {plain:?}");
        }
    }
}

/// A rule that bears one Byzantine peer a merge bears an attacker with ten identities when origins are drawn, and not
/// when identities are.
#[test]
fn sybils_gain_nothing_from_guarded_draws() {
    let links = |guarded| Links::Fresh { fan_out: 5, identities: 10, guarded };
    let config = |guarded| by(Rule::TrimmedMean { b: 1 }, Lockstep { links: links(guarded), ..learned() });
    let run = |guarded| learning(config(guarded), 1, Attack::Gaussian(10.0)).0.mean();
    let (guarded, uniform) = (run(true), run(false));
    assert!(guarded > 0.95 && uniform < guarded - 0.1, "{guarded} against {uniform}");
}

#[test]
fn one_seed_gives_the_same_bytes_on_any_number_of_threads() {
    let run = || learning(Lockstep { loss: 0.2, online: 0.8, ..learned() }, 1, Attack::Gaussian(1.0)).1;
    let hash = on_threads([1, 2, 5], run);
    let other = learning(Lockstep { seed: 1, loss: 0.2, online: 0.8, ..learned() }, 1, Attack::Gaussian(1.0)).1;
    assert_ne!(other, hash);
}
