//! Every rule against its formula written down plainly, in `f64`, with all models decoded.

use proptest::prelude::*;

use super::*;

const SIZE: usize = 37;

fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
}

fn mean(models: &[&Vec<f64>]) -> Vec<f64> {
    (0..SIZE).map(|at| models.iter().map(|model| model[at]).sum::<f64>() / models.len() as f64).collect()
}

fn column(models: &[Vec<f64>], at: usize) -> Vec<f64> {
    let mut column: Vec<f64> = models.iter().map(|model| model[at]).collect();
    column.sort_by(f64::total_cmp);
    column
}

fn median(own: &[f64], others: &[Vec<f64>]) -> Vec<f64> {
    let all: Vec<Vec<f64>> = others.iter().cloned().chain([own.to_vec()]).collect();
    let middle = |sorted: Vec<f64>| (sorted[(sorted.len() - 1) / 2] + sorted[sorted.len() / 2]) / 2.0;
    (0..SIZE).map(|at| middle(column(&all, at))).collect()
}

fn trimmed(own: &[f64], others: &[Vec<f64>], b: usize) -> Vec<f64> {
    let kept = others.len() - 2 * b;
    let sum = |at| column(others, at)[b..b + kept].iter().sum::<f64>();
    (0..SIZE).map(|at| (sum(at) + own[at]) / (kept as f64 + 1.0)).collect()
}

fn krum(own: &[f64], others: &[Vec<f64>], b: usize) -> Vec<f64> {
    let all: Vec<&[f64]> = others.iter().map(Vec::as_slice).chain([own]).collect();
    let mut scores: Vec<(f64, usize)> = (0..others.len())
        .map(|index| {
            let mut squares: Vec<f64> = (0..all.len())
                .filter(|&other| other != index)
                .map(|other| distance(all[index], all[other]).powi(2))
                .collect();
            squares.sort_by(f64::total_cmp);
            (squares[..all.len() - b - 2].iter().sum(), index)
        })
        .collect();
    scores.sort_by(|one, other| one.0.total_cmp(&other.0));
    let own = own.to_vec();
    let kept: Vec<&Vec<f64>> = scores[..others.len() - b].iter().map(|(_, index)| &others[*index]).collect();
    mean(&[kept, vec![&own]].concat())
}

fn ios(own: &[f64], others: &[Vec<f64>], b: usize) -> Vec<f64> {
    let own = own.to_vec();
    let mut kept: Vec<&Vec<f64>> = others.iter().collect();
    for _ in 0..b {
        let center = mean(&[kept.clone(), vec![&own]].concat());
        let worst = (0..kept.len())
            .max_by(|&one, &other| distance(kept[one], &center).total_cmp(&distance(kept[other], &center)))
            .unwrap();
        kept.remove(worst);
    }
    mean(&[kept, vec![&own]].concat())
}

fn clip(own: &[f64], others: &[Vec<f64>], radius: Option<f64>) -> Vec<f64> {
    let mut distances: Vec<f64> = others.iter().map(|other| distance(own, other)).collect();
    let shares = others.len() as f64 + 1.0;
    let unsorted = distances.clone();
    distances.sort_by(f64::total_cmp);
    let radius = radius.unwrap_or(distances[(distances.len() - 1) / 2]);
    let step = |at: usize| -> f64 {
        others.iter().zip(&unsorted).map(|(other, d)| (other[at] - own[at]) * (radius / d).min(1.0) / shares).sum()
    };
    (0..SIZE).map(|at| own[at] + step(at)).collect()
}

fn half_with_mean(own: &[f64], accepted: &[&Vec<f64>]) -> Vec<f64> {
    if accepted.is_empty() {
        return own.to_vec();
    }
    own.iter().zip(mean(accepted)).map(|(own, mean)| 0.5 * own + 0.5 * mean).collect()
}

fn balance(own: &[f64], others: &[Vec<f64>], gamma: f64, part: f64) -> Vec<f64> {
    let most = gamma * (-part).exp() * distance(own, &[0.0; SIZE]);
    half_with_mean(own, &others.iter().filter(|other| distance(own, other) <= most).collect::<Vec<_>>())
}

/// The loss of the tests: squared norm.
fn loss(model: &[f64]) -> f64 {
    model.iter().map(|value| value * value).sum()
}

fn ubar(own: &[f64], others: &[Vec<f64>], rho: f64) -> Vec<f64> {
    let mut near: Vec<&Vec<f64>> = others.iter().collect();
    near.sort_by(|one, other| distance(own, one).total_cmp(&distance(own, other)));
    near.truncate(((rho * others.len() as f64).round() as usize).max(1));
    near.retain(|other| loss(other) <= loss(own));
    half_with_mean(own, &near)
}

fn run(rule: Rule, own: &[f64], others: &[Vec<f64>], round: u64) -> (Vec<f32>, MixOutcome) {
    let layout = layout(SIZE);
    let single = |model: &[f64]| model.iter().map(|value| *value as f32).collect::<Vec<f32>>();
    let blobs: Vec<Vec<u8>> = others.iter().map(|other| encode(Codec::F32, &layout, &single(other)).unwrap()).collect();
    let candidates: Vec<Candidate<'_>> = blobs
        .iter()
        .enumerate()
        .map(|(n, blob)| Candidate { peer: peer(n as u8), meta: meta(5), model: Blob::parse(blob, &layout).unwrap() })
        .collect();
    let mut params = single(own);
    let mut square = |model: &[f32]| model.iter().map(|value| value * value).sum::<f32>();
    let outcome = mix_with_losses(&rule, Own { params: &mut params, meta: meta(5), round }, &candidates, &mut square);
    (params, outcome)
}

fn models() -> impl Strategy<Value = Vec<Vec<f64>>> {
    // Multiples of 1/64 are exact in both precisions, so that ties fall alike.
    let value = (-640i32..640).prop_map(|value| f64::from(value) / 64.0);
    prop::collection::vec(prop::collection::vec(value, SIZE), 2..10)
}

proptest! {
    #[test]
    fn each_rule_is_its_formula(models in models(), b in 1u16..4, round in 0u64..500) {
        let (own, others) = (&models[0], &models[1..]);
        let (n, few) = (others.len(), usize::from(b));
        let mut cases: Vec<(Rule, Vec<f64>)> = vec![
            (Rule::Clip { radius: Some(7.5) }, clip(own, others, Some(7.5))),
            (Rule::Clip { radius: None }, clip(own, others, None)),
            (Rule::Ubar { rho: 0.6 }, ubar(own, others, 0.6)),
            (Rule::Balance { gamma: 1.6, rounds: 300 }, balance(own, others, 1.6, (round as f64 / 300.0).min(1.0))),
        ];
        if n >= 2 {
            cases.push((Rule::Median, median(own, others)));
        }
        if n > 2 * few {
            cases.push((Rule::TrimmedMean { b }, trimmed(own, others, few)));
            cases.push((Rule::Ios { b }, ios(own, others, few)));
        }
        if n >= (few + 2).max(2 * few + 1) {
            cases.push((Rule::MultiKrum { b }, krum(own, others, few)));
        }
        for (rule, want) in cases {
            let (got, outcome) = run(rule, own, others, round);
            for (got, want) in got.iter().zip(&want) {
                prop_assert!((f64::from(*got) - want).abs() < 2e-4, "{rule}: {got} for {want}");
            }
            let counted = outcome.mixed.len() + outcome.refused.len();
            prop_assert_eq!(counted, n);
        }
    }
}

#[test]
fn too_few_candidates_change_nothing() {
    let own = vec![1.0; SIZE];
    let others = vec![vec![5.0; SIZE]; 2];
    for rule in [Rule::TrimmedMean { b: 1 }, Rule::Ios { b: 1 }, Rule::MultiKrum { b: 1 }] {
        let (got, outcome) = run(rule, &own, &others, 0);
        assert_eq!(got, [1.0; SIZE], "{rule}");
        assert!(outcome.refused.iter().all(|(_, why)| matches!(why, Refused::TooFew { got: 2, .. })), "{rule}");
    }
    let (got, _) = run(Rule::Median, &own, &others[..1], 0);
    assert_eq!(got, [1.0; SIZE]);
    // One fewer than needed is too few, as many as needed are enough.
    for b in 1..4 {
        for rule in [Rule::TrimmedMean { b }, Rule::Ios { b }, Rule::MultiKrum { b }] {
            let mixed = |count: usize| run(rule, &own, &vec![vec![5.0; SIZE]; count], 0).1.mixed.len();
            let need = 2 * usize::from(b) + 1;
            assert_eq!(mixed(need - 1), 0, "{rule}");
            assert!(mixed(need) > 0, "{rule}");
        }
    }
    assert_eq!(run(Rule::MultiKrum { b: 0 }, &own, &others[..1], 0).1.mixed.len(), 0);
}
