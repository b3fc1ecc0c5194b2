use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::id::TaskId;
use crate::membership::{Contact, Input, Membership};
use crate::sampling::Sampling;

const TASK: TaskId = TaskId([7; 32]);

fn peer(number: usize) -> PeerId {
    let mut id = [1; 32];
    id[..8].copy_from_slice(&(number as u64).to_be_bytes());
    PeerId(id)
}

fn address(number: usize) -> Address {
    Address(format!("/ip4/127.0.0.1/tcp/{}", 1000 + number))
}

/// Machines whose messages arrive at once; dials succeed while the other lives.
struct Network {
    machines: BTreeMap<PeerId, Membership>,
    now: Time,
}

impl Network {
    /// Each knows the address of the one before, not who is there.
    fn line(peers: usize, size: usize) -> Self {
        let config = MembershipConfig { sampling: Sampling::View { size }, ..MembershipConfig::default() };
        let machine = |number: usize| {
            let rng = ChaCha8Rng::seed_from_u64(number as u64);
            (peer(number), Membership::new(peer(number), TASK, 1, config.clone(), rng))
        };
        let mut network = Self { machines: (0..peers).map(machine).collect(), now: Time::ZERO };
        for number in 0..peers {
            network.tell(peer(number), Input::Moved { addresses: vec![address(number)] });
            if number > 0 {
                let contact = Contact { peer: None, addresses: vec![address(number - 1)] };
                network.tell(peer(number), Input::Contacted(contact));
            }
        }
        network
    }

    fn tell(&mut self, to: PeerId, input: Input) -> Option<Response> {
        let mut outputs = Vec::new();
        self.machines.get_mut(&to)?.handle(self.now, input, &mut outputs);
        let mut answer = None;
        for output in outputs {
            match output {
                Output::Dial { peer: named, addresses } => {
                    assert!(!addresses.is_empty());
                    let there = (0..self.machines.len()).find(|number| addresses.contains(&address(*number)));
                    self.connect(to, named.or(there.map(peer)).unwrap());
                }
                Output::Shuffle { partner, addresses, descriptors } => {
                    if !self.machines[&to].is_connected(&partner) {
                        assert!(!addresses.is_empty());
                        self.connect(to, partner);
                    }
                    let asked = Input::ShuffleAsked { from: to, descriptors };
                    let input = match self.tell(partner, asked) {
                        Some(Response::Shuffled { descriptors }) => {
                            Input::ShuffleAnswered { from: partner, descriptors }
                        }
                        _ => Input::ShuffleFailed { peer: partner },
                    };
                    self.tell(to, input);
                }
                Output::Answer(response) => answer = Some(response),
                Output::Announce(_) => panic!("a peer with a view announces nothing"),
                _ => {}
            }
        }
        answer
    }

    fn connect(&mut self, one: PeerId, other: PeerId) {
        if self.machines.contains_key(&other) {
            self.tell(one, Input::Connected { peer: other });
            self.tell(other, Input::Connected { peer: one });
        } else {
            self.tell(one, Input::DialFailed { peer: Some(other) });
        }
    }

    fn run(&mut self, seconds: u64) {
        for _ in 0..4 * seconds {
            self.now = self.now + Duration::from_millis(250);
            for peer in self.machines.keys().copied().collect::<Vec<_>>() {
                self.tell(peer, Input::Woke);
            }
        }
    }

    /// Everyone that can be reached from the first over who knows whom.
    fn reached(&self) -> usize {
        let mut reached = BTreeSet::new();
        let mut next: Vec<PeerId> = self.machines.keys().take(1).copied().collect();
        while let Some(peer) = next.pop() {
            if reached.insert(peer) {
                let links = self.machines.iter().filter(|(other, machine)| {
                    machine.known().contains_key(&peer) || self.machines[&peer].known().contains_key(other)
                });
                next.extend(links.map(|(other, _)| *other));
            }
        }
        reached.len()
    }
}

#[test]
fn a_line_becomes_a_network_in_which_nobody_knows_more_than_the_limit() {
    let mut network = Network::line(12, 4);
    let mut seen: BTreeMap<PeerId, BTreeSet<PeerId>> = BTreeMap::new();
    for _ in 0..400 {
        network.run(1);
        for (peer, machine) in &network.machines {
            assert!(machine.known().len() <= 4);
            assert!(machine.known().values().all(|known| known.connected || !known.addresses.is_empty()));
            seen.entry(*peer).or_default().extend(machine.known().keys());
        }
    }
    assert_eq!(network.reached(), 12);
    let least = seen.values().map(BTreeSet::len).min();
    assert!(least >= Some(9), "everyone has met nearly everyone: {least:?}");
}

#[test]
fn the_dead_leave_the_views_and_their_addresses_stay_as_a_last_resort() {
    let mut network = Network::line(12, 6);
    network.run(120);
    let dead = peer(5);
    network.machines.remove(&dead);
    for other in network.machines.keys().copied().collect::<Vec<_>>() {
        network.tell(other, Input::Disconnected { peer: dead });
    }
    network.run(300);
    assert!(network.machines.values().all(|machine| !machine.known().contains_key(&dead)));
    assert!(network.machines.values().any(|machine| { machine.base.contacts.named().any(|peer| peer == dead) }));
    assert_eq!(network.reached(), 11);
}

#[test]
fn a_flood_of_shuffles_is_refused_and_strangers_bring_little() {
    let mut network = Network::line(2, 8);
    network.run(10);
    let told = |from: usize, count: usize| -> Vec<Descriptor> {
        let tell = |n: usize| Descriptor { peer: peer(100 + n), addresses: vec![address(n)], age: 0 };
        (from..from + count).map(tell).collect()
    };
    let refused = (0..50).filter(|n| {
        let asked = Input::ShuffleAsked { from: peer(0), descriptors: told(4 * n, 4) };
        matches!(network.tell(peer(1), asked), Some(Response::Refused { .. }))
    });
    assert!(refused.count() >= 40);
    let machine = &network.machines[&peer(1)];
    // A quarter of eight from one introducer, besides itself.
    assert!(machine.known().len() <= 4, "{:?}", machine.known().keys());
    let stranger = Input::ShuffleAsked { from: peer(9), descriptors: told(0, 1) };
    assert!(matches!(network.tell(peer(1), stranger), Some(Response::Refused { reason: Refusal::Busy, .. })));
}

#[test]
fn a_peer_that_announces_says_so() {
    let mut known_to_all = Membership::new(peer(0), TASK, 1, MembershipConfig::default(), ChaCha8Rng::seed_from_u64(0));
    let mut outputs = Vec::new();
    known_to_all.handle(Time::ZERO, Input::ShuffleAsked { from: peer(1), descriptors: Vec::new() }, &mut outputs);
    assert!(matches!(outputs[0], Output::Answer(Response::Refused { reason: Refusal::NoView, .. })));
}
