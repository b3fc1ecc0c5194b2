mod networks;

use std::time::Duration;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::codec::CodecSet;
use crate::id::{PeerId, TaskId};
use crate::time::Time;
use crate::wire::{Address, Announcement, ModelSummary};

const TASK: TaskId = TaskId([7; 32]);

fn peer(name: &str) -> PeerId {
    PeerId(*blake3::hash(name.as_bytes()).as_bytes())
}

fn machine(config: MembershipConfig) -> Membership {
    machine_of("ant", config)
}

fn machine_of(name: &str, config: MembershipConfig) -> Membership {
    let mut ant = Membership::new(peer(name), TASK, 1, config, ChaCha8Rng::seed_from_u64(1));
    ant.handle(Time::ZERO, Input::Moved { addresses: vec![Address("/memory/1".into())] }, &mut Vec::new());
    ant
}

fn seconds(seconds: u64) -> Time {
    Time::ZERO + Duration::from_secs(seconds)
}

fn says(name: &str, sequence: u64) -> Input {
    said(name, sequence, None, format!("/memory/{name}"))
}

/// An announcement that `via` passed on.
fn said(name: &str, sequence: u64, via: Option<&str>, address: String) -> Input {
    let announcement = Announcement {
        task: TASK,
        sequence,
        addresses: vec![Address(address)],
        round: 1,
        samples: 10,
        offer: None,
        codecs: CodecSet::all(),
        sketch: ModelSummary::default(),
    };
    Input::Announced { author: peer(name), via: via.map(peer), announcement }
}

fn handle(machine: &mut Membership, now: Time, input: Input) -> Vec<Output> {
    let mut outputs = Vec::new();
    machine.handle(now, input, &mut outputs);
    outputs
}

fn verdict(outputs: &[Output]) -> Acceptance {
    let verdicts: Vec<_> =
        outputs.iter().filter_map(|o| if let Output::Judge(v) = o { Some(*v) } else { None }).collect();
    assert_eq!(verdicts.len(), 1, "every announcement is judged once");
    verdicts[0]
}

fn announces(outputs: &[Output]) -> bool {
    outputs.iter().any(|output| matches!(output, Output::Announce(_)))
}

#[test]
fn a_newcomer_is_discovered_once_and_greeted() {
    let mut ant = machine(MembershipConfig::default());
    let outputs = handle(&mut ant, seconds(1), says("bat", 1));
    assert!(outputs.contains(&Output::Discovered { peer: peer("bat"), known: 1 }));
    let Some(Output::WakeAt(wake)) = outputs.last().cloned() else { panic!("no wake") };
    assert!(wake <= seconds(2), "the greeting waits for the topic's rate, not for the interval: {wake:?}");
    let outputs = handle(&mut ant, wake, Input::Woke);
    assert!(announces(&outputs));
    let outputs = handle(&mut ant, seconds(9), says("bat", 2));
    assert!(!outputs.iter().any(|output| matches!(output, Output::Discovered { .. })));
}

#[test]
fn replays_are_ignored_and_other_tasks_rejected() {
    let mut ant = machine(MembershipConfig::default());
    assert_eq!(verdict(&handle(&mut ant, seconds(1), says("bat", 5))), Acceptance::Accept);
    assert_eq!(verdict(&handle(&mut ant, seconds(2), says("bat", 5))), Acceptance::Ignore);
    assert_eq!(verdict(&handle(&mut ant, seconds(2), says("bat", 4))), Acceptance::Ignore);
    let Input::Announced { author, via, mut announcement } = says("cat", 1) else { unreachable!() };
    announcement.task = TaskId([8; 32]);
    let outputs = handle(&mut ant, seconds(3), Input::Announced { author, via, announcement });
    assert_eq!(verdict(&outputs), Acceptance::Reject);
    assert_eq!(ant.known().len(), 1);
}

/// After a sleep or a partition all that waited comes at once, by the author itself or by others.
#[test]
fn what_waited_is_believed_not_passed_on_and_nobodys_fault() {
    let mut ant = machine(MembershipConfig::default());
    for (author, via) in [("bat", "bat"), ("cat", "dog")] {
        let said = (1..100).map(|n| handle(&mut ant, seconds(1), said(author, n, Some(via), format!("/memory/{n}"))));
        let said: Vec<Vec<Output>> = said.collect();
        assert_eq!(said.iter().filter(|outputs| verdict(outputs) == Acceptance::Accept).count(), 16);
        assert!(said.iter().flatten().all(|output| !matches!(output, Output::Flooded { .. })));
        assert_eq!(ant.known()[&peer(author)].addresses[0].0, "/memory/99", "the newest is believed");
    }
}

/// A peer to whom others connect again and again still speaks no more often than others take in good part.
#[test]
fn reconnecting_does_not_make_a_peer_flood() {
    let mut ant = machine(MembershipConfig::default());
    let mut bat = machine_of("bat", MembershipConfig::default());
    let mut blamed = 0;
    for tick in 0..1200 {
        let now = Time::ZERO + Duration::from_millis(50 * tick);
        let mut outputs = handle(&mut ant, now, Input::Connected { peer: peer("churner") });
        outputs.extend(handle(&mut ant, now, Input::Disconnected { peer: peer("churner") }));
        for output in outputs {
            if let Output::Announce(announcement) = output {
                let input =
                    Input::Announced { author: peer("ant"), via: Some(peer("ant")), announcement: *announcement };
                blamed += handle(&mut bat, now, input).iter().filter(|o| matches!(o, Output::Flooded { .. })).count();
            }
        }
    }
    assert_eq!(blamed, 0);
}

#[test]
fn the_view_never_grows_past_its_limit_and_live_peers_stay() {
    let config = MembershipConfig { max_peers: 8, ..MembershipConfig::default() };
    let mut ant = machine(config);
    for n in 0..8 {
        handle(&mut ant, seconds(1), says(&format!("friend {n}"), 1));
    }
    for n in 0..1000 {
        let outputs = handle(&mut ant, seconds(2), says(&format!("stranger {n}"), 1));
        assert_eq!(verdict(&outputs), Acceptance::Ignore);
        assert!(ant.known().len() <= 8);
    }
    assert!(ant.known().contains_key(&peer("friend 0")));
    // Overdue friends make room.
    handle(&mut ant, seconds(30), says("stranger", 1));
    assert!(ant.known().contains_key(&peer("stranger")));
    assert_eq!(ant.known().len(), 8);
}

#[test]
fn the_rate_of_announcing_falls_with_the_number_of_peers() {
    let announcements = |peers: usize| {
        let mut ant = machine(MembershipConfig { max_peers: 10_000, ..MembershipConfig::default() });
        for n in 0..peers {
            handle(&mut ant, seconds(1), says(&format!("peer {n}"), 1));
        }
        let mut now = seconds(2);
        let mut count = 0;
        while now < seconds(602) {
            let outputs = handle(&mut ant, now, Input::Woke);
            count += usize::from(announces(&outputs));
            let Some(Output::WakeAt(wake)) = outputs.last().cloned() else { panic!("no wake") };
            assert!(wake > now);
            now = wake;
            // Keep everyone alive, so that the estimate of the size stays.
            ant.base.table.values_mut().for_each(|known| known.heard = now);
        }
        count
    };
    assert!((100..=160).contains(&announcements(3)), "every five seconds in a small network");
    assert!((2..=5).contains(&announcements(1000)), "1000 peers share 4 announcements a second");
}

#[test]
fn silent_peers_expire_and_are_tried_again_when_nobody_is_left() {
    let mut ant = machine(MembershipConfig::default());
    handle(&mut ant, seconds(1), says("bat", 1));
    handle(&mut ant, seconds(1), Input::Connected { peer: peer("bat") });
    handle(&mut ant, seconds(2), Input::Disconnected { peer: peer("bat") });
    let outputs = handle(&mut ant, seconds(120), Input::Woke);
    assert!(outputs.contains(&Output::Expired { peer: peer("bat") }));
    let outputs = handle(&mut ant, seconds(300), Input::Woke);
    let dialled = outputs.iter().any(|o| matches!(o, Output::Dial { peer: Some(p), .. } if *p == peer("bat")));
    assert!(dialled, "{outputs:?}");
}

#[test]
fn draws_are_uniform_and_dial_who_is_not_connected() {
    let mut ant = machine(MembershipConfig::default());
    for name in ["bat", "cat", "dog", "eel", "fox"] {
        handle(&mut ant, seconds(1), says(name, 1));
    }
    handle(&mut ant, seconds(1), Input::Connected { peer: peer("bat") });
    let mut counts = std::collections::BTreeMap::new();
    for _ in 0..5000 {
        let drawn = ant.draw(seconds(100), 2, &[peer("fox")]);
        assert_eq!(drawn.len(), 2);
        let is_dialled = |drawn: &PeerId| !ant.addresses_to_dial(drawn).is_empty();
        assert!(drawn.iter().all(|drawn| is_dialled(drawn) == (*drawn != peer("bat"))), "exactly the unconnected ones");
        drawn.into_iter().for_each(|drawn| *counts.entry(drawn).or_insert(0) += 1);
    }
    assert_eq!(counts.len(), 4, "the one already tried is never drawn");
    // Each of four is drawn with probability 1/2: 2500 +- 6 standard deviations of 35.
    assert!(counts.values().all(|count| (2290..=2710).contains(count)), "{counts:?}");
}

#[test]
fn a_refused_peer_is_forgotten_and_not_taken_in_again() {
    let mut ant = machine(MembershipConfig::default());
    handle(&mut ant, seconds(1), says("bat", 1));
    handle(&mut ant, seconds(2), Input::Refused { peer: peer("bat") });
    assert_eq!(verdict(&handle(&mut ant, seconds(3), says("bat", 2))), Acceptance::Ignore);
    assert!(ant.known().is_empty());
    handle(&mut ant, seconds(700), says("bat", 3));
    assert_eq!(ant.known().len(), 1);
}

#[test]
fn contacts_are_dialled_with_growing_pauses_until_someone_answers() {
    let mut ant = machine(MembershipConfig::default());
    let contact = Contact { peer: Some(peer("bat")), addresses: vec![Address("/memory/9".into())] };
    let mut outputs = handle(&mut ant, seconds(0), Input::Contacted(contact));
    let mut dialled = Vec::new();
    let mut now = seconds(0);
    while now < seconds(3600) {
        if outputs.iter().any(|output| matches!(output, Output::Dial { .. })) {
            dialled.push(now);
            outputs = handle(&mut ant, now, Input::DialFailed { peer: Some(peer("bat")) });
        }
        let Some(Output::WakeAt(wake)) = outputs.last().cloned() else { panic!("no wake") };
        now = wake;
        outputs = handle(&mut ant, now, Input::Woke);
    }
    let pauses: Vec<Duration> = dialled.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(pauses.len() > 50, "it never gives up");
    assert!(pauses[0] < Duration::from_secs(1) && pauses.iter().all(|pause| *pause <= Duration::from_secs(61)));
    assert!(pauses[..5].is_sorted(), "{pauses:?}");
}

#[test]
fn after_a_failure_of_the_network_known_peers_are_dialled_at_once() {
    let mut ant = machine(MembershipConfig::default());
    handle(&mut ant, seconds(1), says("bat", 1));
    handle(&mut ant, seconds(1), Input::Connected { peer: peer("bat") });
    let outputs = handle(&mut ant, seconds(2), Input::Isolated);
    assert!(outputs.iter().any(|output| matches!(output, Output::Dial { peer: Some(p), .. } if *p == peer("bat"))));
    assert!(!ant.known()[&peer("bat")].connected);
}

#[test]
fn a_ring_draws_its_two_neighbours_and_weighs_them() {
    let config = MembershipConfig { sampling: "ring".parse().unwrap(), ..MembershipConfig::default() };
    let mut ant = machine(config);
    let names = ["bat", "cat", "dog", "eel", "fox"];
    names.iter().for_each(|name| drop(handle(&mut ant, seconds(1), says(name, 1))));
    let mut ids: Vec<PeerId> = names.iter().copied().chain(["ant"]).map(peer).collect();
    ids.sort_unstable();
    let rank = ids.iter().position(|id| *id == peer("ant")).unwrap();
    let neighbours = std::collections::BTreeSet::from([ids[(rank + 1) % 6], ids[(rank + 5) % 6]]);
    let drawn = ant.draw(seconds(2), 4, &[]);
    assert_eq!(drawn.iter().copied().collect::<std::collections::BTreeSet<_>>(), neighbours);
    assert_eq!(ant.draw(seconds(2), 4, &drawn), [], "a neighbour is not replaced by a stranger");
    for (id, link) in ant.links(&ids) {
        let expected = if neighbours.contains(&id) { 1.0 / 3.0 } else { 0.0 };
        assert!((link - expected).abs() < 1e-6, "{link}");
    }
    let free = machine(MembershipConfig::default());
    assert!(free.links(&[peer("bat")]).is_empty(), "without a graph");
}

#[test]
fn many_identities_of_one_prefix_are_drawn_as_one_and_local_ones_alike() {
    let mut ant = machine(MembershipConfig { max_peers: 400, ..MembershipConfig::default() });
    for n in 0..60 {
        let address = format!("/ip4/9.9.{n}.1/tcp/1");
        handle(&mut ant, seconds(1), said(&format!("sybil {n}"), 1, Some("mole"), address));
    }
    for n in 0..3 {
        handle(
            &mut ant,
            seconds(1),
            said(&format!("honest {n}"), 1, Some("bat"), format!("/ip4/{}.1.1.1/tcp/1", 20 + n)),
        );
    }
    let sybils: std::collections::BTreeSet<PeerId> = (0..60).map(|n| peer(&format!("sybil {n}"))).collect();
    for _ in 0..200 {
        let drawn = ant.draw(seconds(100), 4, &[]);
        assert_eq!(drawn.iter().filter(|drawn| sybils.contains(drawn)).count(), 1, "one share, however many");
    }
    assert_eq!(ant.known()[&peer("sybil 0")].introducer, Some(peer("mole")));
    let mut lan = machine(MembershipConfig::default());
    for n in 0..10 {
        handle(&mut lan, seconds(1), said(&format!("friend {n}"), 1, Some("bat"), format!("/ip4/192.168.0.{n}/tcp/1")));
    }
    let mut counts = std::collections::BTreeMap::new();
    for _ in 0..5000 {
        let drawn = lan.draw(seconds(100), 2, &[]);
        drawn.into_iter().for_each(|drawn| *counts.entry(drawn).or_insert(0) += 1);
    }
    // Each with probability 1/5: 1000 +- 6 standard deviations of 28.
    assert!(counts.len() == 10 && counts.values().all(|count| (830..=1170).contains(count)), "{counts:?}");
}

#[test]
fn one_introducer_fills_a_quarter_of_the_view_at_most() {
    let mut ant = machine(MembershipConfig { max_peers: 40, ..MembershipConfig::default() });
    let public = |n: usize| format!("/ip4/{}.{}.0.1/tcp/1", 20 + n / 200, n % 200);
    for n in 0..100 {
        handle(&mut ant, seconds(1), said(&format!("sybil {n}"), 1, Some("mole"), public(n)));
    }
    assert_eq!(ant.known().len(), 10);
    handle(&mut ant, seconds(1), said("late", 1, Some("mole"), "/ip4/10.0.0.1/tcp/1".to_owned()));
    assert_eq!(ant.known().len(), 11, "local addresses are not counted");
    let outputs = handle(&mut ant, seconds(2), said("late", 2, Some("mole"), public(150)));
    assert_eq!(verdict(&outputs), Acceptance::Ignore, "nor may they turn public later");
    // A connection proves that there is someone: it frees a place, and who comes by another is counted there.
    handle(&mut ant, seconds(2), Input::Connected { peer: peer("sybil 0") });
    assert_eq!(
        verdict(&handle(&mut ant, seconds(2), said("sybil 50", 1, Some("mole"), public(50)))),
        Acceptance::Accept
    );
    assert_eq!(
        verdict(&handle(&mut ant, seconds(2), said("sybil 51", 1, Some("mole"), public(51)))),
        Acceptance::Ignore
    );
    assert_eq!(
        verdict(&handle(&mut ant, seconds(2), said("sybil 51", 1, Some("bat"), public(51)))),
        Acceptance::Accept
    );
}

#[test]
fn a_peer_hears_of_its_double_once_and_never_takes_itself_for_one() {
    let mut ant = machine(MembershipConfig::default());
    let doubles = |outputs: Vec<Output>| outputs.iter().filter(|output| **output == Output::SameIdentity).count();
    assert_eq!(doubles(handle(&mut ant, seconds(1), says("ant", 0))), 0, "what it said in an earlier life comes back");
    let outputs = handle(&mut ant, seconds(600), Input::Woke);
    let own =
        outputs.iter().find_map(|output| if let Output::Announce(own) = output { Some(own.clone()) } else { None });
    let own = own.expect("it announces itself when it is time");
    let again = Input::Announced { author: peer("ant"), via: None, announcement: (*own).clone() };
    assert_eq!(doubles(handle(&mut ant, seconds(602), again)), 0, "its own words come back");
    let other = Announcement { round: 77, ..*own };
    let other = Input::Announced { author: peer("ant"), via: None, announcement: other };
    assert_eq!(doubles(handle(&mut ant, seconds(603), other)), 1, "other words under the same number");
    assert_eq!(doubles(handle(&mut ant, seconds(604), says("ant", u64::MAX))), 0, "said once");
}
