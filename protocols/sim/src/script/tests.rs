use super::*;
use crate::world::peer_id;

/// All exchange modes under both ways to find others.
pub(crate) fn scripts(seed: u64) -> Vec<Script> {
    let rules = [Rule::AgeLimited, Rule::Pair, Rule::PushSum];
    let ways = [Sampling::Guarded, Sampling::View { size: 4 }];
    let own = peer_id(0);
    rules.iter().flat_map(|rule| ways.clone().map(|way| Script::new(own, *rule, way, seed).unwrap())).collect()
}

fn reference(script: &Script, steps: usize) -> Vec<String> {
    script.run(&mut Reference::new(script).unwrap(), steps)
}

#[test]
fn a_script_reaches_what_it_is_for() {
    let mut banned = false;
    for script in scripts(1) {
        let lines = reference(&script, 3000).join("\n");
        let rule = script.settings.recipe.rule;
        let common = ["RoundClosed", "PulledModel {", "Serve {", "Recode {", "Commit {", "CancelPull", "Estimated"];
        let of_pairs: &[&str] = if rule == Rule::Pair { &["PendingDelta {", "Settled"] } else { &[] };
        for word in common.iter().chain(of_pairs) {
            assert!(lines.contains(word), "{rule}: no {word}");
        }
        banned |= lines.contains("Ban {");
        let mass = lines.contains("grant: Some(") && lines.contains("account: Some(");
        assert_eq!(mass, rule == Rule::PushSum);
    }
    assert!(banned);
}

#[test]
fn the_same_script_says_the_same_and_another_seed_something_else() {
    let [one, same, other] = [1, 1, 2].map(|seed| reference(&scripts(seed)[0], 300));
    assert_eq!(one, same);
    assert_ne!(one, other);
}

#[test]
fn whoever_decides_by_itself_is_seen() {
    let meddlers: [fn(Effect) -> Option<Effect>; 6] = [
        // Commits less often.
        |effect| (!matches!(effect, Effect::Commit { .. })).then_some(effect),
        // Trains as in another round.
        |effect| Some(if let Effect::Train { round } = effect { Effect::Train { round: round + 1 } } else { effect }),
        // Publishes as the model of another round.
        |effect| {
            Some(match effect {
                Effect::Publish { round, deltas } => Effect::Publish { round: round + 1, deltas },
                effect => effect,
            })
        },
        // Forgets what was agreed on.
        |effect| {
            Some(match effect {
                Effect::Publish { round, .. } => Effect::Publish { round, deltas: Vec::new() },
                Effect::Mix(mut order) => {
                    order.deltas.clear();
                    Effect::Mix(order)
                }
                effect => effect,
            })
        },
        // Leaves a model out.
        |effect| {
            Some(match effect {
                Effect::Mix(mut order) => {
                    order.models.pop();
                    Effect::Mix(order)
                }
                effect => effect,
            })
        },
        // Writes models in another codec than asked for.
        |effect| {
            Some(match effect {
                Effect::Recode { of, compressed, .. } => {
                    Effect::Recode { of, codec: peerlearn_protocols::codec::Codec::TopK(1), compressed }
                }
                effect => effect,
            })
        },
    ];
    for (number, meddle) in meddlers.into_iter().enumerate() {
        let differs = scripts(3).iter().any(|script| {
            let mut meddling = Reference::new(script).unwrap();
            meddling.meddle = Some(meddle);
            script.run(&mut meddling, 600) != reference(script, 600)
        });
        assert!(differs, "meddler {number}");
    }
}
