//! What an experimenter does to a world, and that it bears it.

use super::*;
use crate::attack::Attack;
use crate::mean_model;

/// A world of `peers` that only average, with short timeouts.
fn patient(model: &Averaging, seed: u64, peers: usize) -> World<'_> {
    let config = mixing(Rule::AgeLimited, Codec::F32, averaging_config(seed));
    let config = WorldConfig { request_timeout: Duration::from_secs(1), ..config };
    averaging(model, config, peers)
}

fn connections(world: &mut World<'_>, of: usize) -> (usize, usize) {
    let count = |wanted: &dyn Fn(&SimEvent) -> bool, all: &[Recorded]| {
        all.iter().filter(|recorded| recorded.peer == of && wanted(&recorded.what)).count()
    };
    let all = world.drain();
    (
        count(&|what| matches!(what, SimEvent::Connected { .. }), &all),
        count(&|what| matches!(what, SimEvent::Disconnected { .. }), &all),
    )
}

fn told_of(world: &mut World<'_>, gone: usize) -> Vec<(Time, usize)> {
    let others = world.drain().into_iter().filter(|recorded| recorded.peer != gone);
    others
        .filter(|recorded| recorded.what == SimEvent::Disconnected { other: gone })
        .map(|recorded| (recorded.at, recorded.peer))
        .collect()
}

#[test]
fn goodbye_and_a_killed_process_are_heard_at_once_and_a_crash_only_after_the_timeout() {
    let model = Averaging::new(8).unwrap();
    let heard_after = |change: Change| {
        let mut world = patient(&model, 1, 8);
        world.run_until(seconds(20));
        world.record(true);
        world.change(3, change);
        assert!(!world.stats(3).there);
        world.run_until(seconds(60));
        let heard = told_of(&mut world, 3);
        assert!(heard.len() >= 4, "{heard:?}");
        (heard[0].0 - seconds(20), heard.last().unwrap().0 - seconds(20))
    };
    assert!(heard_after(Change::Leave).1 < Duration::from_secs(1));
    assert!(heard_after(Change::Kill).1 < Duration::from_secs(1));
    let (first, last) = heard_after(Change::Crash);
    assert!(first >= Duration::from_secs(10) && last <= Duration::from_secs(15), "{first:?} to {last:?}");
}

pub(super) fn learning(
    seed: u64,
    peers: usize,
    set: impl Fn(usize, PeerStart) -> PeerStart,
) -> (Mlp, Vec<PeerStart>, WorldConfig) {
    let model = Mlp::new(4, &[8], 4, Head::Softmax, Initial::He).unwrap();
    let training = Training { steps: 10, batch: 16, learning_rate: 0.2, ..Training::default() };
    let config = WorldConfig {
        recipe: Recipe { training, ..Recipe::default() },
        request_timeout: Duration::from_secs(1),
        ..averaging_config(seed)
    };
    let starts = (0..peers).map(|peer| set(peer, PeerStart::new(clouds(peer), model.initial(4)))).collect();
    (model, starts, config)
}

/// Knows what only others have.
fn knows(model: &Mlp, world: &World<'_>, peer: usize) -> f64 {
    measure(model, world.params(peer), &clouds(peer + 1)).accuracy
}

#[test]
fn a_crash_goes_back_to_the_last_closed_round_and_leaving_does_not() {
    let (model, starts, config) = learning(2, 6, |_, start| start);
    let mut world = World::new(&model, config, starts).unwrap();
    world.record(true);
    let mut now = seconds(5);
    // Until some peer has trained and not yet mixed.
    let (peer, committed) = loop {
        world.run_until(now);
        let under_way = (0..6).find(|&peer| world.peers[peer].disk.committed.is_some());
        if let Some(peer) = under_way {
            break (peer, world.peers[peer].disk.committed.as_ref().unwrap().snapshot.params.clone());
        }
        now = now + Duration::from_millis(3);
    };
    let closed = world
        .drain()
        .into_iter()
        .rfind(|recorded| recorded.peer == peer && matches!(recorded.what, SimEvent::RoundClosed { .. }));
    assert_ne!(world.params(peer), committed);
    world.change(peer, Change::Crash);
    assert_eq!(world.params(peer), committed);
    let Some(SimEvent::RoundClosed { round, age, .. }) = closed.map(|recorded| recorded.what) else { panic!() };
    assert_eq!((round, age), (world.stats(peer).rounds, world.age(peer)));
    let (left, before) = ((peer + 1) % 6, world.params((peer + 1) % 6).to_vec());
    world.change(left, Change::Leave);
    assert_eq!(world.params(left), before);
}

#[test]
fn who_returns_goes_on_and_who_lost_its_disk_begins_anew_and_catches_up() {
    let (model, starts, config) = learning(3, 8, |_, start| start);
    let mut world = World::new(&model, config, starts).unwrap();
    world.run_until(seconds(40));
    let rounds = world.stats(1).rounds;
    world.change(1, Change::Crash);
    world.change(2, Change::Crash);
    world.run_until(seconds(80));
    assert_eq!(world.stats(1).rounds, rounds, "nothing happens to one that is away");
    world.change(1, Change::Return);
    world.change(2, Change::ReturnEmpty);
    assert_eq!((world.stats(1).rounds, world.stats(2).rounds, world.age(2)), (rounds, 0, 0));
    assert_eq!(world.params(2), model.initial(4));
    assert_eq!(world.known(2), []);
    world.run_until(seconds(85));
    let (rounds_anew, age) = (world.stats(2).rounds, world.age(2));
    assert!(rounds_anew < 8 && age > 3 * 8 * 160, "it pulled before it trained: {rounds_anew} rounds, age {age}");
    world.run_until(seconds(120));
    assert!(world.stats(1).rounds > rounds + 20 && world.stats(2).rounds > 20);
    assert!(knows(&model, &world, 1) > 0.85 && knows(&model, &world, 2) > 0.85);
}

#[test]
fn one_that_is_not_there_from_the_start_comes_and_learns() {
    let late = |peer, start| PeerStart { joins_at: (peer == 4).then(|| seconds(60)), ..start };
    let (model, starts, config) = learning(4, 6, late);
    let mut world = World::new(&model, config, starts).unwrap();
    world.run_until(seconds(59));
    assert!(!world.stats(4).there && world.stats(4).rounds == 0 && world.stats(4).bytes_in == 0);
    world.run_until(seconds(75));
    assert!(world.stats(4).there && world.stats(4).rounds > 5 && knows(&model, &world, 4) > 0.85);
}

#[test]
fn a_closed_lid_stops_everything_and_an_open_one_goes_on() {
    let (model, starts, config) = learning(5, 8, |_, start| start);
    let mut world = World::new(&model, config, starts).unwrap();
    world.run_until(seconds(20));
    world.record(true);
    world.change(0, Change::Freeze);
    world.run_until(seconds(23));
    assert!(told_of(&mut world, 0).is_empty(), "a nap is not noticed");
    let (before, stats) = (world.params(0).to_vec(), world.stats(0));
    assert!(stats.frozen && stats.there);
    world.run_until(seconds(80));
    assert!(!told_of(&mut world, 0).is_empty(), "a night is");
    assert_eq!(world.params(0), before);
    assert_eq!(world.stats(0), stats);
    world.change(0, Change::Thaw);
    world.run_until(seconds(110));
    let after = world.stats(0);
    assert!(after.rounds > stats.rounds + 15 && knows(&model, &world, 0) > 0.85, "{after:?}");
    assert!(after.longest_wait < Duration::from_secs(20), "sleep is no wait: {after:?}");
}

#[test]
fn a_training_under_a_closed_lid_takes_what_was_left_of_it() {
    let slow = |_, start| PeerStart { train_time: Some(Duration::from_secs(10)), ..start };
    let (model, starts, config) = learning(6, 1, slow);
    let mut world = World::new(&model, config, starts).unwrap();
    world.run_until(seconds(4));
    world.change(0, Change::Freeze);
    world.run_until(seconds(104));
    world.change(0, Change::Thaw);
    world.run_until(seconds(109));
    assert_eq!(world.stats(0).rounds, 0);
    world.run_until(seconds(111));
    assert_eq!(world.stats(0).rounds, 1, "10 s and at most half a second before the start");
}

#[test]
fn training_takes_as_long_as_it_is_told_to() {
    let (model, starts, config) = learning(7, 1, |_, start| PeerStart {
        train_time: Some(Duration::from_secs(2)),
        recipe: Some(Arc::new(Recipe {
            training: Training { steps: 3, batch: 2, ..Training::default() },
            ..Recipe::default()
        })),
        ..start
    });
    let mut world = World::new(&model, config, starts).unwrap();
    world.run_until(seconds(21));
    assert_eq!((world.stats(0).rounds, world.age(0)), (10, 10 * 3 * 2));
    world.change(0, Change::Slow(5.0));
    world.run_until(seconds(63));
    assert_eq!(world.stats(0).rounds, 15, "one as before, which was under way, and then each ten seconds");
}

#[test]
fn a_mover_is_found_at_its_new_address() {
    let model = Averaging::new(8).unwrap();
    let mut world = patient(&model, 8, 8);
    world.run_until(seconds(20));
    world.record(true);
    world.change(5, Change::MoveAddress);
    let (up, down) = connections(&mut world, 5);
    assert!(up == 0 && down >= 4, "{up} {down}");
    let before = world.stats(5);
    world.run_until(seconds(80));
    let after = world.stats(5);
    assert!(connections(&mut world, 5).0 >= 4);
    assert!(after.rounds > before.rounds + 40 && after.mixed > before.mixed + 40, "{after:?}");
    // Others pull from it again, too: at the end nobody asks the old address any more.
    world.run_until(seconds(100));
    let pulled = |recorded: &Recorded| matches!(recorded.what, SimEvent::Pulled { from: 5, .. });
    assert!(world.drain().iter().filter(|recorded| pulled(recorded)).count() > 10);
}

#[test]
fn a_way_that_is_blocked_ends_the_connection_and_opens_again() {
    let model = Averaging::new(8).unwrap();
    let mut world = patient(&model, 9, 6);
    world.run_until(seconds(20));
    world.record(true);
    world.block(0, 1, true);
    world.run_until(seconds(60));
    let all = world.drain();
    let gone = |one, other| {
        let what = SimEvent::Disconnected { other };
        all.iter().any(|recorded| recorded.peer == one && recorded.what == what)
    };
    assert!(gone(0, 1) && gone(1, 0), "neither end lives without the other");
    assert!(!gone(0, 2) && !gone(2, 1));
    let pulled = |all: &[Recorded], one: usize, other: usize, after: Time| {
        let hit = |recorded: &&Recorded| {
            recorded.at > after
                && recorded.peer == one
                && matches!(recorded.what, SimEvent::Pulled { from, .. } if from == other)
        };
        all.iter().filter(hit).count()
    };
    let late = seconds(21);
    assert!(pulled(&all, 0, 1, late) == 0 && pulled(&all, 1, 0, late) == 0 && pulled(&all, 0, 2, late) > 0);
    world.block(0, 1, false);
    world.run_until(seconds(200));
    let all = world.drain();
    assert!(pulled(&all, 0, 1, late) > 5 && pulled(&all, 1, 0, late) > 5);
}

#[test]
fn pieces_drift_apart_and_a_heal_brings_them_together() {
    let model = Averaging::new(16).unwrap();
    let mut world = patient(&model, 10, 16);
    world.run_until(Time::ZERO + Duration::from_millis(400));
    world.pieces(Some((0..16).map(|peer| u8::from(peer < 8)).collect()));
    world.run_until(seconds(60));
    let apart = disagreement(world.honest());
    assert!(apart > 0.3, "{apart}");
    let rounds: Vec<u64> = (0..16).map(|peer| world.stats(peer).rounds).collect();
    assert!(rounds.iter().all(|&rounds| rounds > 20), "both pieces go on: {rounds:?}");
    world.pieces(None);
    world.run_until(seconds(240));
    assert!(disagreement(world.honest()) < apart / 100.0, "{}", disagreement(world.honest()));
}

#[test]
fn the_worse_end_of_a_link_decides() {
    let model = Averaging::new(1000).unwrap();
    let millis = Duration::from_millis;
    let mobile = Link { delay: (millis(300), millis(400)), loss: 0.0, uplink: 4e3 };
    let mut world = patient(&model, 11, 4);
    world.change(0, Change::Link(Some(mobile.clone())));
    world.record(true);
    world.run_until(seconds(40));
    let took: Vec<(usize, usize, Duration)> = world
        .drain()
        .into_iter()
        .filter_map(|recorded| match recorded.what {
            SimEvent::Pulled { from, took, .. } => Some((recorded.peer, from, took)),
            _ => None,
        })
        .collect();
    let least = |pick: &dyn Fn(usize, usize) -> bool| {
        took.iter().filter(|(one, other, _)| pick(*one, *other)).map(|(_, _, took)| *took).min()
    };
    // Four messages, and 4 kB are a second of the slow uplink: a stream that flows is not given up.
    assert!(least(&|one, _| one == 0) >= Some(4 * millis(300)));
    assert!(least(&|_, other| other == 0) >= Some(4 * millis(300) + Duration::from_secs(1)));
    assert!(least(&|one, other| one > 0 && other > 0) < Some(millis(200)));
    world.change(0, Change::Link(None));
    world.run_until(seconds(60));
    assert!(world.drain().iter().any(|recorded| matches!(recorded.what, SimEvent::Pulled { from: 0, .. })));
}

#[test]
fn an_attack_moves_a_mean_and_not_a_robust_rule() {
    let model = Averaging::new(32).unwrap();
    let away = |rule, attack: Option<Attack>| {
        let config = mixing(rule, Codec::F32, averaging_config(12));
        let start = |peer: usize| PeerStart {
            attack: attack.filter(|_| peer < 2),
            ..PeerStart::new(no_rows(), model.initial(peer as u64))
        };
        let mut world = World::new(&model, config, (0..12).map(start).collect()).unwrap();
        let mean = mean_model(world.honest());
        world.run_until(seconds(60));
        assert!(world.honest().all(peerlearn_protocols::invariant::finite));
        let end = mean_model(world.honest());
        end.iter().zip(&mean).map(|(x, m)| (x - m).powi(2)).sum::<f32>().sqrt()
    };
    let calm = away(Rule::Uniform, None);
    assert!(calm < 2.0, "{calm}");
    for attack in [Attack::Gaussian(30.0), Attack::Ipm(100.0), Attack::Alie(20.0)] {
        let (mean, robust) = (away(Rule::Uniform, Some(attack)), away(Rule::TrimmedMean { b: 1 }, Some(attack)));
        assert!(mean > 5.0 && robust < mean / 3.0, "{attack}: {mean} and {robust}");
    }
}

#[test]
fn poisoned_labels_are_learnt_and_an_attacker_is_not_honest() {
    let attack = |peer, start| PeerStart { attack: (peer == 0).then_some(Attack::LabelFlip), ..start };
    let (model, starts, config) = learning(13, 1, attack);
    let mut world = World::new(&model, config, starts).unwrap();
    world.run_until(seconds(30));
    assert_eq!(world.honest().count(), 0);
    assert!(measure(&model, world.params(0), &clouds(0)).accuracy < 0.2, "it learnt 3 - y");
}

/// Every kind of change, on several pieces of one timeline.
fn timeline(seed: u64) -> (u64, Vec<Recorded>, Vec<Stats>) {
    let model = Averaging::new(32).unwrap();
    let config = WorldConfig { link: Link { loss: 0.02, ..Link::default() }, ..averaging_config(seed) };
    let start = |peer: usize| PeerStart {
        joins_at: (peer % 10 == 9).then(|| seconds(12)),
        attack: (peer == 7).then_some(Attack::Alie(1.5)),
        link: (peer == 8)
            .then(|| Link { delay: (Duration::from_millis(1), Duration::from_millis(90)), ..Link::default() }),
        ..PeerStart::new(no_rows(), model.initial(peer as u64))
    };
    let mut world = World::new(&model, config, (0..200).map(start).collect()).unwrap();
    world.record(true);
    let mut recorded = Vec::new();
    let steps: [(u64, &[(usize, Change)]); 6] = [
        (5, &[(0, Change::Crash), (1, Change::Leave), (2, Change::Freeze), (3, Change::Slow(3.0))]),
        (9, &[(4, Change::MoveAddress), (5, Change::Link(Some(Link { loss: 0.5, ..Link::default() })))]),
        (14, &[(0, Change::Return), (2, Change::Thaw), (2, Change::Crash)]),
        (18, &[(1, Change::ReturnEmpty), (5, Change::Link(None)), (6, Change::Crash), (6, Change::Crash)]),
        (22, &[(2, Change::Return), (6, Change::ReturnEmpty)]),
        (26, &[]),
    ];
    for (at, changes) in steps {
        world.run_until(seconds(at));
        changes.iter().for_each(|(peer, change)| world.change(*peer, change.clone()));
        world.block(10, 11, at < 15);
        world.pieces((at == 9).then(|| (0..200).map(|peer| u8::from(peer % 3 == 0)).collect()));
        recorded.extend(world.drain());
    }
    (world.digest(), recorded, (0..200).map(|peer| world.stats(peer)).collect())
}

#[test]
fn a_timeline_gives_the_same_bytes_on_any_number_of_threads() {
    let run = on_threads([1, 2, 7], || timeline(21));
    assert_ne!(timeline(22).0, run.0);
    assert!(run.1.is_sorted_by_key(|recorded| recorded.at));
    for kind in [0, 1, 2, 3] {
        let of = |what: &SimEvent| match what {
            SimEvent::Pulled { .. } => 0,
            SimEvent::Connected { .. } => 1,
            SimEvent::Disconnected { .. } => 2,
            SimEvent::RoundClosed { .. } => 3,
            SimEvent::Estimated(_) => 4,
        };
        assert!(run.1.iter().any(|recorded| of(&recorded.what) == kind), "{kind}");
    }
}

#[test]
fn what_is_not_recorded_is_not_kept_and_recording_changes_nothing() {
    let model = Averaging::new(8).unwrap();
    let run = |record| {
        let mut world = patient(&model, 14, 8);
        world.record(record);
        world.run_until(seconds(10));
        (world.digest(), world.drain().len())
    };
    let (off, on) = (run(false), run(true));
    assert!(off.0 == on.0 && off.1 == 0 && on.1 > 100);
}

#[test]
fn what_is_sent_arrives_where_nothing_is_lost() {
    let model = Averaging::new(64).unwrap();
    let config = WorldConfig { round: RoundConfig { rounds: 3, ..averaging_config(15).round }, ..averaging_config(15) };
    let discovery = fixed(&Graph::Ring, 8);
    // One that is not there yet would not hear.
    let start_within = Duration::ZERO;
    let mut world = averaging(&model, WorldConfig { discovery, start_within, ..config }, 8);
    world.run_until(seconds(60));
    let sum = |pick: fn(&Stats) -> u64| (0..8).map(|peer| pick(&world.stats(peer))).sum::<u64>();
    assert!(sum(|stats| stats.bytes_in) > 1000);
    assert_eq!(sum(|stats| stats.bytes_in), sum(|stats| stats.bytes_out));
}
