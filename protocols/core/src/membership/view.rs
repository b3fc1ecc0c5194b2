//! Membership by a bounded view: who is known is what shuffles tell, and never more than the view holds.
//!
//! Nothing is announced, so that nothing a peer does costs more in a larger network. Every so often a peer shuffles
//! with one of its view; descriptors carry the addresses by which their peers are dialled. The prefix of a peer is read
//! off those addresses, never told.
//!
//! All peers of a network do it this way, or none: a peer with a view takes no announcements.
//!
//! Invariant (*bounded*): the table of known peers is the view; besides it there are only the connections, which the
//! network bounds, and the contacts of last resort.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::MembershipConfig;
use super::known::{Known, prefix_of};
use super::output::{Acceptance, Output};
use super::state::Base;
use crate::id::PeerId;
use crate::sampling::Source;
use crate::sampling::view::{self, View, ViewConfig};
use crate::time::Time;
use crate::token_bucket::TokenBucket;
use crate::wire::descriptor::MAX_TOLD_ADDRESSES;
use crate::wire::{Address, Announcement, Descriptor, Refusal, Response};

/// Most connections remembered, beyond what any node keeps up.
const MAX_CONNECTED: usize = 4096;
/// Shuffles one peer may ask for in a burst.
const BURST: f64 = 8.0;
/// Shuffles a second one peer may ask for in the long run: no setting makes an honest one ask more often.
const SUSTAINED: f64 = 5.0;
/// Failed dials in a row after which a peer leaves the view; a shuffle that fails is enough by itself.
const MOST_FAILURES: u32 = 2;
/// Pause that a peer is told that asks too often.
const RETRY_AFTER_MS: u32 = 1000;

/// The view with what belongs to it.
#[derive(Debug)]
pub(super) struct Views {
    view: View,
    every: Duration,
    /// When the next shuffle is due.
    next: Time,
    /// Everyone connected, in the view or not.
    connected: BTreeMap<PeerId, TokenBucket>,
    /// Who of the view is not to be drawn before a time: a dial failed, or nobody knows an address. Few.
    unreachable: Vec<(PeerId, Time)>,
}

impl Views {
    pub fn new(own: PeerId, size: usize, config: &MembershipConfig, seed: u64) -> Self {
        let view = View::new(own, ViewConfig::of_size(size), ChaCha8Rng::seed_from_u64(seed));
        Self {
            view,
            every: config.shuffle_every,
            next: Time::ZERO,
            connected: BTreeMap::new(),
            unreachable: Vec::new(),
        }
    }

    /// When the next shuffle is due.
    pub fn next(&self) -> Time {
        self.next
    }

    /// Connections to anyone.
    pub fn connections(&self) -> usize {
        self.connected.len()
    }

    pub fn is_connected(&self, peer: &PeerId) -> bool {
        self.connected.contains_key(peer)
    }

    /// Who is in a view is not for announcements to say.
    pub fn announced(
        &mut self,
        base: &mut Base,
        _: Time,
        _: PeerId,
        _: Option<PeerId>,
        announcement: Announcement,
        outputs: &mut Vec<Output>,
    ) {
        let verdict = if announcement.task == base.task { Acceptance::Ignore } else { Acceptance::Reject };
        outputs.push(Output::Judge(verdict));
    }

    /// Everyone in the view who can be reached, without those tried.
    pub fn sources(&self, now: Time, tried: &[PeerId]) -> Vec<Source> {
        let mut entries = Vec::with_capacity(self.view.entries().len());
        let away = |peer: &PeerId| self.unreachable.iter().any(|(other, until)| other == peer && now < *until);
        let reachable = self.view.entries().iter().filter(|entry| !tried.contains(&entry.peer) && !away(&entry.peer));
        entries.extend(reachable.map(|entry| Source {
            peer: entry.peer,
            // On local addresses an introducer says nothing.
            introducer: Some(entry.introducer).filter(|_| entry.prefix.is_public()),
            prefix: entry.prefix,
        }));
        entries
    }

    /// A connection is up: its peer comes into the view while there is room.
    pub fn connected(&mut self, base: &mut Base, now: Time, peer: PeerId, outputs: &mut Vec<Output>) {
        if self.connected.len() >= MAX_CONNECTED {
            return;
        }
        if self.connected.is_empty() {
            // Somebody to ask, after nobody.
            self.next = now;
        }
        self.connected.insert(peer, TokenBucket::full(now, BURST));
        self.unreachable.retain(|(other, _)| *other != peer);
        if let Some(known) = base.table.get_mut(&peer) {
            known.is_up(now);
            self.view.insert_contact(peer, known.prefix);
            return;
        }
        let addresses = base.contacts.of(&peer).map(|contact| contact.addresses.clone()).unwrap_or_default();
        self.view.insert_contact(peer, prefix_of(&addresses));
        self.follow(base, now, &[Descriptor { peer, addresses, age: 0 }], outputs);
    }

    pub fn disconnected(&mut self, base: &mut Base, peer: PeerId) {
        self.connected.remove(&peer);
        if base.table.get(&peer).is_some_and(|known| known.addresses.is_empty()) {
            self.unreachable.push((peer, Time(u64::MAX)));
        }
    }

    pub fn isolated(&mut self) {
        self.connected.clear();
    }

    /// A dial failed: one failure may be the network's, two in a row are the peer's.
    pub fn dial_failed(&mut self, base: &mut Base, now: Time, peer: Option<PeerId>, outputs: &mut Vec<Output>) {
        let Some((peer, known)) = peer.and_then(|peer| Some((peer, base.table.get(&peer)?))) else { return };
        if known.failures >= MOST_FAILURES {
            return self.shuffle_failed(base, now, peer, outputs);
        }
        self.unreachable.retain(|(other, _)| *other != peer);
        self.unreachable.push((peer, known.dial_after));
    }

    pub fn refused(&mut self, peer: PeerId) {
        // Gone from the table already.
        self.view.on_failed(peer);
    }

    pub fn moved(&mut self, base: &mut Base, _: Time) {
        self.view.set_own_prefix(prefix_of(&base.addresses));
    }

    /// Forgets a peer of the view that cannot be reached, but for its address.
    pub fn shuffle_failed(&mut self, base: &mut Base, now: Time, peer: PeerId, outputs: &mut Vec<Output>) {
        if let Some(known) = base.table.remove(&peer) {
            base.remember(peer, known.addresses, 0, now + base.config.redial_first);
            outputs.push(Output::Expired { peer });
        }
        self.view.on_failed(peer);
        self.follow(base, now, &[], outputs);
    }

    /// What is done whenever something happened: starts a shuffle when it is time.
    pub fn routine(&mut self, base: &mut Base, now: Time, outputs: &mut Vec<Output>) {
        if self.next > now {
            return;
        }
        self.next = now + self.every.mul_f64(base.rng.random_range(0.75..1.25));
        let started = self.view.start_shuffle();
        // Whoever did not answer the last one is gone from the view by now.
        self.follow(base, now, &[], outputs);
        let Some((partner, told)) = started else { return };
        let addresses = match self.is_connected(&partner) {
            true => Vec::new(),
            false => base.table.get(&partner).map(|known| known.addresses.clone()).unwrap_or_default(),
        };
        let descriptors = told.into_iter().filter_map(|told| describe(base, told)).collect();
        outputs.push(Output::Shuffle { partner, addresses, descriptors });
    }

    /// Answers a shuffle.
    pub fn shuffle_asked(
        &mut self,
        base: &mut Base,
        now: Time,
        from: PeerId,
        mut told: Vec<Descriptor>,
        outputs: &mut Vec<Output>,
    ) {
        let busy = || Output::Answer(Response::Refused { reason: Refusal::Busy, retry_after_ms: RETRY_AFTER_MS });
        // One whose connection is so new that nobody said so yet may come back.
        let Some(allowance) = self.connected.get_mut(&from) else { return outputs.push(busy()) };
        if !allowance.spend(now, BURST, SUSTAINED) {
            outputs.push(Output::Flooded { author: from });
            return outputs.push(busy());
        }
        told.retain(|told| told.peer == from || !base.is_refused(now, &told.peer));
        let answer = self.view.on_request(from, told.iter().map(|told| heard(told, from)).collect());
        // Described before the view changes what is known.
        let own = view::Descriptor { peer: base.own, prefix: prefix_of(&base.addresses), age: 0 };
        let descriptors = std::iter::once(own).chain(answer).filter_map(|told| describe(base, told)).collect();
        outputs.push(Output::Answer(Response::Shuffled { descriptors }));
        self.follow(base, now, &told, outputs);
        self.learn_addresses(base, from, &told);
    }

    /// Takes in the answer to the own shuffle.
    pub fn shuffle_answered(
        &mut self,
        base: &mut Base,
        now: Time,
        from: PeerId,
        mut told: Vec<Descriptor>,
        outputs: &mut Vec<Output>,
    ) {
        told.retain(|told| told.peer == from || !base.is_refused(now, &told.peer));
        // What a partner says of itself is where it is, not a peer of its view.
        let others = told.iter().filter(|told| told.peer != from).map(|told| heard(told, from));
        self.view.on_response(from, others.collect());
        if let Some(known) = base.table.get_mut(&from) {
            known.heard = now;
        }
        self.follow(base, now, &told, outputs);
        self.learn_addresses(base, from, &told);
    }

    /// Makes the table of known peers that of the view. Addresses of newcomers are among `told`.
    fn follow(&mut self, base: &mut Base, now: Time, told: &[Descriptor], outputs: &mut Vec<Output>) {
        for change in self.view.drain_changes() {
            match change {
                view::Change::Out(peer) => {
                    base.table.remove(&peer);
                    self.unreachable.retain(|(other, _)| *other != peer);
                }
                view::Change::In(entry) => {
                    let said = told.iter().find(|told| told.peer == entry.peer);
                    let addresses = said.map(|told| told.addresses.clone()).unwrap_or_default();
                    let connected = self.connected.contains_key(&entry.peer);
                    if addresses.is_empty() && !connected {
                        self.unreachable.push((entry.peer, Time(u64::MAX)));
                    }
                    let (introducer, prefix) = (Some(entry.introducer), entry.prefix);
                    let known = Known { addresses, introducer, prefix, connected, ..Known::new(now, BURST) };
                    base.table.insert(entry.peer, known);
                    outputs.push(Output::Discovered { peer: entry.peer, known: base.table.len() });
                }
            }
        }
    }

    /// Takes over where a peer says that it is itself.
    fn learn_addresses(&mut self, base: &mut Base, from: PeerId, told: &[Descriptor]) {
        let own = told.iter().find(|told| told.peer == from);
        if let (Some(told), Some(known)) = (own, base.table.get_mut(&from)) {
            known.prefix = prefix_of(&told.addresses);
            known.addresses.clone_from(&told.addresses);
            self.unreachable.retain(|(other, until)| *other != from || *until < Time(u64::MAX));
            self.view.insert_contact(from, known.prefix);
        }
    }
}

/// A descriptor as it travels; one of whom no address is known is of no use to anyone.
fn describe(base: &Base, told: view::Descriptor) -> Option<Descriptor> {
    let addresses: &[Address] = match told.peer == base.own {
        true => &base.addresses,
        false => &base.table.get(&told.peer)?.addresses,
    };
    let addresses: Vec<Address> = addresses.iter().take(MAX_TOLD_ADDRESSES).cloned().collect();
    (!addresses.is_empty()).then_some(Descriptor { peer: told.peer, addresses, age: told.age })
}

/// A descriptor as the view takes it; what a peer says of itself is new.
fn heard(told: &Descriptor, from: PeerId) -> view::Descriptor {
    let age = if told.peer == from { 0 } else { told.age };
    view::Descriptor { peer: told.peer, prefix: prefix_of(&told.addresses), age }
}
