use std::time::Duration;

use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::id::PeerId;
use crate::time::Time;

fn peer(n: u8) -> PeerId {
    PeerId([n; 32])
}

fn handle(round: &mut Round, now: Time, input: Input) -> Vec<Output> {
    let mut outputs = Vec::new();
    round.handle(now, input, &mut outputs);
    outputs
}

#[test]
fn a_peer_without_contacts_trains_at_once_and_for_ever() {
    let mut round = Round::new(RoundConfig::default(), 0);
    let mut outputs = handle(&mut round, Time::ZERO, Input::Started { has_contacts: false });
    for n in 1..=3 {
        assert_eq!(outputs, [Output::Train { round: n }]);
        assert_eq!(handle(&mut round, Time(n), Input::Trained), [Output::Draw { count: 4, tried: vec![] }]);
        let mixed = handle(&mut round, Time(n), Input::Drawn { peers: vec![] });
        assert_eq!(mixed, [Output::Mix { round: n, drawn: 0 }]);
        outputs = handle(&mut round, Time(n), Input::Mixed);
        assert_eq!(round.closed(), n);
    }
}

#[test]
fn a_joining_peer_pulls_before_it_trains() {
    let mut round = Round::new(RoundConfig::default(), 0);
    let until = Time::ZERO + Duration::from_secs(3);
    assert_eq!(handle(&mut round, Time::ZERO, Input::Started { has_contacts: true }), [Output::WakeAt(until)]);
    assert_eq!(handle(&mut round, Time(5), Input::PeerKnown), [Output::Draw { count: 4, tried: vec![] }]);
    handle(&mut round, Time(5), Input::Drawn { peers: vec![peer(1)] });
    let outputs = handle(&mut round, Time(9), Input::PullEnded { peer: peer(1), arrived: true });
    assert_eq!(outputs, [Output::Mix { round: 0, drawn: 1 }]);
    assert_eq!(handle(&mut round, Time(10), Input::Mixed), [Output::Train { round: 1 }]);
    assert_eq!(round.closed(), 0, "joining is not a round");
}

#[test]
fn a_failed_pull_is_replaced_and_nobody_is_drawn_twice() {
    let mut round = Round::new(RoundConfig { fan_out: 2, straggler_timeout: 0, ..RoundConfig::default() }, 0);
    handle(&mut round, Time::ZERO, Input::Started { has_contacts: false });
    handle(&mut round, Time(1), Input::Trained);
    handle(&mut round, Time(1), Input::Drawn { peers: vec![peer(1), peer(2)] });
    assert_eq!(handle(&mut round, Time(2), Input::PullEnded { peer: peer(1), arrived: true }), []);
    let outputs = handle(&mut round, Time(3), Input::PullEnded { peer: peer(2), arrived: false });
    assert_eq!(outputs, [Output::Draw { count: 1, tried: vec![peer(1), peer(2)] }]);
    let outputs = handle(&mut round, Time(3), Input::Drawn { peers: vec![peer(2)] });
    assert_eq!(outputs, [Output::Mix { round: 1, drawn: 2 }], "a draw that was tried already is no draw");
}

#[test]
fn the_deadline_closes_a_round_with_what_arrived() {
    let mut round = Round::new(RoundConfig { straggler_timeout: 0, ..RoundConfig::default() }, 7);
    handle(&mut round, Time::ZERO, Input::Started { has_contacts: false });
    handle(&mut round, Time(1), Input::Trained);
    handle(&mut round, Time(1), Input::Drawn { peers: vec![peer(1), peer(2)] });
    handle(&mut round, Time(2), Input::PullEnded { peer: peer(1), arrived: true });
    let deadline = Time(1) + Duration::from_secs(10);
    assert_eq!(handle(&mut round, Time(3), Input::Woke), [Output::WakeAt(deadline)], "woken early, it waits on");
    assert_eq!(handle(&mut round, deadline, Input::Woke), [Output::CancelPulls, Output::Mix { round: 8, drawn: 2 }]);
    assert_eq!(handle(&mut round, deadline, Input::PullEnded { peer: peer(2), arrived: true }), [], "too late");
}

fn millis(n: u64) -> Time {
    Time::ZERO + Duration::from_millis(n)
}

/// A round that trained for 20 ms and has asked four peers.
fn asked(config: RoundConfig) -> Round {
    let mut round = Round::new(config, 0);
    handle(&mut round, Time::ZERO, Input::Started { has_contacts: false });
    handle(&mut round, millis(20), Input::Trained);
    handle(&mut round, millis(20), Input::Drawn { peers: (1..=4).map(peer).collect() });
    round
}

fn ended(round: &mut Round, at: Time, n: u8, arrived: bool) -> Vec<Output> {
    handle(round, at, Input::PullEnded { peer: peer(n), arrived })
}

#[test]
fn a_round_does_not_wait_for_a_slow_peer_whose_model_counts_in_the_next() {
    let mut round = asked(RoundConfig::default());
    assert_eq!(ended(&mut round, millis(25), 1, true), []);
    assert_eq!(ended(&mut round, millis(30), 2, false), []);
    // Half took 10 ms, so all get 40.
    assert_eq!(ended(&mut round, millis(30), 3, true), [Output::WakeAt(millis(60))]);
    assert!(round.awaits(&peer(4)) && !round.awaits(&peer(1)));
    assert_eq!(handle(&mut round, millis(60), Input::Woke), [Output::Mix { round: 1, drawn: 4 }]);
    assert!(round.awaits(&peer(4)));
    assert_eq!(handle(&mut round, millis(61), Input::Mixed), [Output::Train { round: 2 }]);
    // It is not asked again, and once it is there, one fewer is drawn.
    assert_eq!(ended(&mut round, millis(70), 4, true), []);
    assert_eq!(handle(&mut round, millis(80), Input::Trained), [Output::Draw { count: 3, tried: vec![peer(4)] }]);
    handle(&mut round, millis(80), Input::Drawn { peers: vec![peer(4)] });
    assert_eq!(round.phase(), &Phase::Mixing, "nobody new was drawn");
}

#[test]
fn late_models_never_come_to_more_than_a_round_draws() {
    let mut round = asked(RoundConfig::default());
    (1..=2).for_each(|n| drop(ended(&mut round, millis(22), n, true)));
    assert_eq!(handle(&mut round, millis(60), Input::Woke), [Output::Mix { round: 1, drawn: 4 }]);
    handle(&mut round, millis(60), Input::Mixed);
    handle(&mut round, millis(80), Input::Trained);
    handle(&mut round, millis(80), Input::Drawn { peers: (5..=8).map(peer).collect() });
    // Two are late; with two more there is room, with three there was not.
    assert_eq!(ended(&mut round, millis(90), 5, true), []);
    let enough = millis(80 + 4 * 20);
    assert_eq!(ended(&mut round, millis(100), 6, true), [Output::WakeAt(enough)]);
    assert_eq!(handle(&mut round, enough, Input::Woke), [Output::Mix { round: 2, drawn: 4 }]);
    handle(&mut round, enough, Input::Mixed);
    handle(&mut round, millis(200), Input::Trained);
    handle(&mut round, millis(200), Input::Drawn { peers: vec![peer(9), peer(10)] });
    assert_eq!(ended(&mut round, millis(210), 9, true), [], "four are late: it waits to the deadline");
    let deadline = millis(200) + Duration::from_secs(10);
    assert_eq!(handle(&mut round, deadline, Input::Woke), [Output::CancelPulls, Output::Mix { round: 3, drawn: 2 }]);
    assert!((3..=10).all(|n| !round.awaits(&peer(n))));
}

#[test]
fn patience_can_be_switched_off_and_never_ends_a_round_before_its_least_interval() {
    let mut round = asked(RoundConfig { straggler_timeout: 0, ..RoundConfig::default() });
    (1..=3).for_each(|n| assert_eq!(ended(&mut round, millis(22), n, true), []));
    let mut round = asked(RoundConfig { min_interval: Duration::from_secs(1), ..RoundConfig::default() });
    ended(&mut round, millis(22), 1, true);
    assert_eq!(ended(&mut round, millis(22), 2, true), [Output::WakeAt(millis(1000))]);
}

#[test]
fn the_last_round_cancels_what_is_late() {
    let mut round = asked(RoundConfig { rounds: 1, ..RoundConfig::default() });
    (1..=3).for_each(|n| drop(ended(&mut round, millis(22), n, true)));
    handle(&mut round, millis(60), Input::Woke);
    assert_eq!(handle(&mut round, millis(61), Input::Mixed), [Output::CancelPulls]);
    assert_eq!(round.phase(), &Phase::Finished);
}

#[test]
fn rounds_keep_their_least_interval() {
    let config = RoundConfig { min_interval: Duration::from_secs(60), ..RoundConfig::default() };
    let mut round = Round::new(config, 0);
    handle(&mut round, Time(5), Input::Started { has_contacts: false });
    handle(&mut round, Time(6), Input::Trained);
    handle(&mut round, Time(6), Input::Drawn { peers: vec![] });
    let until = Time(5) + Duration::from_secs(60);
    assert_eq!(handle(&mut round, Time(7), Input::Mixed), [Output::WakeAt(until)]);
    assert_eq!(handle(&mut round, until, Input::Woke), [Output::Train { round: 2 }]);
}

#[test]
fn after_the_last_round_nothing_is_pending() {
    let mut round = Round::new(RoundConfig { rounds: 1, ..RoundConfig::default() }, 0);
    handle(&mut round, Time::ZERO, Input::Started { has_contacts: false });
    handle(&mut round, Time(1), Input::Trained);
    handle(&mut round, Time(1), Input::Drawn { peers: vec![] });
    assert_eq!(handle(&mut round, Time(1), Input::Mixed), []);
    assert_eq!((round.phase(), round.closed()), (&Phase::Finished, 1));
}

/// Progress: with any loss of answers, late, doubled and made-up inputs, a round closes within its deadline of own
/// time.
#[test]
fn every_round_closes_whatever_is_lost() {
    for seed in 0..200 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut round = Round::new(RoundConfig { fan_out: 3, ..RoundConfig::default() }, 0);
        let mut now = Time::ZERO;
        let mut wake = None;
        let mut queue = handle(&mut round, now, Input::Started { has_contacts: rng.random() });
        let mut steps = 0;
        while round.closed() < 20 {
            steps += 1;
            assert!(steps < 10_000, "seed {seed} hangs in {:?}", round.phase());
            let mut inputs = Vec::new();
            for output in queue.drain(..) {
                match output {
                    // The own learner and the own membership always answer.
                    Output::Train { .. } => inputs.push(Input::Trained),
                    Output::Mix { .. } => inputs.push(Input::Mixed),
                    Output::Draw { count, .. } => {
                        let peers = (0..rng.random_range(0..=count)).map(|_| peer(rng.random_range(0..9))).collect();
                        inputs.push(Input::Drawn { peers });
                    }
                    // Others answer, twice, or never.
                    Output::Pull { peers, .. } => {
                        for peer in peers {
                            let times = *[0, 1, 2].choose(&mut rng).unwrap();
                            inputs.extend((0..times).map(|_| Input::PullEnded { peer, arrived: rng.random() }));
                        }
                    }
                    Output::CancelPulls => {}
                    Output::WakeAt(at) => wake = Some(at),
                }
            }
            inputs.push(Input::PullEnded { peer: peer(rng.random()), arrived: true });
            if inputs.len() == 1 {
                now = wake.take().unwrap_or_else(|| panic!("seed {seed}: nothing pending in {:?}", round.phase()));
                inputs.push(Input::Woke);
            }
            inputs.into_iter().for_each(|input| round.handle(now, input, &mut queue));
        }
    }
}
