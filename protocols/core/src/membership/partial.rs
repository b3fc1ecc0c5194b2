//! Membership by a bounded view: who is known is what shuffles tell, and never more than the view holds.
//!
//! Nothing is announced, so that nothing a peer does costs more in a larger network. Every so often a peer shuffles with
//! one of its view; descriptors carry the addresses by which their peers are dialled. The prefix of a peer is read off
//! those addresses, never told.
//!
//! All peers of a network do it this way, or none: a peer that announces itself is heard only by those who have it in
//! their view already.
//!
//! Invariant (*bounded*): the table of known peers is the view; besides it there are only the connections, which the
//! network bounds, and the contacts of last resort.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::allowance::Allowance;
use super::output::Output;
use super::state::{Known, Membership, Trial};
use super::transition::prefix_of;
use super::{Contact, MembershipConfig};
use crate::id::PeerId;
use crate::sampling::Sampling;
use crate::sampling::view::{self, View, ViewConfig};
use crate::time::Time;
use crate::wire::descriptor::MAX_TOLD_ADDRESSES;
use crate::wire::{Address, Descriptor, Refusal, Response};

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
pub(super) struct Partial {
    pub view: View,
    every: Duration,
    /// When the next shuffle is due.
    pub next: Time,
    /// Everyone connected, in the view or not.
    connected: BTreeMap<PeerId, Allowance>,
}

impl Partial {
    /// A view of the size that the sampling names; none where everyone is known.
    pub fn new(own: PeerId, config: &MembershipConfig, rng: &mut ChaCha8Rng) -> Option<Self> {
        let Sampling::View { size } = config.sampling else { return None };
        let view = View::new(own, ViewConfig::of_size(size), ChaCha8Rng::seed_from_u64(rng.random()));
        Some(Self { view, every: config.shuffle_every, next: Time::ZERO, connected: BTreeMap::new() })
    }

    /// Connections to anyone.
    pub fn connections(&self) -> usize {
        self.connected.len()
    }

    pub fn is_connected(&self, peer: &PeerId) -> bool {
        self.connected.contains_key(peer)
    }

    pub fn disconnected(&mut self, peer: &PeerId) {
        self.connected.remove(peer);
    }

    pub fn isolated(&mut self) {
        self.connected.clear();
    }
}

impl Membership {
    /// A connection is up: its peer comes into the view while there is room.
    pub(super) fn on_partial_connected(&mut self, now: Time, peer: PeerId, outputs: &mut Vec<Output>) {
        let trial = self.contacts.iter().find(|trial| trial.contact.peer == Some(peer));
        let addresses = trial.map(|trial| trial.contact.addresses.clone()).unwrap_or_default();
        let Some(partial) = &mut self.partial else { return };
        if partial.connected.len() >= MAX_CONNECTED {
            return;
        }
        if partial.connected.is_empty() {
            // Somebody to ask, after nobody.
            partial.next = now;
        }
        partial.connected.insert(peer, Allowance::full(now, BURST));
        partial.view.insert_contact(peer, prefix_of(&addresses));
        let told = Descriptor { peer, addresses, age: 0 };
        self.follow_view(now, &[told], outputs);
        if let Some(known) = self.view.get_mut(&peer) {
            (known.connected, known.failures, known.heard) = (true, 0, now);
        }
    }

    /// Forgets a peer of the view that cannot be reached, but for its address.
    pub(super) fn on_partial_failed(&mut self, now: Time, peer: PeerId, outputs: &mut Vec<Output>) {
        let Some(partial) = &mut self.partial else { return };
        partial.view.on_failed(peer);
        if let Some(known) = self.view.remove(&peer) {
            let contact = Contact { peer: Some(peer), addresses: known.addresses };
            self.remember(Trial { contact, failures: 0, tried: true, after: now + self.config.redial_first });
            outputs.push(Output::Expired { peer });
        }
    }

    /// A dial failed: one failure may be the network's, two in a row are the peer's.
    pub(super) fn on_partial_dial_failed(&mut self, now: Time, peer: Option<PeerId>, outputs: &mut Vec<Output>) {
        let failures = peer.and_then(|peer| self.view.get(&peer)).map_or(0, |known| known.failures);
        if let Some(peer) = peer.filter(|_| self.partial.is_some() && failures >= MOST_FAILURES) {
            self.on_partial_failed(now, peer, outputs);
        }
    }

    /// Starts a shuffle when it is time.
    pub(super) fn shuffle_if_due(&mut self, now: Time, outputs: &mut Vec<Output>) {
        let Some(partial) = self.partial.as_mut().filter(|partial| partial.next <= now) else { return };
        partial.next = now + partial.every.mul_f64(self.rng.random_range(0.75..1.25));
        let started = partial.view.start_shuffle();
        // Whoever did not answer the last one is gone from the view by now.
        self.follow_view(now, &[], outputs);
        let Some((partner, told)) = started else { return };
        let addresses = self.view.get(&partner).map(|known| known.addresses.clone()).unwrap_or_default();
        let descriptors = told.into_iter().filter_map(|told| self.describe(told)).collect();
        outputs.push(Output::Shuffle { partner, addresses, descriptors });
    }

    /// Answers a shuffle.
    pub(super) fn on_shuffle_asked(
        &mut self,
        now: Time,
        from: PeerId,
        mut told: Vec<Descriptor>,
        outputs: &mut Vec<Output>,
    ) {
        let refuse = |reason, retry_after_ms| Output::Answer(Response::Refused { reason, retry_after_ms });
        let Some(partial) = &mut self.partial else { return outputs.push(refuse(Refusal::NoView, 600_000)) };
        // One whose connection is so new that nobody said so yet may come back.
        let Some(allowance) = partial.connected.get_mut(&from) else {
            return outputs.push(refuse(Refusal::Busy, RETRY_AFTER_MS));
        };
        if !allowance.spend(now, BURST, SUSTAINED) {
            outputs.push(Output::Flooded { author: from });
            return outputs.push(refuse(Refusal::Busy, RETRY_AFTER_MS));
        }
        told.retain(|told| told.peer == from || !self.is_refused(now, &told.peer));
        let Some(partial) = &mut self.partial else { return };
        let answer = partial.view.on_request(from, told.iter().map(|told| heard(told, from)).collect());
        // Described before the view changes what is known.
        let own = view::Descriptor { peer: self.own, prefix: prefix_of(&self.addresses), age: 0 };
        let descriptors = std::iter::once(own).chain(answer).filter_map(|told| self.describe(told)).collect();
        outputs.push(Output::Answer(Response::Shuffled { descriptors }));
        self.follow_view(now, &told, outputs);
        self.learn_addresses(from, &told);
    }

    /// Takes in the answer to the own shuffle.
    pub(super) fn on_shuffle_answered(
        &mut self,
        now: Time,
        from: PeerId,
        mut told: Vec<Descriptor>,
        outputs: &mut Vec<Output>,
    ) {
        told.retain(|told| told.peer == from || !self.is_refused(now, &told.peer));
        let Some(partial) = &mut self.partial else { return };
        // What a partner says of itself is where it is, not a peer of its view.
        let others = told.iter().filter(|told| told.peer != from).map(|told| heard(told, from));
        partial.view.on_response(from, others.collect());
        if let Some(known) = self.view.get_mut(&from) {
            known.heard = now;
        }
        self.follow_view(now, &told, outputs);
        self.learn_addresses(from, &told);
    }

    /// Makes the table of known peers that of the view. Addresses of newcomers are among `told`.
    fn follow_view(&mut self, now: Time, told: &[Descriptor], outputs: &mut Vec<Output>) {
        let Some(partial) = &self.partial else { return };
        let entries = partial.view.entries();
        self.view.retain(|peer, _| entries.iter().any(|entry| entry.peer == *peer));
        for entry in entries {
            if self.view.contains_key(&entry.peer) {
                continue;
            }
            let said = told.iter().find(|told| told.peer == entry.peer);
            let known = Known {
                addresses: said.map(|told| told.addresses.clone()).unwrap_or_default(),
                introducer: Some(entry.introducer),
                prefix: entry.prefix,
                connected: partial.is_connected(&entry.peer),
                ..Known::new(now)
            };
            self.view.insert(entry.peer, known);
            outputs.push(Output::Discovered { peer: entry.peer, known: self.view.len() });
        }
    }

    /// Takes over where a peer says that it is itself.
    fn learn_addresses(&mut self, from: PeerId, told: &[Descriptor]) {
        let own = told.iter().find(|told| told.peer == from);
        if let (Some(told), Some(known)) = (own, self.view.get_mut(&from)) {
            known.prefix = prefix_of(&told.addresses);
            known.addresses.clone_from(&told.addresses);
            let prefix = known.prefix;
            if let Some(partial) = &mut self.partial {
                partial.view.insert_contact(from, prefix);
            }
        }
    }

    /// A descriptor as it travels; one of whom no address is known is of no use to anyone.
    fn describe(&self, told: view::Descriptor) -> Option<Descriptor> {
        let addresses: &[Address] = match told.peer == self.own {
            true => &self.addresses,
            false => &self.view.get(&told.peer)?.addresses,
        };
        let addresses: Vec<Address> = addresses.iter().take(MAX_TOLD_ADDRESSES).cloned().collect();
        (!addresses.is_empty()).then_some(Descriptor { peer: told.peer, addresses, age: told.age })
    }
}

/// A descriptor as the view takes it; what a peer says of itself is new.
fn heard(told: &Descriptor, from: PeerId) -> view::Descriptor {
    let age = if told.peer == from { 0 } else { told.age };
    view::Descriptor { peer: told.peer, prefix: prefix_of(&told.addresses), age }
}
