//! What membership remembers whatever the mode, and how an input goes through it.

use std::collections::BTreeMap;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::contacts::{Contacts, Trial};
use super::gossip::Gossip;
use super::known::Known;
use super::output::Output;
use super::view::Views;
use super::{Contact, Input, MembershipConfig};
use crate::id::{PeerId, TaskId};
use crate::sampling::Sampling;
use crate::time::Time;
use crate::token_bucket::TokenBucket;
use crate::wire::announce::MAX_ADDRESSES;
use crate::wire::{Address, ModelSummary, OfferSummary};

/// How long a peer of another task or a banned one is not taken in again.
const REFUSED_FOR: std::time::Duration = std::time::Duration::from_secs(600);
/// Most refused peers remembered; they are few, and a forgotten one is refused again.
const MAX_REFUSED: usize = 256;

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
    /// Draws of peers that are not connected, beyond the degree; refilled with time.
    pub(super) fresh: TokenBucket,
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
            fresh: super::drawing::fresh(),
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
            Input::Reached { peer, scope } => {
                base.table.get_mut(&peer).into_iter().for_each(|known| known.link = scope);
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

    /// Whom it looks for beside those known, and when it tries each next.
    pub fn contacts(&self) -> impl Iterator<Item = (&Contact, Time)> {
        self.base.contacts.next_tries()
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
        let drawn = base.draw_of(now, sources, count);
        drawn.iter().for_each(|peer| self.use_connection(now, peer));
        drawn
    }

    /// Counts a model that was mixed in; those of peers that are not known are not counted.
    pub fn count_mixed(&mut self, peer: &PeerId) {
        self.base.table.get_mut(peer).into_iter().for_each(|known| known.mixed += 1);
    }

    /// A peer asked something, or is asked: its connection is of use.
    pub fn use_connection(&mut self, now: Time, peer: &PeerId) {
        self.base.table.get_mut(peer).into_iter().for_each(|known| known.used = now);
    }

    /// Where to dial a peer before it is asked something; empty for one that is connected or not known.
    pub fn addresses_to_dial(&self, peer: &PeerId) -> Vec<Address> {
        let known = self.base.table.get(peer).filter(|known| !known.connected);
        known.map(Known::to_dial).unwrap_or_default()
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

    #[cfg(test)]
    pub(super) fn is_connected(&self, peer: &PeerId) -> bool {
        self.mode.is_connected(&self.base.table, peer)
    }

    /// Below the least number of connections, dials contacts and known peers whose pause is over; above it, a contact now and then.
    fn dial_if_under_connected(&mut self, now: Time, outputs: &mut Vec<Output>) {
        let connections = self.connections();
        let Self { base, mode } = self;
        let missing = base.config.min_connections.saturating_sub(connections);
        let Base { contacts, config, rng, table, .. } = base;
        let (mode, table) = (&*mode, &*table);
        let is_connected = |peer: &PeerId| mode.is_connected(table, peer);
        if contacts.next().is_some_and(|at| at <= now) {
            contacts.dial(now, connections, config, is_connected, outputs);
        }
        match missing {
            0 => contacts.probe(now, config, rng, is_connected, outputs),
            _ => base.dial_some(now, missing, outputs),
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
        } else if let Some(probe) = base.contacts.next_probe() {
            next = next.min(probe);
        }
        next.max(now + base.config.announce_gap / 2)
    }
}

impl Mode {
    fn is_connected(&self, table: &BTreeMap<PeerId, Known>, peer: &PeerId) -> bool {
        match self {
            Self::Gossip(_) => table.get(peer).is_some_and(|known| known.connected),
            Self::View(views) => views.is_connected(peer),
        }
    }
}

impl Base {
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
        self.contacts.remember(Trial { contact, failures, tried: true, lost: true, after });
    }

    fn disconnected(&mut self, now: Time, peer: PeerId) {
        if let Some(known) = self.table.get_mut(&peer) {
            known.connected = false;
            known.heard = now;
        }
        if self.connections() == 0 {
            // The own link is down, or was: whoever answered before is tried at once, and soon again.
            let proven = self.table.values_mut().filter(|known| known.proven);
            proven.for_each(|known| (known.dial_after, known.failures) = (now, 0));
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
            known.dial_after = now + known.pause(&self.config, &mut self.rng);
            known.failures = known.failures.saturating_add(1);
        }
        let alone = self.connections() == 0;
        self.contacts.failed(now, peer, alone, &self.config, &mut self.rng);
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
            outputs.push(Output::Dial { peer: Some(peer), addresses: known.to_dial() });
            known.dial_after = now + known.pause(&self.config, &mut self.rng);
        }
    }
}
