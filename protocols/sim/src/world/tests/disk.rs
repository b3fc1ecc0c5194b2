//! Disks that take nothing more.

use super::faults::learning;
use super::*;

const FULL: Change = Change::Disk { full: true };
const ROOM: Change = Change::Disk { full: false };

/// Round and age of what each of these peers closed last, and its parameters, as soon as they are no longer in
/// training.
fn closed(world: &mut World<'_>, peer: usize) -> (u64, u64, Vec<f32>) {
    let mut at = world.now();
    while world.peers[peer].disk.committed.is_some() {
        at = at + Duration::from_millis(3);
        world.run_until(at);
    }
    now(world, peer)
}

fn now(world: &World<'_>, peer: usize) -> (u64, u64, Vec<f32>) {
    (world.stats(peer).rounds, world.age(peer), world.params(peer).to_vec())
}

#[test]
fn rounds_that_did_not_fit_are_lost_however_a_peer_ends_and_others_lose_none() {
    let (model, starts, config) = learning(31, 8, |_, start| start);
    for end in [Change::Kill, Change::Crash, Change::Leave] {
        let mut world = World::new(&model, config.clone(), starts.clone()).unwrap();
        world.run_until(seconds(10));
        let kept = closed(&mut world, 1);
        world.change(1, FULL);
        world.run_until(seconds(30));
        let (full, usual) = (world.stats(1).rounds, world.stats(2).rounds);
        assert!(full > kept.0 + 15, "it goes on learning in memory: {full}");
        world.change(1, end.clone());
        world.change(2, end.clone());
        assert_eq!(now(&world, 1), kept, "{end:?}");
        assert_eq!(world.stats(2).rounds, usual, "{end:?}");
        world.run_until(seconds(32));
        world.change(1, Change::Return);
        assert_eq!(now(&world, 1), kept, "{end:?}");
        world.run_until(seconds(52));
        assert!(world.stats(1).rounds > kept.0 + 15, "it begins again with round {}", kept.0);
        // Still full: what it had learnt anew goes the same way.
        world.change(1, end.clone());
        assert_eq!(now(&world, 1), kept, "{end:?}");
    }
}

#[test]
fn a_disk_that_fills_in_the_middle_of_a_round_has_the_round_before() {
    let (model, starts, config) = learning(32, 4, |_, start| start);
    let mut world = World::new(&model, config, starts).unwrap();
    world.run_until(seconds(5));
    let kept = closed(&mut world, 0);
    let mut at = world.now();
    while world.age(0) == kept.1 {
        at = at + Duration::from_millis(3);
        world.run_until(at);
    }
    world.change(0, FULL);
    world.run_until(seconds(20));
    world.change(0, Change::Kill);
    assert_eq!(now(&world, 0), kept);
}

#[test]
fn with_room_again_the_next_closed_round_is_kept_and_not_before() {
    let (model, starts, config) = learning(33, 6, |_, start| start);
    let mut world = World::new(&model, config, starts).unwrap();
    world.run_until(seconds(10));
    let kept = closed(&mut world, 0);
    closed(&mut world, 1);
    world.change(0, FULL);
    world.change(1, FULL);
    world.run_until(seconds(30));
    world.change(0, ROOM);
    world.change(1, ROOM);
    world.change(0, Change::Kill);
    assert_eq!(now(&world, 0), kept, "no round was closed since there is room");
    let later = closed(&mut world, 1);
    assert!(later.0 > kept.0 + 15, "{} rounds", later.0);
    world.change(1, Change::Kill);
    assert_eq!(now(&world, 1), later);
    world.run_until(seconds(31));
    world.change(1, Change::Return);
    assert_eq!(world.stats(1).rounds, later.0);
}

#[test]
fn a_goodbye_with_room_saves_what_was_learnt_on_a_full_disk() {
    let (model, starts, config) = learning(34, 4, |_, start| start);
    let mut world = World::new(&model, config, starts).unwrap();
    world.run_until(seconds(10));
    world.change(0, FULL);
    world.run_until(seconds(20));
    world.change(0, ROOM);
    let memory = now(&world, 0);
    world.change(0, Change::Leave);
    assert_eq!(now(&world, 0), memory);
    // Killed at once after it is back, it has what it left with.
    world.change(0, Change::Return);
    world.change(0, Change::Kill);
    assert_eq!(now(&world, 0), memory);
}

#[test]
fn a_lost_disk_is_replaced_by_one_with_room() {
    let (model, starts, config) = learning(35, 4, |_, start| start);
    let mut world = World::new(&model, config, starts).unwrap();
    world.run_until(seconds(10));
    world.change(0, FULL);
    world.change(0, Change::Kill);
    world.change(0, Change::ReturnEmpty);
    assert_eq!(world.stats(0).rounds, 0);
    world.run_until(seconds(30));
    let memory = closed(&mut world, 0);
    assert!(memory.0 > 10);
    world.change(0, Change::Kill);
    assert_eq!(now(&world, 0), memory);
}

#[test]
fn one_that_is_away_while_its_disk_is_full_comes_back_with_what_it_had() {
    let (model, starts, config) = learning(36, 4, |_, start| start);
    let mut world = World::new(&model, config, starts).unwrap();
    world.run_until(seconds(10));
    world.change(0, Change::Leave);
    let left = now(&world, 0);
    world.change(0, FULL);
    world.change(0, Change::Return);
    world.run_until(seconds(20));
    assert!(world.stats(0).rounds > left.0);
    world.change(0, Change::Kill);
    assert_eq!(now(&world, 0), left);
}

/// The books of mass are of the same moment as the model, and those of its partners, which are not, bear it.
#[test]
fn mass_goes_back_with_the_model() {
    let model = Averaging::new(64).unwrap();
    let config = mixing(Rule::PushSum, Codec::F32, averaging_config(37));
    let mut world = averaging(&model, config, 8);
    // As of the last closed round that is on the disk.
    let held = |world: &World<'_>, peer: usize| world.peers[peer].disk.account.as_ref().unwrap().held();
    world.run_until(seconds(10));
    let (before, kept) = (held(&world, 0), now(&world, 0));
    world.change(0, FULL);
    world.run_until(seconds(30));
    assert_ne!(world.peers[0].machine.ledger().unwrap().held(), before);
    for until in [40, 50] {
        world.change(0, Change::Kill);
        assert_eq!((held(&world, 0), now(&world, 0)), (before, kept.clone()));
        world.change(0, Change::Return);
        world.run_until(seconds(until));
        assert!(world.stats(0).rounds > kept.0 + 5 && world.stats(0).mixed > 0);
    }
}

#[test]
fn full_disks_give_the_same_bytes_on_any_number_of_threads() {
    let run = |change: Change| {
        let model = Averaging::new(32).unwrap();
        let config = WorldConfig { discovery: fixed(&Graph::Ring, 130), ..averaging_config(38) };
        let mut world = averaging(&model, config, 130);
        world.run_until(seconds(5));
        (0..20).for_each(|peer| world.change(peer, change.clone()));
        world.run_until(seconds(10));
        (0..20).for_each(|peer| world.change(peer, Change::Kill));
        (0..20).for_each(|peer| world.change(peer, Change::Return));
        world.run_until(seconds(15));
        (world.digest(), (0..130).map(|peer| world.stats(peer)).collect::<Vec<_>>())
    };
    assert_ne!(run(ROOM).0, on_threads([1, 2, 7], || run(FULL)).0);
}
