//! How membership reacts.

use std::time::Duration;

use rand::RngExt;

use super::allowance::Allowance;
use super::output::{Output, Verdict};
use super::partial::Partial;
use super::state::{Known, MAX_CONTACTS, MAX_REFUSED, Membership, Trial};
use super::{Contact, Input};
use crate::id::PeerId;
use crate::sampling::{Prefix, Source};
use crate::time::Time;
use crate::wire::announce::MAX_ADDRESSES;
use crate::wire::{Address, Announcement};

/// How long a peer of another task or a banned one is not taken in again.
const REFUSED_FOR: Duration = Duration::from_secs(600);
/// Announcements one author may send in a burst: a restart, an address change and answers to newcomers.
const BURST: f64 = 16.0;
/// Announcements a second one author may send in the long run: twice what [`super::MembershipConfig`] lets us send.
const SUSTAINED: f64 = 2.0;

impl Membership {
    /// Takes one fact and pushes what follows from it. The last output is always the next [`Output::WakeAt`].
    pub fn handle(&mut self, now: Time, input: Input, outputs: &mut Vec<Output>) {
        match input {
            Input::Contacted(contact) => self.on_contacted(now, contact),
            Input::Announced { author, via, announcement } => {
                self.on_announced(now, author, via, announcement, outputs)
            }
            Input::Connected { peer } => self.on_connected(now, peer, outputs),
            Input::Disconnected { peer } => self.on_disconnected(now, peer),
            Input::Isolated => self.on_isolated(now),
            Input::DialFailed { peer } => self.on_dial_failed(now, peer, outputs),
            Input::Refused { peer } => self.on_refused(now, peer),
            Input::Moved { addresses } => self.on_moved(now, addresses),
            Input::Published { round, samples, offer, sketch } => {
                (self.round, self.samples, self.offer, self.sketch) = (round, samples, offer, sketch);
            }
            Input::ShuffleAsked { from, descriptors } => self.on_shuffle_asked(now, from, descriptors, outputs),
            Input::ShuffleAnswered { from, descriptors } => self.on_shuffle_answered(now, from, descriptors, outputs),
            Input::ShuffleFailed { peer } => self.on_partial_failed(now, peer, outputs),
            Input::Woke => {}
        }
        self.expire(now, outputs);
        self.dial_if_lonely(now, outputs);
        self.announce_if_due(now, outputs);
        self.shuffle_if_due(now, outputs);
        outputs.push(Output::WakeAt(self.next_wake(now)));
    }

    fn on_contacted(&mut self, now: Time, contact: Contact) {
        let own = contact.peer == Some(self.own);
        let known = self.contacts.iter().any(|trial| trial.contact == contact);
        if own || known || contact.addresses.is_empty() || self.contacts.len() >= MAX_CONTACTS {
            return;
        }
        self.contacts.push(Trial { contact, failures: 0, tried: false, after: now });
    }

    fn on_announced(
        &mut self,
        now: Time,
        author: PeerId,
        via: Option<PeerId>,
        announcement: Announcement,
        outputs: &mut Vec<Output>,
    ) {
        if announcement.task != self.task {
            return outputs.push(Output::Judge(Verdict::Reject));
        }
        if author == self.own || self.is_refused(now, &author) || self.is_one_too_many(author, via, &announcement) {
            return outputs.push(Output::Judge(Verdict::Ignore));
        }
        let is_new = !self.view.contains_key(&author);
        if is_new && self.partial.is_some() {
            // Who is in a shuffled view is not for announcements to say.
            return outputs.push(Output::Judge(Verdict::Ignore));
        }
        let Some(known) = self.admit(now, author) else {
            return outputs.push(Output::Judge(Verdict::Ignore));
        };
        if announcement.sequence <= known.sequence {
            return outputs.push(Output::Judge(Verdict::Ignore));
        }
        if !known.allowance.spend(now, BURST, SUSTAINED) {
            outputs.push(Output::Judge(Verdict::Ignore));
            return outputs.push(Output::Flooded { author });
        }
        known.learn(now, announcement);
        if is_new {
            known.introducer = via;
        }
        outputs.push(Output::Judge(Verdict::Accept));
        if is_new {
            self.greet(now);
            outputs.push(Output::Discovered { peer: author, known: self.view.len() });
        }
    }

    fn on_connected(&mut self, now: Time, peer: PeerId, outputs: &mut Vec<Output>) {
        if self.partial.is_some() {
            self.on_partial_connected(now, peer, outputs);
            return self.contacts.retain(|trial| trial.contact.peer != Some(peer));
        }
        let is_new = !self.view.contains_key(&peer);
        if let Some(known) = self.admit(now, peer) {
            known.connected = true;
            known.failures = 0;
            known.dial_after = now;
            known.heard = now;
            if is_new {
                outputs.push(Output::Discovered { peer, known: self.view.len() });
            }
        }
        self.contacts.retain(|trial| trial.contact.peer != Some(peer));
        // The new neighbour, and whoever is behind it, may never have heard of us.
        self.greet(now);
    }

    fn on_disconnected(&mut self, now: Time, peer: PeerId) {
        if let Some(known) = self.view.get_mut(&peer) {
            known.connected = false;
            known.heard = now;
        }
        self.partial.iter_mut().for_each(|partial| partial.disconnected(&peer));
    }

    fn on_isolated(&mut self, now: Time) {
        for known in self.view.values_mut().filter(|known| known.connected) {
            known.connected = false;
            known.dial_after = now;
        }
        self.partial.iter_mut().for_each(Partial::isolated);
    }

    fn on_dial_failed(&mut self, now: Time, peer: Option<PeerId>, outputs: &mut Vec<Output>) {
        let pause = |failures: u32, config: &super::MembershipConfig| {
            config.redial_first.saturating_mul(1 << failures.min(16)).min(config.redial_most)
        };
        if let Some(known) = peer.and_then(|peer| self.view.get_mut(&peer)) {
            known.dial_after = now + pause(known.failures, &self.config);
            known.failures = known.failures.saturating_add(1);
        }
        for trial in self.contacts.iter_mut().filter(|trial| peer.is_none() || trial.contact.peer == peer) {
            trial.after = now + pause(trial.failures, &self.config);
            trial.failures = trial.failures.saturating_add(1);
        }
        self.on_partial_dial_failed(now, peer, outputs);
    }

    fn on_refused(&mut self, now: Time, peer: PeerId) {
        self.view.remove(&peer);
        self.partial.iter_mut().for_each(|partial| partial.view.on_failed(peer));
        self.contacts.retain(|trial| trial.contact.peer != Some(peer));
        if self.refused.len() >= MAX_REFUSED {
            self.refused.pop_first();
        }
        self.refused.insert(peer, now + REFUSED_FOR);
    }

    fn on_moved(&mut self, now: Time, mut addresses: Vec<Address>) {
        addresses.truncate(MAX_ADDRESSES);
        self.partial.iter_mut().for_each(|partial| partial.view.set_own_prefix(prefix_of(&addresses)));
        if addresses != self.addresses {
            self.addresses = addresses;
            self.greet(now);
        }
    }

    /// Whether the announcement would give its introducer more identities than it may bring. A peer that turns public
    /// counts as one that is new.
    fn is_one_too_many(&self, author: PeerId, via: Option<PeerId>, announcement: &Announcement) -> bool {
        let known = self.view.get(&author);
        let counted = known.is_some_and(|known| known.connected || known.prefix.is_public());
        let introducer = known.map_or(via, |known| known.introducer);
        let is_public = prefix_of(&announcement.addresses).is_public();
        !counted && is_public && introducer.is_some_and(|introducer| !self.may_introduce(introducer))
    }

    pub(super) fn is_refused(&self, now: Time, peer: &PeerId) -> bool {
        self.refused.get(peer).is_some_and(|&until| now < until)
    }

    /// The entry of a peer, made if there is room or someone overdue to replace.
    fn admit(&mut self, now: Time, peer: PeerId) -> Option<&mut Known> {
        if peer == self.own {
            return None;
        }
        if !self.view.contains_key(&peer) && self.view.len() >= self.config.max_peers {
            let overdue = self.interval() * 2;
            let stalest = self.view.iter().filter(|(_, known)| !known.connected).min_by_key(|(_, known)| known.heard);
            let (&stalest, _) = stalest.filter(|(_, known)| now.since(known.heard) > overdue)?;
            self.view.remove(&stalest);
        }
        Some(self.view.entry(peer).or_insert_with(|| Known::new(now)))
    }

    /// Announces soon: at once when silent for long, else spread over the time that keeps the topic's rate.
    fn greet(&mut self, now: Time) {
        let spread = self.size() as f64 / self.config.topic_rate.max(1e-3);
        let wait = Duration::try_from_secs_f64(spread * self.rng.random::<f64>() * 0.5).unwrap_or(Duration::MAX);
        let wait = if self.announced.is_none() { Duration::ZERO } else { wait };
        let earliest = self.announced.map_or(now, |last| last + self.config.announce_gap);
        self.announce_at = self.announce_at.min(earliest.max(now + wait));
    }

    fn announce_if_due(&mut self, now: Time, outputs: &mut Vec<Output>) {
        if self.partial.is_some() || now < self.announce_at || self.addresses.is_empty() {
            return;
        }
        let announcement = self.next_announcement();
        outputs.push(Output::Announce(Box::new(announcement)));
        self.announced = Some(now);
        // Jitter, or peers that started together would speak together for ever.
        self.announce_at = now + self.interval().mul_f64(self.rng.random_range(0.75..1.25));
    }

    fn expire(&mut self, now: Time, outputs: &mut Vec<Output>) {
        // A shuffled view forgets by itself, and nobody in it is heard without being asked.
        let partial = self.partial.is_some();
        let most = self.interval().saturating_mul(self.config.expire_intervals);
        let gone = |known: &Known| !partial && !known.connected && now.since(known.heard) > most;
        let expired: Vec<PeerId> = self.view.iter().filter(|(_, known)| gone(known)).map(|(peer, _)| *peer).collect();
        for peer in expired {
            // The address stays as a contact of last resort: a laptop may be asleep for a week.
            if let Some(known) = self.view.remove(&peer) {
                let after = now + self.config.redial_most;
                self.remember(Trial {
                    contact: Contact { peer: Some(peer), addresses: known.addresses },
                    failures: 16,
                    tried: true,
                    after,
                });
            }
            outputs.push(Output::Expired { peer });
        }
        self.refused.retain(|_, until| now < *until);
    }

    pub(super) fn remember(&mut self, trial: Trial) {
        if trial.contact.addresses.is_empty() {
            return;
        }
        self.contacts.retain(|known| known.contact.peer != trial.contact.peer);
        if self.contacts.len() >= MAX_CONTACTS {
            self.contacts.remove(0);
        }
        self.contacts.push(trial);
    }

    /// Below the least number of connections, dials contacts and known peers whose pause is over.
    fn dial_if_lonely(&mut self, now: Time, outputs: &mut Vec<Output>) {
        let missing = self.config.min_connections.saturating_sub(self.connections());
        let alone = self.connections() == 0;
        let pause = self.config.redial_first;
        let most = self.config.redial_most;
        let mut contacts = std::mem::take(&mut self.contacts);
        for trial in contacts.iter_mut().filter(|trial| trial.after <= now) {
            let connected = trial.contact.peer.is_some_and(|peer| self.is_connected(&peer));
            // A contact never tried is worth a dial at any time; a named one while connections are few; a nameless one,
            // which may be a peer already connected, only when there is nobody else.
            if !connected && (!trial.tried || alone || (missing > 0 && trial.contact.peer.is_some())) {
                trial.tried = true;
                outputs.push(Output::Dial { peer: trial.contact.peer, addresses: trial.contact.addresses.clone() });
                let wait = pause.saturating_mul(1 << trial.failures.min(16)).min(most);
                // The answer to this dial moves `after`; without one it is tried again after the longest pause.
                trial.after = now + if alone { wait.max(Duration::from_secs(5)) } else { most };
            }
        }
        self.contacts = contacts;
        let idle = |known: &&mut Known| !known.connected && known.dial_after <= now && !known.addresses.is_empty();
        let mut candidates: Vec<(PeerId, &mut Known)> =
            self.view.iter_mut().map(|(peer, known)| (*peer, known)).filter(|(_, known)| idle(known)).collect();
        for _ in 0..missing.min(candidates.len()) {
            let (peer, known) = candidates.swap_remove(self.rng.random_range(0..candidates.len()));
            outputs.push(Output::Dial { peer: Some(peer), addresses: known.addresses.clone() });
            known.dial_after = now + pause.saturating_mul(1 << known.failures.min(16)).min(most);
        }
    }

    fn next_wake(&self, now: Time) -> Time {
        let lonely = self.connections() < self.config.min_connections;
        let dials = self.contacts.iter().map(|trial| trial.after).filter(|_| lonely);
        let redials = self.view.values().filter(|known| !known.connected && lonely).map(|known| known.dial_after);
        let routine = self.partial.as_ref().map_or(self.announce_at, |partial| partial.next);
        let earliest = dials.chain(redials).filter(|&at| at > now).chain([routine]).min();
        earliest.unwrap_or(routine).max(now + self.config.announce_gap / 2)
    }
}

impl Known {
    pub(super) fn new(now: Time) -> Self {
        Self {
            addresses: Vec::new(),
            sequence: 0,
            round: 0,
            samples: 0,
            offer: None,
            introducer: None,
            prefix: Prefix::Local,
            heard: now,
            connected: false,
            failures: 0,
            dial_after: now,
            allowance: Allowance::full(now, BURST),
        }
    }

    /// The peer as a candidate of a draw. On local addresses an introducer says nothing: in a LAN one peer introduces all
    /// others, and they are friends.
    pub(super) fn source(&self, peer: PeerId) -> Source {
        let introducer = self.introducer.filter(|_| self.prefix.is_public());
        Source { peer, introducer, prefix: self.prefix }
    }

    fn learn(&mut self, now: Time, announcement: Announcement) {
        // New addresses deserve a new chance, however often the old ones failed.
        if announcement.addresses != self.addresses {
            self.prefix = prefix_of(&announcement.addresses);
            self.addresses = announcement.addresses;
            self.failures = 0;
            self.dial_after = now;
        }
        self.sequence = announcement.sequence;
        self.round = announcement.round;
        self.samples = announcement.samples;
        self.offer = announcement.offer;
        self.heard = now;
    }
}

/// Where the first public address is.
pub(super) fn prefix_of(addresses: &[Address]) -> Prefix {
    let mut prefixes = addresses.iter().map(|address| Prefix::of_multiaddr(&address.0));
    prefixes.find(Prefix::is_public).unwrap_or(Prefix::Local)
}
