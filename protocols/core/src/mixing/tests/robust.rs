//! What Byzantine peers can do.

use proptest::prelude::*;

use super::*;

/// Rules that bear one Byzantine peer among seven candidates, and how.
const ROBUST: [Rule; 7] = [
    Rule::Median,
    Rule::TrimmedMean { b: 1 },
    Rule::MultiKrum { b: 1 },
    Rule::Ios { b: 1 },
    Rule::Clip { radius: None },
    Rule::Ubar { rho: 0.7 },
    Rule::Balance { gamma: 2.0, rounds: 300 },
];

const SIZE: usize = 5000;

fn run(rule: Rule, own: &[f32], others: &[Vec<f32>]) -> (Vec<f32>, MixOutcome) {
    let layout = layout(own.len());
    let blobs: Vec<Vec<u8>> = others.iter().map(|other| encode(Codec::F32, &layout, other).unwrap()).collect();
    let candidates: Vec<Candidate<'_>> = blobs
        .iter()
        .enumerate()
        .map(|(n, blob)| Candidate { peer: peer(n as u8), meta: meta(5), model: Blob::parse(blob, &layout).unwrap() })
        .collect();
    let mut params = own.to_vec();
    let mut loss = |model: &[f32]| model.iter().map(|value| (value - 1.0).powi(2)).sum::<f32>();
    let outcome = mix_with_losses(&rule, Own { params: &mut params, meta: meta(5), round: 0 }, &candidates, &mut loss);
    (params, outcome)
}

/// Honest models around one, own first.
fn honest(seed: u32) -> Vec<Vec<f32>> {
    let value = |model: u32, at: u32| {
        let hash = (model * 7919 + at + seed).wrapping_mul(2_654_435_761) >> 16;
        1.0 + (hash % 1000) as f32 / 5000.0
    };
    (0..7).map(|model| (0..SIZE as u32).map(|at| value(model, at)).collect()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// One Byzantine peer at any distance: every parameter stays within the honest ones, or for clipping within one
    /// clipped step.
    #[test]
    fn one_byzantine_peer_leads_nobody_away(
        seed in 0u32..1000,
        sign in prop::sample::select(vec![-1.0f32, 1.0]),
        size in prop::sample::select(vec![30.0f32, 1e6, 1e18, 1e25, 3e38]),
        at in 0usize..7,
    ) {
        let honest = honest(seed);
        let mut others = honest[1..].to_vec();
        others.insert(at.min(others.len()), vec![sign * size; SIZE]);
        for rule in ROBUST {
            let (mixed, _) = run(rule, &honest[0], &others);
            prop_assert!(invariant::finite(&mixed), "{rule}");
            // A clipped Byzantine peer moves the model by at most the median honest distance / 8, spread over all
            // parameters.
            let slack = if matches!(rule, Rule::Clip { .. }) { 0.05 } else { 1e-4 };
            for value in mixed {
                prop_assert!((1.0 - slack..=1.2 + slack).contains(&value), "{rule}: {value}");
            }
        }
    }
}

#[test]
fn with_only_byzantine_peers_the_own_model_stays() {
    let own = vec![1.0; SIZE];
    let byzantine = vec![vec![1e30; SIZE]; 6];
    let filtering = [Rule::Ubar { rho: 0.7 }, Rule::Balance { gamma: 2.0, rounds: 300 }];
    for rule in filtering {
        let (mixed, outcome) = run(rule, &own, &byzantine);
        assert_eq!((mixed, outcome.mixed.len(), outcome.refused.len()), (own.clone(), 0, 6), "{rule}");
    }
    // Clipping moves by at most the radius, whoever is asked.
    let (mixed, _) = run(Rule::Clip { radius: Some(0.5) }, &own, &vec![vec![50.0; SIZE]; 6]);
    let moved = mixed.iter().map(|value| f64::from(value - 1.0).powi(2)).sum::<f64>().sqrt();
    assert!((moved - 0.5 * 6.0 / 7.0).abs() < 1e-3, "{moved}");
}

#[test]
fn clipping_leaves_what_is_near_alone() {
    let honest = honest(3);
    let (plain, _) = run(Rule::Uniform, &honest[0], &honest[1..]);
    let (clipped, _) = run(Rule::Clip { radius: Some(1e6) }, &honest[0], &honest[1..]);
    assert!(plain.iter().zip(&clipped).all(|(plain, clipped)| (plain - clipped).abs() < 1e-6));
    // Where all are equal the radius is 0, and so is every distance.
    let (clipped, outcome) = run(Rule::Clip { radius: None }, &honest[0], &vec![honest[0].clone(); 3]);
    assert_eq!((clipped, outcome.mixed.len()), (honest[0].clone(), 3));
}

#[test]
fn the_ball_of_balance_shrinks() {
    let own = vec![1.0; SIZE];
    // Twice the own norm away times 0.9: inside at the start, outside once the radius has fallen by e.
    let others = [vec![2.8; SIZE]];
    let at = |round| {
        let layout = layout(SIZE);
        let blob = encode(Codec::F32, &layout, &others[0]).unwrap();
        let candidate = Candidate { peer: peer(1), meta: meta(5), model: Blob::parse(&blob, &layout).unwrap() };
        let mut params = own.clone();
        let rule = Rule::Balance { gamma: 2.0, rounds: 100 };
        mix(&rule, Own { params: &mut params, meta: meta(5), round }, &[candidate]).mixed.len()
    };
    assert_eq!([0, 9, 11, 100, 1000].map(at), [1, 1, 0, 0, 0]);
}

/// Several parts and several blocks, an odd size: the result does not depend on how the work is cut.
#[test]
fn a_large_model_mixes_like_a_small_one() {
    let size = apply::PART + 4096 + 513;
    let value = |model: usize, at: usize| ((model * 31 + at % 1000) as f32 * 0.7).sin();
    let model = |n: usize, size: usize| (0..size).map(|at| value(n, at)).collect::<Vec<f32>>();
    for rule in ROBUST.into_iter().chain([Rule::Uniform]) {
        let large: Vec<Vec<f32>> = (1..6).map(|n| model(n, size)).collect();
        let (mixed, outcome) = run(rule, &model(0, size), &large);
        if matches!(rule, Rule::Median | Rule::TrimmedMean { .. } | Rule::Uniform) {
            let small: Vec<Vec<f32>> = (1..6).map(|n| model(n, 1000)).collect();
            let (part, _) = run(rule, &model(0, 1000), &small);
            assert!(mixed.iter().enumerate().all(|(at, value)| *value == part[at % 1000]), "{rule}");
        }
        assert_eq!(outcome.mixed.len() + outcome.refused.len(), 5);
        assert!(invariant::finite(&mixed));
    }
}

/// A Byzantine peer that differs in the last parameter alone is seen there, however the work is cut.
#[test]
fn distances_see_every_parameter() {
    for size in [SIZE, apply::PART + 4096 + 513] {
        let value = |at: usize| (at % 1013) as f32;
        let own: Vec<f32> = (0..size).map(value).collect();
        let mut others = vec![own.clone(); 4];
        others[2][size - 1] = -1000.0;
        for rule in [Rule::Ios { b: 1 }, Rule::MultiKrum { b: 1 }] {
            let (mixed, outcome) = run(rule, &own, &others);
            assert_eq!(outcome.refused, [(peer(2), Refused::Outlier)], "{rule} of {size}");
            assert!(mixed.iter().zip(&own).all(|(mixed, own)| (mixed - own).abs() < 1e-3), "{rule} of {size}");
        }
        // The others are not away at all: a ball of a thousandth holds them, and the Byzantine peer is outside.
        let (_, outcome) = run(Rule::Balance { gamma: 1e-5, rounds: 1 }, &own, &others);
        assert_eq!(outcome.mixed, [peer(0), peer(1), peer(3)]);
    }
}

/// Found by fuzzing: weights sum to one but for rounding, and a mean of the largest numbers was infinite.
#[test]
fn the_largest_numbers_mix_to_the_largest_number() {
    let layout = layout(40);
    let own = vec![f32::MAX; 40];
    let bytes = [Codec::F32, Codec::Int8, Codec::TopK(500)].map(|codec| encode(codec, &layout, &own).unwrap());
    for rule in ROBUST.into_iter().chain([Rule::Uniform, Rule::SampleWeighted, Rule::AgeLimited, Rule::PushSum]) {
        for (count, blob) in (1..24u8).flat_map(|count| bytes.iter().map(move |blob| (count, blob))) {
            let model = Blob::parse(blob, &layout).unwrap();
            let meta = Meta { mass: push_sum::UNIT / 3, ..meta(5) };
            let candidates: Vec<Candidate<'_>> = (0..count).map(|n| Candidate { peer: peer(n), meta, model }).collect();
            let mut params = own.clone();
            mix(&rule, Own { params: &mut params, meta, round: 0 }, &candidates);
            assert!(params.iter().all(|value| value.is_finite() && *value > 3.3e38), "{rule}: {params:?}");
        }
    }
}

/// An own model whose norm is beyond measure made the ball infinite, and everything was in it.
#[test]
fn balance_takes_nothing_that_it_cannot_measure() {
    let own = vec![1e25; SIZE];
    let (mixed, outcome) = run(Rule::Balance { gamma: 2.0, rounds: 300 }, &own, &[vec![-1e30; SIZE]]);
    assert_eq!(mixed, own);
    assert!(matches!(outcome.refused[..], [(_, Refused::Far { .. })]), "{outcome:?}");
}
