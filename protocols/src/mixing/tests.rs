use proptest::prelude::*;

use super::*;
use crate::codec::Codec;
use crate::id::PeerId;
use crate::invariant;
use crate::params::{Layout, TensorSpec};
use crate::wire::blob::{Blob, encode};

const RULES: [Rule; 3] = [Rule::Uniform, Rule::SampleWeighted, Rule::AgeLimited];

fn layout(size: usize) -> Layout {
    Layout::new(vec![TensorSpec { name: "w".into(), shape: vec![size] }]).unwrap()
}

fn meta(age: u64) -> Meta {
    Meta { age, samples: 100 }
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
    let outcome = mix(&rule, Own { params: &mut params, meta: meta(own_age) }, &candidates);
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

proptest! {
    #[test]
    fn no_claim_overreaches(
        own in (any::<u64>(), any::<u32>()),
        others in prop::collection::vec((any::<u64>(), any::<u32>()), 0..9),
    ) {
        let own = Meta { age: own.0, samples: own.1 };
        let others: Vec<Meta> = others.into_iter().map(|(age, samples)| Meta { age, samples }).collect();
        for rule in RULES {
            let weights: Vec<f32> = rule.weigh(own, &others).into_iter().filter_map(Result::ok).collect();
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
        mix(&Rule::AgeLimited, Own { params: &mut params, meta: meta(5) }, &candidates);
        prop_assert!(invariant::finite(&params));
        for index in 0..50 {
            let mut seen = vec![models[0][index]];
            for blob in &parsed {
                let mut value = [0.0];
                blob.read(index, &mut value);
                seen.push(value[0]);
            }
            let (least, most) = seen.iter().fold((f32::MAX, f32::MIN), |(l, m), v| (l.min(*v), m.max(*v)));
            let slack = 1e-5 * least.abs().max(most.abs());
            prop_assert!(params[index] >= least - slack && params[index] <= most + slack);
        }
    }
}
