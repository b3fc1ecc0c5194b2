//! Peers that mix in pairs.

use super::*;
use crate::mean_model;

fn pairs(seed: u64, loss: f64) -> WorldConfig {
    let plain = averaging_config(seed);
    let round = RoundConfig { fan_out: 4, rounds: 60, ..plain.round.clone() };
    // All start at once, so nobody takes a first model over from one who was there before, which is no session. They
    // train for different times: whoever initiates one is busy, and if all initiate at once nobody responds.
    let train_time = (Duration::ZERO, Duration::from_millis(900));
    let plain = mixing(Rule::Pair, Codec::F32, plain);
    let config = WorldConfig { round, train_time, start_within: Duration::ZERO, ..plain };
    // Whose question is lost is busy until it gives up.
    let request_timeout = Duration::from_secs(1);
    WorldConfig { link: Link { loss, ..config.link.clone() }, request_timeout, ..config }
}

/// Largest distance of any number of the mean model from what it was at first, and the disagreement at the end.
fn moved(config: WorldConfig, peers: usize) -> (f32, f64, u64) {
    let model = Averaging::new(32).unwrap();
    let mut world = averaging(&model, config, peers);
    let before = mean_model(world.honest());
    world.run_until(seconds(600));
    for peer in 0..peers {
        let stats = world.stats(peer);
        assert!(stats.rounds == 60 && stats.mixed > 0 && stats.faults == 0, "{stats:?}");
    }
    let after = mean_model(world.honest());
    let away = before.iter().zip(&after).map(|(before, after)| (before - after).abs()).fold(0.0, f32::max);
    (away, disagreement(world.honest()), world.digest())
}

#[test]
fn pairs_keep_the_mean_whatever_is_lost() {
    // A session is ten messages, and one that is lost ends it or delays its end. They began 5.7 apart.
    for (seed, loss, most) in [(1, 0.0, 1e-3), (2, 0.05, 0.1), (3, 0.2, 3.0)] {
        let (away, apart, _) = moved(pairs(seed, loss), 13);
        assert!(away < 1e-4 && apart < most, "loss {loss}: mean moved by {away}, {apart} apart");
    }
}

#[test]
fn pairs_give_the_same_bytes_on_any_number_of_threads() {
    let hash = on_threads([1, 2, 7], || moved(pairs(4, 0.1), 70).2);
    assert_ne!(moved(pairs(5, 0.1), 70).2, hash);
}

#[test]
fn pairs_have_sessions_only_with_pairs_and_others_pull_from_them() {
    let model = Averaging::new(32).unwrap();
    let config = mixing(Rule::Uniform, Codec::F32, averaging_config(6));
    let (paired, round) = (Arc::new(pairs(6, 0.0).recipe), pairs(6, 0.0).round);
    let start = |peer: usize| PeerStart {
        recipe: (peer < 6).then(|| Arc::clone(&paired)),
        round: (peer < 6).then(|| round.clone()),
        ..PeerStart::new(no_rows(), model.initial(peer as u64))
    };
    let mut world = World::new(&model, config, (0..12).map(start).collect()).unwrap();
    world.run_until(seconds(10));
    world.record(true);
    world.run_until(seconds(50));
    let (mut met, mut pulled) = (0, 0);
    for Recorded { peer, what, .. } in world.drain() {
        let SimEvent::Pulled { from, .. } = what else { continue };
        assert!(peer >= 6 || from < 6, "{peer} had a session with {from}, who has none");
        met += usize::from(peer < 6);
        pulled += usize::from(peer >= 6 && from < 6);
    }
    assert!(met > 100 && pulled > 100, "{met} {pulled}");
    assert!((0..12).all(|peer| world.stats(peer).faults == 0));
}

/// A responder that is killed has its delta, or not, and comes back; the others go on.
#[test]
fn who_is_killed_in_a_session_stops_nobody() {
    let model = Averaging::new(32).unwrap();
    let round = RoundConfig { rounds: 0, ..pairs(7, 0.0).round };
    let mut world = averaging(&model, WorldConfig { round, ..pairs(7, 0.0) }, 6);
    for turn in 0..20 {
        let peer = turn as usize % 3;
        world.run_until(seconds(4 * turn + 2));
        world.change(peer, Change::Kill);
        world.run_until(seconds(4 * turn + 4));
        world.change(peer, Change::Return);
    }
    world.run_until(seconds(140));
    for peer in 0..6 {
        let stats = world.stats(peer);
        assert!(stats.rounds > 60 && stats.faults == 0, "{peer}: {stats:?}");
    }
    assert!(disagreement(world.honest()) < 0.05);
}
