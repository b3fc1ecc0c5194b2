use std::sync::Arc;
use std::time::Duration;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::codec::Codec;
use crate::exchange::{ExchangeConfig, PullFailure, TransportFailure};
use crate::id::{PeerId, TaskId};
use crate::membership::MembershipConfig;
use crate::params::{Layout, TensorSpec};
use crate::recipe::{MixReport, Published, Recipe};
use crate::round::{Phase, RoundConfig};
use crate::score::Fault;
use crate::time::Time;
use crate::wire::{Publication, Refusal, Request, Response, blob};

const TASK: TaskId = TaskId([7; 32]);
const ANT: PeerId = PeerId([1; 32]);
const BAT: PeerId = PeerId([2; 32]);

fn at(millis: u64) -> Time {
    Time(millis * 1000)
}

fn layout() -> Layout {
    Layout::new(vec![TensorSpec { name: "w".into(), shape: vec![32] }]).unwrap()
}

/// A peer that has started at time zero, and what it wanted then.
fn peer(round: RoundConfig) -> (Peer, Vec<Effect>) {
    let settings = PeerSettings {
        task: TASK,
        layout: Arc::new(layout()),
        recipe: Arc::new(Recipe::default()),
        round,
        membership: MembershipConfig::default(),
        exchange: ExchangeConfig::default(),
        samples: 10,
        request_timeout: Duration::from_secs(5),
        estimate_every: None,
        evaluate_every: 0,
        commit_every: Duration::from_secs(1),
    };
    let mut peer = Peer::new(ANT, 1, Arc::new(settings), Restored::default(), ChaCha8Rng::seed_from_u64(1));
    let effects = tell(&mut peer, Time::ZERO, Fact::Started { has_contacts: false });
    (peer, effects)
}

fn tell(peer: &mut Peer, now: Time, fact: Fact) -> Vec<Effect> {
    let mut effects = Vec::new();
    peer.handle(now, fact, &mut effects);
    effects
}

fn published(round: u64) -> Fact {
    let params: Vec<f32> = (0..32).map(|n| n as f32 + round as f32).collect();
    let bytes = blob::encode(Codec::Int8, &layout(), &params).unwrap();
    let publications = vec![Publication::new(Arc::new(bytes), Codec::Int8, 9, round, 10)];
    Fact::Published(Box::new(Ok((Published { publications, norm: 1.0 }, None))))
}

fn newest(token: u64, codec: Codec) -> Fact {
    Fact::Asked { token: Token(token), from: BAT, request: Request::Newest { task: TASK, codec } }
}

/// The answers among effects, by token.
fn answers(effects: &[Effect]) -> Vec<(u64, &Response)> {
    let answer = |effect| match effect {
        &Effect::Answer { token, ref response } => Some((token.0, &**response)),
        _ => None,
    };
    effects.iter().filter_map(answer).collect()
}

#[test]
fn a_lone_peer_trains_publishes_mixes_with_nobody_and_commits() {
    let (mut ant, effects) = peer(RoundConfig::default());
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Train { round: 1 })), "{effects:?}");
    let effects = tell(&mut ant, at(10), Fact::Trained(Ok(())));
    assert!(matches!(effects[0], Effect::Publish { round: 1, .. }), "{effects:?}");
    let effects = tell(&mut ant, at(11), published(1));
    assert!(
        effects.iter().any(|effect| matches!(effect, Effect::Mix(order) if order.models.is_empty())),
        "{effects:?}"
    );
    assert_eq!(*ant.phase(), Phase::Mixing);
    let effects = tell(&mut ant, at(12), Fact::Mixed(Box::new(Ok(MixReport { age: 9, ..MixReport::default() }))));
    assert!(matches!(effects[0], Effect::Commit { round: 1, account: None }), "{effects:?}");
    assert!(matches!(&effects[1], Effect::Event(PeerEvent::RoundClosed(closed)) if closed.round == 1));
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Train { round: 2 })));
    assert_eq!((ant.status().round, ant.status().age), (1, 9));
    assert_eq!(ant.restored(), Restored { round: 1, age: 9, account: None });
}

#[test]
fn a_failed_training_is_said_and_the_round_goes_on_after_a_pause() {
    let (mut ant, _) = peer(RoundConfig::default());
    let effects = tell(&mut ant, at(10), Fact::Trained(Err("out of rows".to_owned())));
    assert!(matches!(&effects[0], Effect::Event(PeerEvent::Warning(words)) if words.contains("out of rows")));
    assert_eq!(*ant.phase(), Phase::Training);
    tell(&mut ant, at(1009), Fact::Woke);
    assert_eq!(*ant.phase(), Phase::Training);
    tell(&mut ant, at(1010), Fact::Woke);
    assert_eq!(*ant.phase(), Phase::Mixing, "nobody is there to draw");
}

#[test]
fn facts_that_fit_nothing_change_nothing() {
    let (mut ant, _) = peer(RoundConfig::default());
    let before = ant.status();
    let late = [
        Fact::Pulled { pull: 77, result: Box::new(Err(PullFailure::Deadline)) },
        Fact::Answered { question: 78, result: Err(TransportFailure::Timeout) },
        Fact::Mixed(Box::new(Ok(MixReport::default()))),
        Fact::Measured { own: None, test: None },
        Fact::Recoded(None),
        published(9),
        Fact::Stored { round: 9 },
    ];
    for fact in late {
        let words = format!("{fact:?}");
        assert!(tell(&mut ant, at(5), fact).is_empty(), "{words}");
    }
    assert_eq!(ant.status(), before);
}

#[test]
fn questions_for_a_form_that_is_not_there_wait_for_it_up_to_a_bound() {
    let (mut ant, _) = peer(RoundConfig::default());
    tell(&mut ant, at(10), Fact::Trained(Ok(())));
    tell(&mut ant, at(11), published(1));
    assert!(matches!(answers(&tell(&mut ant, at(12), newest(1, Codec::Int8)))[..], [(1, Response::Offer { .. })]));
    let effects = tell(&mut ant, at(12), newest(2, Codec::F16));
    let Effect::Recode { of, codec, compressed } = &effects[0] else { panic!("{effects:?}") };
    let made = of.recoded(*codec, *compressed, &layout());
    for token in 3..34 {
        assert!(tell(&mut ant, at(13), newest(token, Codec::F16)).is_empty());
    }
    let effects = tell(&mut ant, at(13), newest(34, Codec::F16));
    let refused = answers(&effects);
    assert!(matches!(refused[..], [(34, Response::Refused { reason: Refusal::Busy, .. })]), "{refused:?}");
    let effects = tell(&mut ant, at(14), Fact::Recoded(made.map(Box::new)));
    assert_eq!(answers(&effects).len(), 32);
    assert!(answers(&effects).iter().all(|(_, response)| matches!(response, Response::Offer { .. })));
    // One that cannot be made is not asked for again.
    tell(&mut ant, at(15), newest(40, Codec::F32));
    let effects = tell(&mut ant, at(16), Fact::Recoded(None));
    assert!(matches!(answers(&effects)[..], [(40, Response::Refused { reason: Refusal::Codec, .. })]), "{effects:?}");
}

#[test]
fn one_who_misbehaves_is_banned_for_a_while_and_only_for_what_it_did_itself() {
    let (mut ant, _) = peer(RoundConfig::default());
    tell(&mut ant, at(1), Fact::Connected(BAT));
    let mut effects = Vec::new();
    while !effects.iter().any(|effect| matches!(effect, Effect::Ban { .. })) {
        effects = tell(&mut ant, at(2), Fact::Misbehaved(BAT, Fault::WrongHash));
    }
    let Some(Effect::Ban { peer, lasts }) = effects.iter().find(|effect| matches!(effect, Effect::Ban { .. })) else {
        panic!("{effects:?}")
    };
    assert_eq!(*peer, BAT);
    assert!(ant.is_banned(at(3), &BAT));
    assert!(matches!(answers(&tell(&mut ant, at(3), newest(1, Codec::Int8)))[..], [(1, Response::Refused { .. })]));
    // Whoever comes back before that is sent away for what is left of it.
    let effects = tell(&mut ant, at(1002), Fact::Connected(BAT));
    assert!(matches!(effects[..], [Effect::Ban { lasts: left, .. }, ..] if left + Duration::from_secs(1) == *lasts));
    let after = at(2) + *lasts;
    assert!(!ant.is_banned(after, &BAT));
    let effects = tell(&mut ant, after, Fact::Connected(BAT));
    assert!(effects.iter().all(|effect| !matches!(effect, Effect::Ban { .. })), "{effects:?}");
}
