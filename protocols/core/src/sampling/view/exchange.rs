//! Shuffles: what is sent, and what becomes of what comes back.

use rand::seq::{IteratorRandom, SliceRandom};

use super::{Change, Descriptor, Entry, Pending, View};
use crate::id::PeerId;
use crate::sampling::Prefix;

impl View {
    /// Makes everyone a shuffle older and starts one with the oldest: whom to send, and what.
    ///
    /// None if nobody is known. The partner of a shuffle that was never answered is forgotten first.
    pub fn start_shuffle(&mut self) -> Option<(PeerId, Vec<Descriptor>)> {
        if let Some(pending) = self.pending.take() {
            self.on_failed(pending.partner);
        }
        self.entries.iter_mut().for_each(|entry| entry.age = entry.age.saturating_add(1));
        // Among equally old ones chance decides, or all of a network that started together would ask the same peer.
        self.entries.shuffle(&mut self.rng);
        let partner = self.entries.iter().max_by_key(|entry| entry.age)?.peer;
        let mut message = self.some_but(partner, self.config.shuffle.saturating_sub(1));
        // The place of the partner is the first to be taken.
        let sent = message.iter().map(|told| told.peer).chain([partner]).collect();
        message.push(Descriptor { peer: self.own, prefix: self.own_prefix, age: 0 });
        self.pending = Some(Pending { partner, sent });
        Some((partner, message))
    }

    /// Takes a shuffle of `from` and gives the answer to it.
    pub fn on_request(&mut self, from: PeerId, descriptors: Vec<Descriptor>) -> Vec<Descriptor> {
        if from == self.own {
            return Vec::new();
        }
        let answer = self.some_but(from, self.config.shuffle);
        self.merge(from, descriptors, answer.iter().map(|told| told.peer).collect());
        answer
    }

    /// Takes the answer to the shuffle last started; any other is ignored.
    pub fn on_response(&mut self, from: PeerId, descriptors: Vec<Descriptor>) {
        if let Some(pending) = self.pending.take_if(|pending| pending.partner == from) {
            self.merge(from, descriptors, pending.sent);
        }
    }

    /// Up to `count` descriptors of random entries other than `peer`.
    fn some_but(&mut self, peer: PeerId, count: usize) -> Vec<Descriptor> {
        let others = self.entries.iter().filter(|entry| entry.peer != peer).sample(&mut self.rng, count);
        others.iter().map(|entry| Descriptor { peer: entry.peer, prefix: entry.prefix, age: entry.age }).collect()
    }

    /// Admits what is new, first into free places, then into those of `sent` from the end.
    fn merge(&mut self, from: PeerId, mut descriptors: Vec<Descriptor>, mut sent: Vec<PeerId>) {
        descriptors.truncate(self.config.shuffle);
        if let Some(entry) = self.entry_mut(from) {
            entry.age = 0;
        }
        for descriptor in descriptors {
            self.admit(descriptor, from, &mut sent);
        }
    }

    /// Takes in a new peer if the bounds allow, in place of the last of `replaceable` still here if there is no room.
    pub(super) fn admit(&mut self, told: Descriptor, introducer: PeerId, replaceable: &mut Vec<PeerId>) -> bool {
        let (mut is_here, mut introduced, mut of_prefix) = (told.peer == self.own, 0, 0);
        for entry in &self.entries {
            is_here |= entry.peer == told.peer;
            introduced += usize::from(entry.introducer == introducer);
            of_prefix += usize::from(entry.prefix == told.prefix);
        }
        let crowded = told.prefix.is_public() && of_prefix >= self.config.per_prefix;
        let refused = is_here || introduced >= self.config.per_introducer || crowded;
        if refused || (self.entries.len() >= self.config.capacity && !self.make_room(replaceable)) {
            return false;
        }
        let Descriptor { peer, prefix, age } = told;
        let entry = Entry { peer, age, introducer, prefix };
        self.entries.push(entry);
        self.changes.push(Change::In(entry));
        true
    }

    fn make_room(&mut self, replaceable: &mut Vec<PeerId>) -> bool {
        while let Some(peer) = replaceable.pop() {
            if let Some(index) = self.entries.iter().position(|entry| entry.peer == peer) {
                self.entries.swap_remove(index);
                self.changes.push(Change::Out(peer));
                return true;
            }
        }
        false
    }

    pub(super) fn prefix_has_room(&self, prefix: Prefix) -> bool {
        let same = || self.entries.iter().filter(|entry| entry.prefix == prefix).count();
        !prefix.is_public() || same() < self.config.per_prefix
    }

    pub(super) fn entry_mut(&mut self, peer: PeerId) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|entry| entry.peer == peer)
    }
}
