//! What membership remembers whatever the mode, and how an input goes through it.

use std::collections::BTreeMap;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::contacts::{Contacts, Trial};
use super::gossip::Gossip;
use super::output::Output;
use super::view::Views;
use super::{Contact, Input, MembershipConfig};
use crate::id::{PeerId, TaskId};
use crate::sampling::{Prefix, Sampling, Source, draw_guarded_distinct};
use crate::time::Time;
use crate::token_bucket::TokenBucket;
use crate::wire::announce::MAX_ADDRESSES;
use crate::wire::{Address, ModelSummary, OfferSummary};

/// How long a peer of another task or a banned one is not taken in again.
const REFUSED_FOR: std::time::Duration = std::time::Duration::from_secs(600);
/// Most refused peers remembered; they are few, and a forgotten one is refused again.
const MAX_REFUSED: usize = 256;

/// What is known of one peer.
#[derive(Debug, Clone, PartialEq)]
pub struct Known {
    /// Where it can be dialled.
    pub addresses: Vec<Address>,
    /// Sequence of its newest announcement; 0 before the first.
    pub sequence: u64,
    /// Its round, as announced.
    pub round: u64,
    /// Its rows, as announced.
    pub samples: u32,
    /// Age of its newest model, as announced.
    pub age: u64,
    /// Who passed on its first announcement; `None` for one first met by a connection.
    pub introducer: Option<PeerId>,
    /// The part of the internet it announces itself in: that of its first public address. A claim, until it is dialled.
    pub prefix: Prefix,
    /// When it was last heard, by announcement or connection.
    pub heard: Time,
    /// Whether a connection is up.
    pub connected: bool,
    /// Failed dials in a row.
    pub failures: u32,
    /// Not dialled before this time.
    pub dial_after: Time,
    /// Models mixed from it since it is known.
    pub mixed: u64,
    /// Announcements it may still send now; refilled with time.
    pub(super) allowance: TokenBucket,
}

/// The membership machine of one peer.
#[derive(Debug)]
pub struct Membership {
    pub(super) base: Base,
    mode: Mode,
}

/// How peers find each other. What differs between the two is in their files, and nowhere else.
#[derive(Debug)]
enum Mode {
    Gossip(Gossip),
    View(Box<Views>),
}

/// What both modes have.
#[derive(Debug)]
pub(super) struct Base {
    pub own: PeerId,
    pub task: TaskId,
    pub config: MembershipConfig,
    pub rng: ChaCha8Rng,
    pub table: BTreeMap<PeerId, Known>,
    pub contacts: Contacts,
    refused: BTreeMap<PeerId, Time>,
    pub addresses: Vec<Address>,
    pub published: Published,
}

/// What is announced of the own model.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Published {
    pub round: u64,
    pub samples: u32,
    pub offer: Option<OfferSummary>,
    pub sketch: ModelSummary,
}

/// Calls the same function of whichever mode there is.
macro_rules! in_mode {
    ($self:ident, $mode:ident => $call:expr) => {
        match &mut $self.mode {
            Mode::Gossip($mode) => $call,
            Mode::View($mode) => $call,
        }
    };
}

impl Membership {
    /// A machine that knows nobody.
    ///
    /// `starts` counts the starts of this peer; it must grow from start to start, or others take its announcements for
    /// replays. `rng` decides draws and jitter.
    pub fn new(own: PeerId, task: TaskId, starts: u32, config: MembershipConfig, mut rng: ChaCha8Rng) -> Self {
        let mode = match config.sampling {
            Sampling::View { size } => Mode::View(Box::new(Views::new(own, size, &config, rng.random()))),
            _ => Mode::Gossip(Gossip::new(starts)),
        };
        let base = Base {
            own,
            task,
            config,
            rng,
            table: BTreeMap::new(),
            contacts: Contacts::default(),
            refused: BTreeMap::new(),
            addresses: Vec::new(),
            published: Published::default(),
        };
        Self { base, mode }
    }

    /// Takes one fact and pushes what follows from it. The last output is always the next [`Output::WakeAt`].
    pub fn handle(&mut self, now: Time, input: Input, outputs: &mut Vec<Output>) {
        let base = &mut self.base;
        match input {
            Input::Contacted(contact) => base.contacts.add(now, base.own, contact),
            Input::Announced { author, via, announcement } => {
                in_mode!(self, mode => mode.announced(base, now, author, via, announcement, outputs));
            }
            Input::Connected { peer } => {
                in_mode!(self, mode => mode.connected(base, now, peer, outputs));
                self.base.contacts.forget(&peer);
            }
            Input::Disconnected { peer } => {
                base.disconnected(now, peer);
                in_mode!(self, mode => mode.disconnected(base, peer));
            }
            Input::Isolated => {
                base.isolated(now);
                in_mode!(self, mode => mode.isolated());
            }
            Input::DialFailed { peer } => {
                base.dial_failed(now, peer);
                in_mode!(self, mode => mode.dial_failed(base, now, peer, outputs));
            }
            Input::Refused { peer } => {
                base.refuse(now, peer);
                in_mode!(self, mode => mode.refused(peer));
            }
            Input::Moved { addresses } => self.moved(now, addresses),
            Input::ShuffleAsked { from, descriptors } => {
                in_mode!(self, mode => mode.shuffle_asked(base, now, from, descriptors, outputs));
            }
            Input::ShuffleAnswered { from, descriptors } => {
                in_mode!(self, mode => mode.shuffle_answered(base, now, from, descriptors, outputs));
            }
            Input::ShuffleFailed { peer } => in_mode!(self, mode => mode.shuffle_failed(base, now, peer, outputs)),
            Input::Woke => {}
        }
        if !self.base.refused.is_empty() {
            self.base.refused.retain(|_, until| now < *until);
        }
        self.dial_if_under_connected(now, outputs);
        let base = &mut self.base;
        in_mode!(self, mode => mode.routine(base, now, outputs));
        outputs.push(Output::WakeAt(self.next_wake(now)));
    }

    /// The own model or data changed; goes out with the next announcement.
    pub fn published(&mut self, round: u64, samples: u32, offer: OfferSummary, sketch: ModelSummary) {
        self.base.published = Published { round, samples, offer: Some(offer), sketch };
    }

    /// Everyone known, in the order of ids.
    pub fn known(&self) -> &BTreeMap<PeerId, Known> {
        &self.base.table
    }

    /// Whether a peer is known.
    pub fn knows(&self, peer: &PeerId) -> bool {
        self.base.table.contains_key(peer)
    }

    /// Peers known, this one included.
    pub fn size(&self) -> usize {
        self.base.size()
    }

    /// Most peers known at a time.
    pub fn limit(&self) -> usize {
        match self.base.config.sampling {
            Sampling::View { size } => size,
            _ => self.base.config.max_peers,
        }
    }

    /// Draws up to `count` different peers of the known ones that can be reached, without `tried`, as
    /// [`MembershipConfig::sampling`] says. The choice depends on nobody's loudness, only on being known and, where it
    /// is guarded, on where from. One without a connection is dialled by whoever asks it, at
    /// [`Membership::addresses_to_dial`].
    pub fn draw(&mut self, now: Time, count: usize, tried: &[PeerId]) -> Vec<PeerId> {
        let base = &mut self.base;
        let sources = match &self.mode {
            Mode::Gossip(_) => base.sources(now, tried),
            Mode::View(views) => views.sources(now, tried),
        };
        let everyone: Vec<PeerId> = match base.config.sampling {
            Sampling::Graph(_) => base.table.keys().copied().collect(),
            // Only graphs look at it.
            _ => Vec::new(),
        };
        match base.config.sampling {
            // Nobody is known twice, nor knows itself.
            Sampling::Guarded | Sampling::View { .. } => draw_guarded_distinct(&sources, count, &mut base.rng),
            _ => base.config.sampling.draw(base.own, &sources, &everyone, base.published.round, count, &mut base.rng),
        }
    }

    /// Counts a model that was mixed in; those of peers that are not known are not counted.
    pub fn count_mixed(&mut self, peer: &PeerId) {
        self.base.table.get_mut(peer).into_iter().for_each(|known| known.mixed += 1);
    }

    /// Where to dial a peer before it is asked something; empty for one that is connected or not known.
    pub fn addresses_to_dial(&self, peer: &PeerId) -> Vec<Address> {
        let known = self.base.table.get(peer).filter(|known| !known.connected);
        known.map(|known| known.addresses.clone()).unwrap_or_default()
    }

    /// Each of these peers with the weight that the communication graph gives its link in this round, 0 for one that is
    /// no neighbour; nothing without a graph.
    pub fn links(&self, peers: &[PeerId]) -> Vec<(PeerId, f32)> {
        let base = &self.base;
        if !matches!(base.config.sampling, Sampling::Graph(_)) {
            return Vec::new();
        }
        let everyone: Vec<PeerId> = base.table.keys().copied().collect();
        let weights = base.config.sampling.weights(base.own, &everyone, base.published.round);
        peers.iter().map(|peer| (*peer, weights.get(peer).map_or(0.0, |weight| *weight as f32))).collect()
    }

    fn moved(&mut self, now: Time, mut addresses: Vec<Address>) {
        addresses.truncate(MAX_ADDRESSES);
        if addresses != self.base.addresses {
            self.base.addresses = addresses;
            let base = &mut self.base;
            in_mode!(self, mode => mode.moved(base, now));
        }
    }

    pub(super) fn connections(&self) -> usize {
        match &self.mode {
            Mode::Gossip(_) => self.base.connections(),
            Mode::View(views) => views.connections(),
        }
    }

    pub(super) fn is_connected(&self, peer: &PeerId) -> bool {
        match &self.mode {
            Mode::Gossip(_) => self.base.table.get(peer).is_some_and(|known| known.connected),
            Mode::View(views) => views.is_connected(peer),
        }
    }

    /// Below the least number of connections, dials contacts and known peers whose pause is over.
    fn dial_if_under_connected(&mut self, now: Time, outputs: &mut Vec<Output>) {
        let connections = self.connections();
        let missing = self.base.config.min_connections.saturating_sub(connections);
        if self.base.contacts.next().is_some_and(|at| at <= now) {
            let mut contacts = std::mem::take(&mut self.base.contacts);
            contacts.dial(now, connections, &self.base.config, |peer| self.is_connected(peer), outputs);
            self.base.contacts = contacts;
        }
        if missing > 0 {
            self.base.dial_some(now, missing, outputs);
        }
    }

    fn next_wake(&self, now: Time) -> Time {
        let base = &self.base;
        let routine = match &self.mode {
            Mode::Gossip(gossip) => gossip.next(),
            Mode::View(views) => views.next(),
        };
        let mut next = routine;
        if self.connections() < base.config.min_connections {
            let idle = base.table.values().filter(|known| !known.connected).map(|known| known.dial_after);
            let dials = base.contacts.times().chain(idle).filter(|&at| at > now);
            next = dials.chain([routine]).min().unwrap_or(routine);
        }
        next.max(now + base.config.announce_gap / 2)
    }
}

impl Base {
    /// Everyone who can be reached, without those tried.
    fn sources(&self, now: Time, tried: &[PeerId]) -> Vec<Source> {
        let reachable = |(peer, known): &(&PeerId, &Known)| {
            !tried.contains(peer) && (known.connected || (!known.addresses.is_empty() && known.dial_after <= now))
        };
        self.table.iter().filter(reachable).map(|(peer, known)| known.source(*peer)).collect()
    }

    /// Peers known, this one included.
    pub fn size(&self) -> usize {
        self.table.len() + 1
    }

    pub fn connections(&self) -> usize {
        self.table.values().filter(|known| known.connected).count()
    }

    pub fn is_refused(&self, now: Time, peer: &PeerId) -> bool {
        self.refused.get(peer).is_some_and(|&until| now < until)
    }

    /// Keeps the address of a peer that is given up, as a contact of last resort: a laptop may be asleep for a week.
    pub fn remember(&mut self, peer: PeerId, addresses: Vec<Address>, failures: u32, after: Time) {
        let contact = Contact { peer: Some(peer), addresses };
        self.contacts.remember(Trial { contact, failures, tried: true, after });
    }

    fn disconnected(&mut self, now: Time, peer: PeerId) {
        if let Some(known) = self.table.get_mut(&peer) {
            known.connected = false;
            known.heard = now;
        }
    }

    fn isolated(&mut self, now: Time) {
        for known in self.table.values_mut().filter(|known| known.connected) {
            known.connected = false;
            known.dial_after = now;
        }
    }

    fn dial_failed(&mut self, now: Time, peer: Option<PeerId>) {
        if let Some(known) = peer.and_then(|peer| self.table.get_mut(&peer)) {
            known.dial_after = now + self.config.redial_pause(known.failures);
            known.failures = known.failures.saturating_add(1);
        }
        self.contacts.failed(now, peer, &self.config);
    }

    fn refuse(&mut self, now: Time, peer: PeerId) {
        self.table.remove(&peer);
        self.contacts.forget(&peer);
        if self.refused.len() >= MAX_REFUSED {
            self.refused.pop_first();
        }
        self.refused.insert(peer, now + REFUSED_FOR);
    }

    fn dial_some(&mut self, now: Time, count: usize, outputs: &mut Vec<Output>) {
        let idle = |known: &Known| !known.connected && known.dial_after <= now && !known.addresses.is_empty();
        let mut candidates: Vec<(PeerId, &mut Known)> =
            self.table.iter_mut().map(|(peer, known)| (*peer, known)).filter(|(_, known)| idle(known)).collect();
        for _ in 0..count.min(candidates.len()) {
            let (peer, known) = candidates.swap_remove(self.rng.random_range(0..candidates.len()));
            outputs.push(Output::Dial { peer: Some(peer), addresses: known.addresses.clone() });
            known.dial_after = now + self.config.redial_pause(known.failures);
        }
    }
}

impl Known {
    /// One of whom nothing is known yet, that may send so many announcements in a burst.
    pub(super) fn new(now: Time, burst: f64) -> Self {
        Self {
            addresses: Vec::new(),
            sequence: 0,
            round: 0,
            samples: 0,
            age: 0,
            introducer: None,
            prefix: Prefix::Local,
            heard: now,
            connected: false,
            failures: 0,
            dial_after: now,
            mixed: 0,
            allowance: TokenBucket::full(now, burst),
        }
    }

    /// The peer as a candidate of a draw. On local addresses an introducer says nothing: in a LAN one peer introduces
    /// all others, and they are friends.
    pub(super) fn source(&self, peer: PeerId) -> Source {
        let introducer = self.introducer.filter(|_| self.prefix.is_public());
        Source { peer, introducer, prefix: self.prefix }
    }

    /// A connection is up.
    pub(super) fn is_up(&mut self, now: Time) {
        (self.connected, self.failures, self.dial_after, self.heard) = (true, 0, now, now);
    }
}

/// Where the first public address is.
pub(super) fn prefix_of(addresses: &[Address]) -> Prefix {
    let mut prefixes = addresses.iter().map(|address| Prefix::of_multiaddr(&address.0));
    prefixes.find(Prefix::is_public).unwrap_or(Prefix::Local)
}
