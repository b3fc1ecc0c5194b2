//! Places at relays: whom to ask, who has said yes, who is to be left alone for a while.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use libp2p::core::transport::ListenerId;
use libp2p::swarm::ListenOpts;
use libp2p::{Multiaddr, PeerId};

use super::super::super::address::through;

/// Relays at which a node holds a place that cannot be reached otherwise: one, and one in case that one goes.
pub(super) const PLACES: usize = 2;
/// Addresses told of each relay: one for each transport.
const WAYS: usize = 2;
/// Longest wait for a relay to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a relay is left alone that has refused, or has not answered.
const PAUSE: Duration = Duration::from_secs(60);

/// A place at a relay, asked for or held.
#[derive(Debug)]
struct Place {
    id: ListenerId,
    relay: PeerId,
    asked: Instant,
    held: bool,
}

/// All places of a node, and where else it could ask.
#[derive(Debug)]
pub(super) struct Reservations {
    me: PeerId,
    /// Connected peers that serve as relays, with where they are reached.
    relays: BTreeMap<PeerId, Vec<Multiaddr>>,
    places: Vec<Place>,
    /// Relays to be left alone until then.
    refused: BTreeMap<PeerId, Instant>,
}

impl Reservations {
    pub fn new(me: PeerId) -> Self {
        Self { me, relays: BTreeMap::new(), places: Vec::new(), refused: BTreeMap::new() }
    }

    /// A connected peer serves as a relay and is reached here.
    pub fn can(&mut self, relay: PeerId, ways: Vec<Multiaddr>) {
        self.relays.insert(relay, ways);
    }

    /// A peer serves no longer, or is gone. Answers the listeners to be closed.
    pub fn cannot(&mut self, relay: &PeerId) -> Vec<ListenerId> {
        self.relays.remove(relay);
        self.places.extract_if(.., |place| place.relay == *relay).map(|place| place.id).collect()
    }

    /// Somebody listens: whether it is a place that was asked for and is held from now on.
    pub fn taken(&mut self, id: ListenerId) -> bool {
        match self.places.iter_mut().find(|place| place.id == id) {
            Some(place) => !std::mem::replace(&mut place.held, true),
            None => false,
        }
    }

    /// A listener was closed: whether that was a place. Its relay is left alone for a while.
    pub fn lost(&mut self, id: ListenerId, now: Instant) -> bool {
        let lost: Vec<Place> = self.places.extract_if(.., |place| place.id == id).collect();
        self.refused.extend(lost.iter().map(|place| (place.relay, now + PAUSE)));
        !lost.is_empty()
    }

    /// The listeners to be closed: all, where no place is wanted; those of relays that do not answer.
    pub fn spare(&mut self, wanted: bool, now: Instant) -> Vec<ListenerId> {
        let is_late = |place: &Place| !place.held && now.duration_since(place.asked) >= PATIENCE;
        let spare: Vec<Place> = self.places.extract_if(.., |place| !wanted || is_late(place)).collect();
        self.refused.extend(spare.iter().filter(|place| is_late(place)).map(|place| (place.relay, now + PAUSE)));
        spare.into_iter().map(|place| place.id).collect()
    }

    /// Asks for as many places as are missing, at relays of those that are connected directly.
    pub fn ask(&mut self, direct: &BTreeSet<PeerId>, now: Instant) -> Vec<ListenOpts> {
        self.refused.retain(|relay, until| *until > now && direct.contains(relay));
        let is_free = |relay: &PeerId| {
            direct.contains(relay)
                && !self.refused.contains_key(relay)
                && !self.places.iter().any(|place| place.relay == *relay)
        };
        let mut free: Vec<(&PeerId, &Multiaddr)> = self
            .relays
            .iter()
            .filter(|(relay, _)| is_free(relay))
            .filter_map(|(relay, ways)| Some((relay, ways.first()?)))
            .collect();
        // Another order for each node, or all would ask the same relays.
        free.sort_by_key(|(relay, _)| *blake3::hash(&[self.me.to_bytes(), relay.to_bytes()].concat()).as_bytes());
        let missing = PLACES.saturating_sub(self.places.len());
        let asked: Vec<(PeerId, ListenOpts)> = free
            .into_iter()
            .take(missing)
            .map(|(relay, way)| (*relay, ListenOpts::new(through(*relay, way))))
            .collect();
        for (relay, options) in &asked {
            self.places.push(Place { id: options.listener_id(), relay: *relay, asked: now, held: false });
        }
        asked.into_iter().map(|(_, options)| options).collect()
    }

    /// When to look again, where something is awaited.
    pub fn next(&self) -> Option<Instant> {
        let answers = self.places.iter().filter(|place| !place.held).map(|place| place.asked + PATIENCE);
        let missing = self.places.len() < PLACES;
        let pauses = self.refused.values().copied().filter(|_| missing);
        answers.chain(pauses).min()
    }

    /// Where the node is reached through the relays at which it holds places: one address of each first.
    pub fn addresses(&self) -> Vec<Multiaddr> {
        let held = || self.places.iter().filter(|place| place.held);
        let way = |place: &Place, at: usize| Some(through(place.relay, self.relays.get(&place.relay)?.get(at)?));
        (0..WAYS).flat_map(|at| held().filter_map(move |place| way(place, at))).collect()
    }

    pub fn relays(&self) -> Vec<PeerId> {
        self.places.iter().filter(|place| place.held).map(|place| place.relay).collect()
    }
}
