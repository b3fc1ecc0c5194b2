use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use rand::SeedableRng;

use super::*;

fn id(number: u8) -> PeerId {
    PeerId([number; 32])
}

fn view(own: u8, config: ViewConfig) -> View {
    View::new(id(own), config, ChaCha8Rng::seed_from_u64(u64::from(own)))
}

fn told(peer: u8, prefix: Prefix, age: u32) -> Descriptor {
    Descriptor { peer: id(peer), prefix, age }
}

fn local(peers: impl IntoIterator<Item = u8>) -> Vec<Descriptor> {
    peers.into_iter().map(|peer| told(peer, Prefix::Local, 0)).collect()
}

/// One shuffle of each of `views` in turn, messages delivered at once; peers without a view are dead.
fn shuffle_all(views: &mut BTreeMap<PeerId, View>) {
    for peer in views.keys().copied().collect::<Vec<_>>() {
        let Some((partner, message)) = views.get_mut(&peer).and_then(View::start_shuffle) else { continue };
        let answer = views.get_mut(&partner).map(|view| view.on_request(peer, message));
        let Some(view) = views.get_mut(&peer) else { continue };
        match answer {
            Some(answer) => view.on_response(partner, answer),
            None => view.on_failed(partner),
        }
    }
}

/// A network that starts as a line: each knows the one before.
fn network(peers: u8, config: ViewConfig) -> BTreeMap<PeerId, View> {
    let views = (0..peers).map(|peer| {
        let mut view = view(peer, config);
        view.insert_contact(id(peer.saturating_sub(1)), Prefix::Local);
        (id(peer), view)
    });
    views.collect()
}

fn in_degrees(views: &BTreeMap<PeerId, View>) -> BTreeMap<PeerId, usize> {
    let mut degrees: BTreeMap<PeerId, usize> = views.keys().map(|peer| (*peer, 0)).collect();
    for peer in views.values().flat_map(View::peers) {
        *degrees.entry(peer).or_default() += 1;
    }
    degrees
}

#[test]
fn a_network_mixes_and_stays_even() {
    let mut views = network(200, ViewConfig { per_introducer: 12, ..ViewConfig::new(12, 6) });
    (0..60).for_each(|_| shuffle_all(&mut views));
    let degrees = in_degrees(&views);
    let (least, most) = (degrees.values().min(), degrees.values().max());
    assert!(least >= Some(&3) && most <= Some(&30), "{least:?} {most:?}");
    assert!(views.values().all(|view| view.peers().count() == 12));
    let mut reached = BTreeSet::from([id(0)]);
    let mut open = vec![id(0)];
    while let Some(peer) = open.pop() {
        open.extend(views[&peer].peers().filter(|other| reached.insert(*other)));
    }
    assert_eq!(reached.len(), 200);
}

#[test]
fn the_dead_are_forgotten() {
    let mut views = network(100, ViewConfig::new(12, 6));
    (0..30).for_each(|_| shuffle_all(&mut views));
    views.retain(|peer, _| *peer < id(60));
    (0..40).for_each(|_| shuffle_all(&mut views));
    assert_eq!(views.values().flat_map(View::peers).filter(|peer| *peer >= id(60)).count(), 0);
    assert!(views.values().all(|view| view.peers().count() > 0));
}

#[test]
fn two_peers_keep_each_other() {
    let mut views = network(2, ViewConfig::default());
    for _ in 0..5 {
        shuffle_all(&mut views);
        assert_eq!(in_degrees(&views), BTreeMap::from([(id(0), 1), (id(1), 1)]));
    }
}

#[test]
fn the_oldest_is_asked_first() {
    let mut view = view(0, ViewConfig::default());
    let mut message = local([1]);
    message.extend([told(2, Prefix::Local, 9), told(3, Prefix::Local, 4), told(4, Prefix::Local, u32::MAX)]);
    view.on_request(id(1), message);
    let asked: Vec<Option<PeerId>> = (0..5).map(|_| view.start_shuffle().map(|(partner, _)| partner)).collect();
    // Nobody answers, so each is forgotten at the next shuffle.
    assert_eq!(asked, [Some(id(4)), Some(id(2)), Some(id(3)), Some(id(1)), None]);
}

#[test]
fn a_shuffle_tells_of_oneself_and_not_of_the_partner() {
    let mut view = view(0, ViewConfig::new(20, 5));
    view.set_own_prefix(Prefix::V4([8, 8]));
    (1..=10).for_each(|peer| assert!(view.insert_contact(id(peer), Prefix::Local)));
    let (partner, message) = view.start_shuffle().unwrap();
    assert_eq!(message.len(), 5);
    assert_eq!(message.last(), Some(&told(0, Prefix::V4([8, 8]), 0)));
    assert!(message.iter().all(|descriptor| descriptor.peer != partner));
    let answer = view.on_request(id(3), Vec::new());
    assert_eq!(answer.len(), 5);
    assert!(answer.iter().all(|descriptor| descriptor.peer != id(3) && descriptor.peer != id(0)));
}

#[test]
fn only_the_partner_may_answer_and_once() {
    let mut view = view(0, ViewConfig::default());
    view.on_response(id(1), local([5]));
    assert_eq!(view.peers().count(), 0);
    view.insert_contact(id(1), Prefix::Local);
    assert_eq!(view.start_shuffle().map(|(partner, _)| partner), Some(id(1)));
    view.on_response(id(2), local([5]));
    view.on_response(id(1), local([6]));
    view.on_response(id(1), local([7]));
    assert_eq!(view.peers().collect::<Vec<_>>(), [id(1), id(6)]);
    let introduced = Entry { peer: id(6), age: 0, introducer: id(1), prefix: Prefix::Local };
    assert_eq!(view.entries()[1], introduced);
}

#[test]
fn contacts_are_bounded_and_refreshed() {
    let mut view = view(0, ViewConfig::new(8, 4));
    assert!(!view.insert_contact(id(0), Prefix::Local));
    let block = Prefix::V4([1, 1]);
    assert_eq!([1, 2, 3].map(|peer| view.insert_contact(id(peer), block)), [true, true, false]);
    (4..=9).for_each(|peer| assert!(view.insert_contact(id(peer), Prefix::Local)));
    assert!(!view.insert_contact(id(10), Prefix::Local));
    view.start_shuffle();
    // Known already: young again, and not moved into a full block.
    assert!(view.insert_contact(id(4), block) && view.insert_contact(id(1), Prefix::V4([2, 2])));
    let entry = |peer| view.entries().iter().copied().find(|entry| entry.peer == id(peer));
    assert_eq!(entry(4), Some(Entry { peer: id(4), age: 0, introducer: id(4), prefix: Prefix::Local }));
    assert_eq!(entry(1).map(|entry| entry.prefix), Some(Prefix::V4([2, 2])));
}

#[test]
fn one_introducer_cannot_fill_a_view() {
    let mut view = view(0, ViewConfig::new(16, 8));
    (1..=16).for_each(|peer| assert!(view.insert_contact(id(peer), Prefix::Local)));
    for burst in 0..20 {
        view.on_request(id(99), local(100 + burst * 7..107 + burst * 7));
    }
    assert_eq!(view.peers().filter(|peer| *peer >= id(100)).count(), 4);
    assert_eq!(view.peers().count(), 16);
}

#[test]
fn draws_leave_out_the_excluded() {
    let mut view = view(0, ViewConfig::default());
    (1..=6).for_each(|peer| assert!(view.insert_contact(id(peer), Prefix::Local)));
    let drawn: BTreeSet<PeerId> = view.draw(9, &[id(2), id(3)]).into_iter().collect();
    assert_eq!(drawn, BTreeSet::from([1, 4, 5, 6].map(id)));
    assert_eq!(view.draw(2, &[]).len(), 2);
    view.on_failed(id(1));
    assert_eq!(view.sources().len(), 5);
}

/// Whatever can happen to a view.
#[derive(Debug, Clone)]
enum Event {
    Contact(u8, Prefix),
    Start,
    Request(u8, Vec<Descriptor>),
    Response(Option<u8>, Vec<Descriptor>),
    Failed(u8),
}

fn any_prefix() -> impl Strategy<Value = Prefix> {
    prop_oneof![Just(Prefix::Local), (0..3_u8).prop_map(|b| Prefix::V4([1, b])), Just(Prefix::V6([1; 4]))]
}

fn any_event() -> impl Strategy<Value = Event> {
    let descriptor =
        (0..30_u8, any_prefix(), any::<u32>()).prop_map(|(peer, prefix, age)| told(peer, prefix, age)).boxed();
    let message = proptest::collection::vec(descriptor, 0..25);
    prop_oneof![
        (0..30_u8, any_prefix()).prop_map(|(peer, prefix)| Event::Contact(peer, prefix)),
        Just(Event::Start),
        (0..30_u8, message.clone()).prop_map(|(from, message)| Event::Request(from, message)),
        (proptest::option::weighted(0.3, 0..30_u8), message).prop_map(|(from, message)| Event::Response(from, message)),
        (0..30_u8).prop_map(Event::Failed),
    ]
}

/// The most entries that share a key.
fn most<K: Ord>(keys: impl Iterator<Item = K>) -> usize {
    let mut counts = BTreeMap::new();
    keys.for_each(|key| *counts.entry(key).or_insert(0) += 1);
    counts.into_values().max().unwrap_or_default()
}

proptest! {
    #[test]
    fn the_bounds_hold_whatever_arrives(
        events in proptest::collection::vec(any_event(), 0..80),
        (capacity, shuffle, per_introducer, per_prefix) in (0..14_usize, 0..8_usize, 0..5_usize, 0..5_usize),
    ) {
        let config = ViewConfig { capacity, shuffle, per_introducer, per_prefix };
        let mut view = view(0, config);
        let mut asked = id(1);
        for event in events {
            match event {
                Event::Contact(peer, prefix) => _ = view.insert_contact(id(peer), prefix),
                Event::Start => {
                    if let Some((partner, message)) = view.start_shuffle() {
                        asked = partner;
                        prop_assert!(message.len() <= shuffle.max(1));
                    }
                }
                Event::Request(from, message) => prop_assert!(view.on_request(id(from), message).len() <= shuffle),
                Event::Response(from, message) => view.on_response(from.map_or(asked, id), message),
                Event::Failed(peer) => view.on_failed(id(peer)),
            }
            let entries = view.entries();
            prop_assert!(entries.len() <= capacity);
            prop_assert!(entries.iter().all(|entry| entry.peer != id(0)));
            prop_assert!(most(entries.iter().map(|entry| entry.peer)) <= 1);
            prop_assert!(most(entries.iter().map(|entry| entry.introducer)) <= per_introducer);
            let public = entries.iter().map(|entry| entry.prefix).filter(Prefix::is_public);
            prop_assert!(most(public) <= per_prefix);
        }
    }
}
