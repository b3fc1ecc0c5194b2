//! A bounded partial view, kept fresh by shuffles: for networks larger than anyone can know.
//!
//! Cyclon (Voulgaris, Gavidia and van Steen 2005, "CYCLON: Inexpensive Membership Management for Unstructured P2P
//! Overlays", enhanced shuffling): at every shuffle a peer sends a few of its entries, itself among them, to the entry
//! it has not heard of for longest, and takes as many back. Views stay close to random graphs, in-degrees even, and the
//! dead are found because the oldest is always asked first.
//!
//! Three departures. The partner of a shuffle is forgotten only when its place is needed, since Cyclon's pointer swap
//! would leave a network of two with one view empty. Answers nobody asked for are ignored. And since Cyclon trusts its
//! peers, two bounds are added: how many entries one peer may have introduced, and how many may be of one [`Prefix`].
//! Prefixes and ages of descriptors are hearsay; the bound on introducers holds without them.
//!
//! The machine is pure: whoever interprets it sends the messages, calls [`View::start_shuffle`] now and then, and tells
//! of failures. The rate of requests is its to bound, too.

mod exchange;
#[cfg(test)]
mod tests;

use rand_chacha::ChaCha8Rng;

use super::{Prefix, Source, draw_guarded};
use crate::id::PeerId;

/// Fewest entries of a view that nodes are told: below, a few lost peers cut a network in pieces.
pub const LEAST_SIZE: usize = 4;
/// Most entries of a view that nodes are told: one for every connection a large machine keeps.
pub const MOST_SIZE: usize = 4096;

/// Bounds of a [`View`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ViewConfig {
    /// Most entries.
    pub capacity: usize,
    /// Most descriptors in a message, whoever sends it.
    pub shuffle: usize,
    /// Most entries introduced by one peer.
    pub per_introducer: usize,
    /// Most entries of one public prefix.
    pub per_prefix: usize,
}

impl ViewConfig {
    /// Bounds for a capacity: a quarter of it, at least 1, for one introducer and for one prefix.
    pub fn new(capacity: usize, shuffle: usize) -> Self {
        let quarter = (capacity / 4).max(1);
        Self { capacity, shuffle, per_introducer: quarter, per_prefix: quarter }
    }

    /// Bounds for a view of this many peers as nodes keep it: half of it in a shuffle, 2 to 8. A contact counts as
    /// introduced by itself, and may introduce a quarter besides: in a view of four it would introduce nobody
    /// otherwise.
    pub fn of_size(size: usize) -> Self {
        let config = Self::new(size, (size / 2).clamp(2, 8));
        Self { per_introducer: config.per_introducer + 1, ..config }
    }
}

impl Default for ViewConfig {
    /// 32 entries, 8 in a shuffle.
    fn default() -> Self {
        Self::new(32, 8)
    }
}

/// What a shuffle tells of a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Descriptor {
    /// Who it is.
    pub peer: PeerId,
    /// Where it is said to be.
    pub prefix: Prefix,
    /// Shuffles since it was last heard, as told.
    pub age: u32,
}

/// What a view remembers of a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Who it is.
    pub peer: PeerId,
    /// Shuffles since it was last heard.
    pub age: u32,
    /// Who told of it: the peer of the shuffle, or the entry itself if it is a contact.
    pub introducer: PeerId,
    /// Where it is said to be.
    pub prefix: Prefix,
}

/// Who came into a view or left it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Came in.
    In(Entry),
    /// Left.
    Out(PeerId),
}

/// A shuffle that waits for its answer.
#[derive(Debug, Clone)]
struct Pending {
    partner: PeerId,
    /// Entries that may make room for the answer.
    sent: Vec<PeerId>,
}

/// The partial view of one peer.
///
/// Invariants, whatever arrives: never itself, no peer twice, and never more than each bound of [`ViewConfig`].
#[derive(Debug)]
pub struct View {
    own: PeerId,
    own_prefix: Prefix,
    config: ViewConfig,
    rng: ChaCha8Rng,
    entries: Vec<Entry>,
    pending: Option<Pending>,
    /// What changed since somebody last looked.
    changes: Vec<Change>,
}

impl View {
    /// An empty view. `rng` decides what is sent and drawn.
    pub fn new(own: PeerId, config: ViewConfig, rng: ChaCha8Rng) -> Self {
        Self { own, own_prefix: Prefix::Local, config, rng, entries: Vec::new(), pending: None, changes: Vec::new() }
    }

    /// Sets what this peer tells of its own place; [`Prefix::Local`] until then.
    pub fn set_own_prefix(&mut self, prefix: Prefix) {
        self.own_prefix = prefix;
    }

    /// Takes in a peer met otherwise: by a ticket, an address book, a connection. It is its own introducer.
    ///
    /// A peer already here counts as just heard, at the prefix given if its bound allows. Answers whether it is in the
    /// view; a full view and a full prefix take no contact.
    pub fn insert_contact(&mut self, peer: PeerId, prefix: Prefix) -> bool {
        let room = self.prefix_has_room(prefix);
        if let Some(entry) = self.entry_mut(peer) {
            entry.age = 0;
            entry.prefix = if room { prefix } else { entry.prefix };
            return true;
        }
        self.admit(Descriptor { peer, prefix, age: 0 }, peer, &mut Vec::new())
    }

    /// Forgets a peer that could not be reached.
    pub fn on_failed(&mut self, peer: PeerId) {
        if let Some(at) = self.entries.iter().position(|entry| entry.peer == peer) {
            self.entries.remove(at);
            self.changes.push(Change::Out(peer));
        }
        if self.pending.as_ref().is_some_and(|pending| pending.partner == peer) {
            self.pending = None;
        }
    }

    /// Draws up to `count` different peers without `exclude`, by [`draw_guarded`].
    pub fn draw(&mut self, count: usize, exclude: &[PeerId]) -> Vec<PeerId> {
        let mut sources = self.sources();
        sources.retain(|source| !exclude.contains(&source.peer));
        draw_guarded(&sources, count, &mut self.rng)
    }

    /// Takes away what changed since the last call, in its order. Whoever does not look for a long time lets it grow.
    pub fn drain_changes(&mut self) -> std::vec::Drain<'_, Change> {
        self.changes.drain(..)
    }

    /// Everyone in the view.
    pub fn peers(&self) -> impl Iterator<Item = PeerId> + '_ {
        self.entries.iter().map(|entry| entry.peer)
    }

    /// Everything remembered, in no order that means anything.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The view as candidates for [`super::Sampling::draw`].
    pub fn sources(&self) -> Vec<Source> {
        let source =
            |entry: &Entry| Source { peer: entry.peer, introducer: Some(entry.introducer), prefix: entry.prefix };
        self.entries.iter().map(source).collect()
    }
}
