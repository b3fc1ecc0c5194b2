use proptest::prelude::*;

use super::*;
use crate::codec::Codec;
use crate::id::PeerId;
use crate::invariant;
use crate::params::{Layout, TensorSpec};
use crate::wire::blob::{Blob, encode};

mod account;
mod reference;
mod robust;

const RULES: [Rule; 3] = [Rule::Uniform, Rule::SampleWeighted, Rule::AgeLimited];

fn layout(size: usize) -> Layout {
    Layout::new(vec![TensorSpec { name: "w".into(), shape: vec![size] }]).unwrap()
}

fn meta(age: u64) -> Meta {
    Meta::new(age, 100)
}

fn peer(n: u8) -> PeerId {
    PeerId([n; 32])
}

/// Mixes models of one constant each into zeros and gives the value at the end.
fn mix_constants(rule: Rule, own_age: u64, others: &[(u8, u64, f32)]) -> (f32, MixOutcome) {
    let layout = layout(10_000);
    let blobs: Vec<Vec<u8>> =
        others.iter().map(|(_, _, value)| encode(Codec::F32, &layout, &vec![*value; 10_000]).unwrap()).collect();
    let candidates: Vec<Candidate<'_>> = others
        .iter()
        .zip(&blobs)
        .map(|((n, age, _), blob)| Candidate {
            peer: peer(*n),
            meta: meta(*age),
            model: Blob::parse(blob, &layout).unwrap(),
        })
        .collect();
    let mut params = vec![0.0; 10_000];
    let outcome = mix(&rule, Own { params: &mut params, meta: meta(own_age), round: 0 }, &candidates);
    assert!(params.iter().all(|value| *value == params[0]), "blocks differ");
    (params[0], outcome)
}

#[test]
fn the_mean_of_own_and_two_others() {
    for rule in RULES {
        let (value, outcome) = mix_constants(rule, 10, &[(1, 10, 3.0), (2, 10, 6.0)]);
        assert!((value - 3.0).abs() < 1e-6, "{rule:?}: {value}");
        assert_eq!(outcome.mixed, [peer(1), peer(2)]);
        assert_eq!(outcome.age, 10);
    }
}

#[test]
fn nobody_mixed_changes_nothing() {
    let (value, outcome) = mix_constants(Rule::AgeLimited, 10, &[]);
    assert_eq!((value, outcome.age, outcome.was_behind), (0.0, 10, false));
}

#[test]
fn a_model_far_behind_is_refused_and_one_far_ahead_gains_nothing() {
    let (value, outcome) = mix_constants(Rule::AgeLimited, 1000, &[(1, 1000, 1.0), (2, 3, 9.0), (3, u64::MAX, 5.0)]);
    assert_eq!(outcome.refused, [(peer(2), Refused::Stale { age: 3, median: 1000 })]);
    assert!((value - 2.0).abs() < 1e-6, "own, 1 and 3 count a third each: {value}");
    assert_eq!(outcome.age, (1000 + 1000 + 2000) / 3, "a claim counts at most twice the median");
}

#[test]
fn a_newcomer_is_told_that_it_was_behind_and_keeps_its_share() {
    let (value, outcome) = mix_constants(Rule::AgeLimited, 0, &[(1, 900, 1.0), (2, 1000, 1.0), (3, 1100, 1.0)]);
    assert!(outcome.was_behind);
    assert!((value - 0.75).abs() < 1e-6, "{value}");
    // Of two, the newcomer cannot know who is right; it does not call itself behind on one claim.
    assert!(!mix_constants(Rule::AgeLimited, 0, &[(1, u64::MAX, 1.0)]).1.was_behind);
}

#[test]
fn a_peer_counts_once() {
    let (value, outcome) = mix_constants(Rule::Uniform, 10, &[(1, 10, 4.0), (1, 10, 4.0), (1, 10, 4.0)]);
    assert!((value - 2.0).abs() < 1e-6);
    assert_eq!(outcome.refused.len(), 2);
}

#[test]
fn an_offer_that_would_be_refused_is_not_worth_pulling() {
    let mut filter = StaleFilter::default();
    assert_eq!([0, 3, 400].map(|age| filter.least(age)), [0, 0, 100]);
    // What is pulled may still be stale; what is not pulled always would be, as long as the median is half the own age.
    let own = meta(1000);
    let (_, outcome) = mix_constants(Rule::AgeLimited, own.age, &[(1, 500, 1.0), (2, filter.least(own.age) - 1, 1.0)]);
    assert_eq!(outcome.refused.len(), 1);
    // With everyone too old for two rounds, the own age is in doubt for one.
    filter.round_closed(0, 4);
    assert_eq!(filter.least(400), 0);
    filter.round_closed(4, 0);
    assert_eq!(filter.least(400), 100);
    filter.round_closed(1, 3);
    assert_eq!(filter.least(400), 100);
    // A round in which nobody offered anything says nothing about the own age.
    filter.round_closed(0, 0);
    assert_eq!(filter.least(400), 100);
}

#[test]
fn half_the_median_age_is_young_enough() {
    let others = |age| [(1, 1000, 1.0), (2, 1000, 1.0), (3, age, 1.0)];
    assert_eq!([499, 500].map(|age| mix_constants(Rule::AgeLimited, 1000, &others(age)).1.refused.len()), [1, 0]);
    assert_eq!([499, 500].map(|age| mix_constants(Rule::AgeLimited, age, &others(1000)).1.was_behind), [true, false]);
}

#[test]
fn rows_are_the_weight_up_to_one_share() {
    let layout = layout(1);
    let (ten, hundred) =
        (encode(Codec::F32, &layout, &[10.0]).unwrap(), encode(Codec::F32, &layout, &[100.0]).unwrap());
    let candidates = [(1, &ten, 50), (2, &hundred, 850)].map(|(n, blob, samples)| Candidate {
        peer: peer(n),
        meta: Meta::new(5, samples),
        model: Blob::parse(blob, &layout).unwrap(),
    });
    let mut params = [0.0];
    mix(&Rule::SampleWeighted, Own { params: &mut params, meta: Meta::new(5, 100), round: 0 }, &candidates);
    assert!((params[0] - (0.05 * 10.0 + 100.0 / 3.0)).abs() < 1e-4, "{params:?}");
}

#[test]
fn a_pair_is_the_first_candidate_and_the_own_model() {
    let (value, outcome) = mix_constants(Rule::Pair, 10, &[(1, 10, 8.0), (2, 10, 100.0)]);
    assert_eq!((value, outcome.mixed, outcome.refused), (4.0, vec![peer(1)], vec![(peer(2), Refused::Outlier)]));
    // Each half goes toward the partner.
    let layout = layout(2);
    let [a, b] = [[0.0, 4.0], [2.0, -4.0]].map(|params| encode(Codec::F32, &layout, &params).unwrap());
    let [a, b] = [&a, &b].map(|blob| Blob::parse(blob, &layout).unwrap());
    let mut model = [10.0, 10.0];
    pair::add_share(&mut model, &a, &b, 0.5);
    assert_eq!(model, [11.0, 6.0]);
}

#[test]
fn only_ubar_asks_for_losses() {
    assert!(Rule::Ubar { rho: 0.5 }.needs_losses());
    assert!(![Rule::Median, Rule::Ios { b: 1 }, Rule::Clip { radius: None }].into_iter().any(Rule::needs_losses));
}

#[test]
fn the_graph_gives_the_weights() {
    let layout = layout(3);
    let blob = encode(Codec::F32, &layout, &[4.0; 3]).unwrap();
    let candidate = |n: u8, link: f32| Candidate {
        peer: peer(n),
        meta: Meta { link, ..meta(5) },
        model: Blob::parse(&blob, &layout).unwrap(),
    };
    let mut params = [0.0; 3];
    let own = Own { params: &mut params, meta: meta(5), round: 0 };
    mix(&Rule::Metropolis, own, &[candidate(1, 0.25), candidate(2, 0.5)]);
    assert_eq!(params, [3.0; 3]);
    // Without a graph it is the uniform mean.
    let mut params = [0.0; 3];
    let own = Own { params: &mut params, meta: meta(5), round: 0 };
    mix(&Rule::Metropolis, own, &[candidate(1, 0.0), candidate(2, 0.0), candidate(3, 0.0)]);
    assert_eq!(params, [3.0; 3]);
}

#[test]
fn mass_is_the_weight() {
    let layout = layout(2);
    let blob = encode(Codec::F32, &layout, &[8.0; 2]).unwrap();
    let candidate = |n: u8, mass: u64| Candidate {
        peer: peer(n),
        meta: Meta { mass, ..meta(5) },
        model: Blob::parse(&blob, &layout).unwrap(),
    };
    let mut params = [0.0; 2];
    let own = Own { params: &mut params, meta: Meta { mass: 3 * push_sum::UNIT, ..meta(5) }, round: 0 };
    let outcome =
        mix(&Rule::PushSum, own, &[candidate(1, push_sum::UNIT), candidate(2, 0), candidate(3, push_sum::MOST + 1)]);
    assert_eq!((params, outcome.mass), ([2.0; 2], 4 * push_sum::UNIT));
    assert_eq!(outcome.refused.len(), 2);
    // Without own mass nothing of the own model is left, but what nobody sent.
    let blob = encode(Codec::TopK(500), &layout, &[8.0, 0.0]).unwrap();
    let candidate = Candidate {
        peer: peer(1),
        meta: Meta { mass: push_sum::MOST, ..meta(5) },
        model: Blob::parse(&blob, &layout).unwrap(),
    };
    let mut params = [1.0; 2];
    mix(&Rule::PushSum, Own { params: &mut params, meta: meta(5), round: 0 }, &[candidate]);
    assert!((params[0] - 8.0).abs() < 1e-5 && params[1] == 1.0, "{params:?}");
}

#[test]
fn a_parameter_counts_where_it_was_sent() {
    let layout = layout(4);
    let mut params = [1.0, 1.0, 1.0, 1.0];
    let sparse = |values: &[f32; 4]| encode(Codec::TopK(500), &layout, values).unwrap();
    let (one, two) = (sparse(&[9.0, 9.0, 0.0, 0.0]), sparse(&[0.0, 5.0, 5.0, 0.0]));
    let candidates = [(1, &one), (2, &two)].map(|(n, blob)| Candidate {
        peer: peer(n),
        meta: meta(5),
        model: Blob::parse(blob, &layout).unwrap(),
    });
    mix(&Rule::Uniform, Own { params: &mut params, meta: meta(5), round: 0 }, &candidates);
    let near = |value: f32, want: f32| (value - want).abs() < 1e-5;
    // The mean of 1 and 9; of 1, 9 and 5; of 1 and 5; of 1 alone.
    assert!(near(params[0], 5.0) && near(params[1], 5.0) && near(params[2], 3.0) && near(params[3], 1.0), "{params:?}");
}

#[test]
fn a_pair_keeps_its_sum_whatever_the_codec() {
    let layout = layout(3000);
    let model = |seed: f32| (0..3000).map(|n| (n as f32 * seed).sin()).collect::<Vec<f32>>();
    for codec in Codec::ALL {
        let published = [encode(codec, &layout, &model(0.37)).unwrap(), encode(codec, &layout, &model(1.1)).unwrap()];
        let [a, b] = [&published[0], &published[1]].map(|blob| Blob::parse(blob, &layout).unwrap());
        // Both went on learning since they published.
        let (mut one, mut two) = (model(0.38), model(1.2));
        let before: Vec<f64> = one.iter().zip(&two).map(|(x, y)| f64::from(*x) + f64::from(*y)).collect();
        pair::add_share(&mut one, &a, &b, 0.5);
        pair::add_share(&mut two, &b, &a, 0.5);
        for ((x, y), sum) in one.iter().zip(&two).zip(before) {
            assert!((f64::from(*x) + f64::from(*y) - sum).abs() < 1e-6, "{codec:?}");
        }
    }
}

proptest! {
    #[test]
    fn no_claim_overreaches(
        own in (any::<u64>(), any::<u32>()),
        others in prop::collection::vec((any::<u64>(), any::<u32>()), 0..9),
    ) {
        let own = Meta::new(own.0, own.1);
        let others: Vec<Meta> = others.into_iter().map(|(age, samples)| Meta::new(age, samples)).collect();
        for rule in RULES {
            let context = MixContext {
                own,
                round: 0,
                candidates: &others,
                distances: distances::Distances::default(),
                losses: Vec::new(),
            };
            let Plan::Weighted(weights) = rule.mixing(|rule| rule.plan(&context)) else { panic!("{rule:?}") };
            let weights: Vec<f32> = weights.into_iter().filter_map(Result::ok).collect();
            prop_assert!(invariant::no_overreach(&weights), "{:?} {:?}", rule, weights);
        }
    }

    #[test]
    fn the_mix_lies_between_what_was_mixed(
        models in prop::collection::vec(prop::collection::vec(-1e30f32..1e30, 50), 1..6),
        codec in prop::sample::select(Codec::ALL.to_vec()),
    ) {
        let layout = layout(50);
        let blobs: Vec<Vec<u8>> = models[1..].iter().map(|model| encode(codec, &layout, model).unwrap()).collect();
        let parsed: Vec<Blob<'_>> = blobs.iter().map(|blob| Blob::parse(blob, &layout).unwrap()).collect();
        let candidates: Vec<Candidate<'_>> = parsed
            .iter()
            .enumerate()
            .map(|(n, model)| Candidate { peer: peer(n as u8), meta: meta(5), model: *model })
            .collect();
        let mut params = models[0].clone();
        mix(&Rule::AgeLimited, Own { params: &mut params, meta: meta(5), round: 0 }, &candidates);
        prop_assert!(invariant::finite(&params));
        for index in 0..50 {
            let mut seen = vec![models[0][index]];
            for blob in &parsed {
                let mut value = [0.0];
                blob.read_over(index, &models[0][index..=index], &mut value);
                seen.push(value[0]);
            }
            let (least, most) = seen.iter().fold((f32::MAX, f32::MIN), |(l, m), v| (l.min(*v), m.max(*v)));
            let slack = 1e-5 * least.abs().max(most.abs());
            prop_assert!(params[index] >= least - slack && params[index] <= most + slack);
        }
    }
}
