//! How a simulated peer finds others: the membership machine, a shuffled view, or a fixed list.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use peerlearn_protocols::id::{PeerId, TaskId};
use peerlearn_protocols::membership::{Contact, Input, Membership, Output};
use peerlearn_protocols::mixing::Rule;
use peerlearn_protocols::sampling::Prefix;
use peerlearn_protocols::sampling::view::View;
use peerlearn_protocols::time::Time;
use peerlearn_protocols::wire::Address;
use rand::seq::IteratorRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::config::Discovery;
use super::event::{Message, Timer};
use super::peer::Peer;
use super::record::Happening;
use super::{Environment, index_of, peer_id};

/// Contacts a peer starts with.
const CONTACTS: usize = 3;

#[derive(Debug)]
pub(super) enum Finder {
    /// `connected` has the address number of each connected peer.
    Gossip {
        machine: Box<Membership>,
        connected: BTreeMap<u32, u32>,
        starts: u32,
    },
    Shuffle {
        view: Box<View>,
    },
    Fixed {
        neighbours: Arc<Vec<Vec<u32>>>,
        own: u32,
    },
}

pub(super) const TASK: TaskId = TaskId([7; 32]);

/// The address of a peer that has moved `door` times.
fn address(index: u32, door: u32) -> Address {
    Address(if door == 0 { format!("/memory/{index}") } else { format!("/memory/{index}/{door}") })
}

/// The peer and its number of moves.
fn target_in(address: &Address) -> Option<(u32, u32)> {
    let text = address.0.strip_prefix("/memory/")?;
    let (index, door) = text.split_once('/').unwrap_or((text, "0"));
    Some((index.parse().ok()?, door.parse().ok()?))
}

/// A part of the internet a few thousand peers share.
fn prefix_of(index: u32) -> Prefix {
    Prefix::V4([60 + (index % 64) as u8, (index / 64 % 256) as u8])
}

impl Finder {
    pub fn new(env: &Environment<'_>, own: u32, starts: u32, rng: &mut ChaCha8Rng) -> Self {
        let own_rng = ChaCha8Rng::seed_from_u64(rng.random());
        match &env.config.discovery {
            Discovery::Gossip(config) => Self::Gossip {
                machine: Box::new(Membership::new(peer_id(own), TASK, starts, config.clone(), own_rng)),
                connected: BTreeMap::new(),
                starts,
            },
            Discovery::Shuffle(config, _) => {
                let mut view = View::new(peer_id(own), *config, own_rng);
                view.set_own_prefix(prefix_of(own));
                for contact in contacts(env, own, rng) {
                    view.insert_contact(peer_id(contact), prefix_of(contact));
                }
                Self::Shuffle { view: Box::new(view) }
            }
            Discovery::Fixed(neighbours) => Self::Fixed { neighbours: Arc::clone(neighbours), own },
        }
    }

    /// Ends of connections that this peer holds, each with the address number of the other.
    pub fn connections(&self) -> impl Iterator<Item = (u32, u32)> {
        let held = match self {
            Self::Gossip { connected, .. } => Some(connected.iter().map(|(other, door)| (*other, *door))),
            Self::Shuffle { .. } | Self::Fixed { .. } => None,
        };
        held.into_iter().flatten()
    }

    /// The address number by which this peer is connected to another.
    pub fn door_held(&self, other: u32) -> Option<u32> {
        match self {
            Self::Gossip { connected, .. } => connected.get(&other).copied(),
            Self::Shuffle { .. } | Self::Fixed { .. } => None,
        }
    }

    /// The address number under which this peer would ask another; `None` where peers are found without addresses.
    pub fn door(&self, other: u32) -> Option<u32> {
        let Self::Gossip { machine, connected, .. } = self else { return None };
        let known = || machine.view().get(&peer_id(other))?.addresses.iter().find_map(target_in);
        connected.get(&other).copied().or_else(|| Some(known().map_or(0, |(_, door)| door)))
    }

    pub fn known(&self) -> Vec<PeerId> {
        match self {
            Self::Gossip { machine, .. } => machine.view().keys().copied().collect(),
            Self::Shuffle { view } => view.peers().collect(),
            Self::Fixed { neighbours, own } => neighbours[*own as usize].iter().map(|&index| peer_id(index)).collect(),
        }
    }
}

/// The peer before, so that nobody is cut off, and a few at random.
fn contacts(env: &Environment<'_>, own: u32, rng: &mut ChaCha8Rng) -> Vec<u32> {
    if env.peers < 2 {
        return Vec::new();
    }
    let before = (own + env.peers - 1) % env.peers;
    let mut contacts: BTreeSet<u32> = (1..CONTACTS).map(|_| rng.random_range(0..env.peers)).collect();
    contacts.insert(before);
    contacts.into_iter().filter(|&contact| contact != own).collect()
}

impl Peer {
    /// Begins to look for others, at the start and after every return.
    pub(super) fn start_discovery(&mut self, env: &Environment<'_>) {
        match &mut self.discovery {
            Finder::Gossip { machine, starts, .. } => {
                let book: Vec<Contact> = machine
                    .view()
                    .iter()
                    .map(|(peer, known)| Contact { peer: Some(*peer), addresses: known.addresses.clone() })
                    .collect();
                let starts = *starts + 1;
                self.discovery = Finder::new(env, self.index, starts, &mut self.rng);
                let addresses = vec![address(self.index, self.door)];
                self.tell_membership(env, Input::Moved { addresses });
                let book = if book.is_empty() { self.first_contacts(env) } else { book };
                for contact in book {
                    self.tell_membership(env, Input::Contacted(contact));
                }
            }
            Finder::Shuffle { .. } => {
                let Discovery::Shuffle(_, every) = env.config.discovery else { return };
                // Shuffles spread over the interval, or everybody would ask at once.
                let at = self.now + every.mul_f64(self.rng.random::<f64>());
                self.set_timer(at, Timer::Discovery);
            }
            Finder::Fixed { .. } => {}
        }
    }

    /// What a newcomer was told: where others were at the start.
    fn first_contacts(&mut self, env: &Environment<'_>) -> Vec<Contact> {
        let contacts = contacts(env, self.index, &mut self.rng).into_iter();
        contacts.map(|contact| Contact { peer: Some(peer_id(contact)), addresses: vec![address(contact, 0)] }).collect()
    }

    /// Knows nobody any more, as one whose disk is gone; the count of its starts goes on, as a clock would.
    pub(super) fn forget_everyone(&mut self, env: &Environment<'_>) {
        let started = match self.discovery {
            Finder::Gossip { starts, .. } => starts,
            Finder::Shuffle { .. } | Finder::Fixed { .. } => 0,
        };
        self.discovery = Finder::new(env, self.index, started, &mut self.rng);
    }

    /// Whether somebody is known already.
    pub(super) fn knows_somebody(&self) -> bool {
        !self.discovery.known().is_empty()
    }

    pub(super) fn on_discovery_timer(&mut self, env: &Environment<'_>) {
        match &mut self.discovery {
            Finder::Gossip { .. } => self.tell_membership(env, Input::Woke),
            Finder::Shuffle { view } => {
                let Discovery::Shuffle(_, every) = env.config.discovery else { return };
                if let Some((partner, descriptors)) = view.start_shuffle() {
                    self.send(env, index_of(partner), Message::Shuffle(descriptors));
                }
                self.set_timer(self.now + every, Timer::Discovery);
            }
            Finder::Fixed { .. } => {}
        }
    }

    pub(super) fn on_discovery_message(&mut self, env: &Environment<'_>, from: u32, message: Message) {
        match (message, &mut self.discovery) {
            (Message::Shuffle(descriptors), Finder::Shuffle { view }) => {
                let back = view.on_request(peer_id(from), descriptors);
                self.send(env, from, Message::Shuffled(back));
            }
            (Message::Shuffled(descriptors), Finder::Shuffle { view }) => view.on_response(peer_id(from), descriptors),
            (Message::Dial { door, own }, Finder::Gossip { .. }) if door == self.door => {
                self.send(env, from, Message::Accepted { own: door });
                self.connect(env, from, own);
            }
            (Message::Accepted { own }, Finder::Gossip { .. }) => self.connect(env, from, own),
            (Message::HungUp, Finder::Gossip { .. }) => self.lose_connection(env, from),
            // Whoever has no connection is not in the mesh.
            (Message::Announced(announcement), Finder::Gossip { connected, .. }) if !connected.is_empty() => {
                let (author, announcement) = (peer_id(from), (*announcement).clone());
                // Whom the mesh would have passed it on by is not simulated.
                self.tell_membership(env, Input::Announced { author, announcement, via: None });
            }
            _ => {}
        }
    }

    fn connect(&mut self, env: &Environment<'_>, other: u32, door: u32) {
        let Finder::Gossip { connected, .. } = &mut self.discovery else { return };
        if connected.insert(other, door).is_none() {
            self.record(env, Happening::Connected { other: other as usize });
        }
        self.tell_membership(env, Input::Connected { peer: peer_id(other) });
    }

    /// A connection was ended by the other side, or nothing comes over it.
    pub(super) fn lose_connection(&mut self, env: &Environment<'_>, other: u32) {
        let Finder::Gossip { connected, .. } = &mut self.discovery else { return };
        if connected.remove(&other).is_some() {
            self.record(env, Happening::Disconnected { other: other as usize });
        }
        self.tell_membership(env, Input::Disconnected { peer: peer_id(other) });
    }

    pub(super) fn on_dial_timeout(&mut self, env: &Environment<'_>, target: u32) {
        let Finder::Gossip { connected, .. } = &self.discovery else { return };
        if !connected.contains_key(&target) {
            self.tell_membership(env, Input::DialFailed { peer: Some(peer_id(target)) });
        }
    }

    /// Tells everyone connected that this peer is gone, as the system does for a process that ends.
    pub(super) fn hang_up(&mut self, env: &Environment<'_>) {
        for peer in self.drop_connections(env) {
            self.send(env, peer, Message::HungUp);
        }
    }

    /// Ends all connections on this side, in silence. Answers to whom.
    pub(super) fn drop_connections(&mut self, env: &Environment<'_>) -> Vec<u32> {
        let Finder::Gossip { connected, .. } = &mut self.discovery else { return Vec::new() };
        let others: Vec<u32> = std::mem::take(connected).into_keys().collect();
        for &other in &others {
            self.record(env, Happening::Disconnected { other: other as usize });
        }
        others
    }

    /// Goes on from a new address.
    pub(super) fn move_address(&mut self, env: &Environment<'_>) {
        self.door += 1;
        if !self.stats.there {
            return;
        }
        self.drop_connections(env);
        self.tell_membership(env, Input::Isolated);
        let addresses = vec![address(self.index, self.door)];
        self.tell_membership(env, Input::Moved { addresses });
        self.fail_pulls(env);
    }

    pub(super) fn draw(&mut self, env: &Environment<'_>, count: usize, tried: &[PeerId]) -> Vec<PeerId> {
        let has_links = self.recipe.rule == Rule::Metropolis;
        match &mut self.discovery {
            Finder::Gossip { machine, .. } => {
                let mut outputs = Vec::new();
                let drawn = machine.draw(self.now, count, tried, &mut outputs);
                self.links = if has_links { machine.links(&drawn).into_iter().collect() } else { BTreeMap::new() };
                self.carry_out_membership(env, outputs);
                drawn
            }
            Finder::Shuffle { view } => view.draw(count, tried),
            Finder::Fixed { neighbours, own } => {
                let others = neighbours[*own as usize].iter().map(|&index| peer_id(index));
                others.filter(|peer| !tried.contains(peer)).sample(&mut self.rng, count)
            }
        }
    }

    pub(super) fn tell_membership(&mut self, env: &Environment<'_>, input: Input) {
        let Finder::Gossip { machine, .. } = &mut self.discovery else { return };
        let mut outputs = Vec::new();
        machine.handle(self.now, input, &mut outputs);
        self.carry_out_membership(env, outputs);
    }

    fn carry_out_membership(&mut self, env: &Environment<'_>, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Announce(announcement) => self.announce(env, Arc::new(*announcement)),
                Output::Dial { peer, addresses } => {
                    let wanted = |&(at, _): &(u32, u32)| peer.is_none_or(|peer| index_of(peer) == at);
                    let target = addresses.iter().filter_map(target_in).find(wanted);
                    if let Some((target, door)) = target.filter(|&(at, _)| at < env.peers && at != self.index) {
                        self.send(env, target, Message::Dial { door, own: self.door });
                        self.set_timer(self.now + env.config.request_timeout, Timer::DialTimeout(target));
                    }
                }
                Output::WakeAt(at) => self.wake_discovery_at(at),
                Output::Discovered { .. } => self.peer_known(env),
                _ => {}
            }
        }
    }

    /// Only the newest wake-up counts, and one earlier than it would find nothing to do.
    fn wake_discovery_at(&mut self, at: Time) {
        if at != self.discovery_wake {
            self.discovery_wake = at;
            self.set_timer(at, Timer::Discovery);
        }
    }

    /// To everybody, by way of a mesh whose depth grows with the logarithm of their number.
    fn announce(&mut self, env: &Environment<'_>, announcement: Arc<peerlearn_protocols::wire::Announcement>) {
        let Finder::Gossip { connected, .. } = &self.discovery else { return };
        if connected.is_empty() {
            return;
        }
        let hops = f64::from(env.peers.max(2)).log(6.0).ceil().max(1.0) as u32;
        let own = self.index;
        self.stats.bytes_out += Message::Announced(Arc::clone(&announcement)).bytes();
        for peer in (0..env.peers).filter(|&peer| peer != own) {
            let lost = self.is_lost(env, peer);
            let delay = self.delay(env, peer) * hops;
            // Others pass it on, so that a way that is blocked does not matter.
            if !lost && env.same_piece(own, peer, self.now) {
                self.send_at(peer, self.now + delay, Message::Announced(Arc::clone(&announcement)));
            }
        }
    }
}
