//! Membership by announcements: everyone hears of everyone, up to a bound.

use std::collections::VecDeque;
use std::time::Duration;

use rand::RngExt;

use super::known::{Known, prefix_of};
use super::output::{Acceptance, Output};
use super::scope::Scope;
use super::state::{Base, Published};
use crate::codec::CodecSet;
use crate::id::PeerId;
use crate::time::Time;
use crate::token_bucket::TokenBucket;
use crate::wire::{Announcement, Descriptor, Refusal, Response};

/// Announcements of one author that are passed on in a burst: a restart, an address change and answers to newcomers.
const BURST: f64 = 16.0;
/// Announcements a second of one author that are passed on in the long run: twice what [`super::MembershipConfig`] lets us send.
const SUSTAINED: f64 = 2.0;

/// Own announcements that are remembered, to know them again.
const REMEMBERED: usize = 8;

/// What a peer that announces itself remembers.
#[derive(Debug)]
pub(super) struct Gossip {
    sequence: u64,
    /// How many announcements it may still send.
    own: TokenBucket,
    /// The newest own announcements.
    said: VecDeque<Announcement>,
    /// Whether another peer of the same identity was heard.
    has_double: bool,
    announced: Option<Time>,
    announce_at: Time,
}

impl Gossip {
    pub fn new(starts: u32) -> Self {
        Self {
            sequence: u64::from(starts) << 32,
            own: TokenBucket::full(Time::ZERO, BURST / 2.0),
            said: VecDeque::new(),
            has_double: false,
            announced: None,
            announce_at: Time::ZERO,
        }
    }

    /// When the next announcement is due.
    pub fn next(&self) -> Time {
        self.announce_at
    }

    /// Whether an announcement under the own identity is not this peer's. What it said before, in this life or an earlier one,
    /// comes back now and then; only a copy of it says more, or something else under the same number.
    fn is_of_a_double(&self, announcement: &Announcement) -> bool {
        let same_number = self.said.iter().find(|said| said.sequence == announcement.sequence);
        announcement.sequence > self.sequence || same_number.is_some_and(|said| said != announcement)
    }

    pub fn announced(
        &mut self,
        base: &mut Base,
        now: Time,
        author: PeerId,
        via: Option<PeerId>,
        announcement: Announcement,
        outputs: &mut Vec<Output>,
    ) {
        if announcement.task != base.task {
            return outputs.push(Output::Judge(Acceptance::Reject));
        }
        if author == base.own {
            outputs.push(Output::Judge(Acceptance::Ignore));
            if self.is_of_a_double(&announcement) && !std::mem::replace(&mut self.has_double, true) {
                outputs.push(Output::SameIdentity);
            }
            return;
        }
        if base.is_refused(now, &author) || base.is_one_too_many(author, via, &announcement) {
            return outputs.push(Output::Judge(Acceptance::Ignore));
        }
        let is_new = !base.table.contains_key(&author);
        let link = via.and_then(|via| base.table.get(&via)).map_or(Scope::default(), |known| known.link);
        let Some(known) = base.admit(now, author) else {
            return outputs.push(Output::Judge(Acceptance::Ignore));
        };
        if announcement.sequence <= known.sequence {
            return outputs.push(Output::Judge(Acceptance::Ignore));
        }
        // Nobody is blamed for many: after a sleep or a partition all that waited comes at once, and others may play again what
        // an author once said. The newest is believed, and what is too much goes no further.
        let may_pass = known.allowance.spend(now, BURST, SUSTAINED);
        known.learn(now, announcement, link);
        if !may_pass {
            return outputs.push(Output::Judge(Acceptance::Ignore));
        }
        if is_new {
            known.introducer = via;
        }
        outputs.push(Output::Judge(Acceptance::Accept));
        if is_new {
            self.announce_soon(base, now);
            outputs.push(Output::Discovered { peer: author, known: base.table.len() });
        }
    }

    pub fn connected(&mut self, base: &mut Base, now: Time, peer: PeerId, outputs: &mut Vec<Output>) {
        let is_new = !base.table.contains_key(&peer);
        let overdue = base.interval() * 2;
        // One that was heard lately has heard of this peer as well: both hear the same.
        let is_stranger =
            base.table.get(&peer).is_none_or(|known| known.sequence == 0 || now.since(known.heard) > overdue);
        if let Some(known) = base.admit(now, peer) {
            known.is_up(now);
            if is_new {
                outputs.push(Output::Discovered { peer, known: base.table.len() });
            }
        }
        if is_stranger {
            // It, and whoever is behind it, may never have heard of us.
            self.announce_soon(base, now);
        }
    }

    pub fn disconnected(&mut self, _: &mut Base, _: PeerId) {}

    pub fn isolated(&mut self) {}

    pub fn dial_failed(&mut self, _: &mut Base, _: Time, _: Option<PeerId>, _: &mut Vec<Output>) {}

    pub fn refused(&mut self, _: PeerId) {}

    pub fn moved(&mut self, base: &mut Base, now: Time) {
        self.announce_soon(base, now);
    }

    pub fn shuffle_asked(&mut self, _: &mut Base, _: Time, _: PeerId, _: Vec<Descriptor>, outputs: &mut Vec<Output>) {
        outputs.push(Output::Answer(Response::Refused { reason: Refusal::NoView, retry_after_ms: 600_000 }));
    }

    pub fn shuffle_answered(&mut self, _: &mut Base, _: Time, _: PeerId, _: Vec<Descriptor>, _: &mut Vec<Output>) {}

    pub fn shuffle_failed(&mut self, _: &mut Base, _: Time, _: PeerId, _: &mut Vec<Output>) {}

    /// What is done whenever something happened: gives up whoever was not heard for long, and announces if it is time.
    pub fn routine(&mut self, base: &mut Base, now: Time, outputs: &mut Vec<Output>) {
        base.expire(now, outputs);
        base.trim(now, outputs);
        if now < self.announce_at || base.addresses.is_empty() {
            return;
        }
        // Whoever reconnects again and again must not make this peer speak more often than others take in good part.
        if !self.own.spend(now, BURST / 2.0, SUSTAINED / 2.0) {
            self.announce_at = now + Duration::from_secs(1);
            return;
        }
        outputs.push(Output::Announce(Box::new(self.announcement(base))));
        self.announced = Some(now);
        // Jitter, or peers that started together would speak together for ever.
        self.announce_at = now + base.interval().mul_f64(base.rng.random_range(0.75..1.25));
    }

    /// The next announcement; its sequence is new.
    fn announcement(&mut self, base: &Base) -> Announcement {
        self.sequence = self.sequence.saturating_add(1);
        let Published { round, samples, offer, sketch } = base.published;
        let announcement = Announcement {
            task: base.task,
            sequence: self.sequence,
            addresses: base.addresses.clone(),
            round,
            samples,
            offer,
            codecs: CodecSet::all(),
            sketch,
        };
        self.said.truncate(REMEMBERED - 1);
        self.said.push_front(announcement.clone());
        announcement
    }

    /// Announces soon: at once when silent for long, else spread over the time that keeps the topic's rate.
    fn announce_soon(&mut self, base: &mut Base, now: Time) {
        let spread = base.size() as f64 / base.config.topic_rate.max(1e-3);
        let wait = Duration::try_from_secs_f64(spread * base.rng.random::<f64>() * 0.5).unwrap_or(Duration::MAX);
        let wait = if self.announced.is_none() { Duration::ZERO } else { wait };
        let earliest = self.announced.map_or(now, |last| last + base.config.announce_gap);
        self.announce_at = self.announce_at.min(earliest.max(now + wait));
    }
}

impl Base {
    /// Time between two announcements of one peer when all keep to [`super::MembershipConfig::topic_rate`].
    fn interval(&self) -> Duration {
        let spread = Duration::try_from_secs_f64(self.size() as f64 / self.config.topic_rate.max(1e-3));
        spread.unwrap_or(Duration::MAX).max(self.config.announce_every)
    }

    /// The entry of a peer, made if there is room or someone overdue to replace.
    fn admit(&mut self, now: Time, peer: PeerId) -> Option<&mut Known> {
        if peer == self.own {
            return None;
        }
        if !self.table.contains_key(&peer) && self.table.len() >= self.config.max_peers {
            let overdue = self.interval() * 2;
            let stalest = self.table.iter().filter(|(_, known)| !known.connected).min_by_key(|(_, known)| known.heard);
            let (&stalest, _) = stalest.filter(|(_, known)| now.since(known.heard) > overdue)?;
            self.table.remove(&stalest);
        }
        Some(self.table.entry(peer).or_insert_with(|| Known::new(now, BURST)))
    }

    /// Whether the announcement would give its introducer more identities than it may bring. A peer that turns public
    /// counts as one that is new.
    fn is_one_too_many(&self, author: PeerId, via: Option<PeerId>, announcement: &Announcement) -> bool {
        let known = self.table.get(&author);
        let counted = known.is_some_and(|known| known.connected || known.prefix.is_public());
        let introducer = known.map_or(via, |known| known.introducer);
        let is_public = prefix_of(&announcement.addresses).is_public();
        !counted && is_public && introducer.is_some_and(|introducer| !self.may_introduce(introducer))
    }

    /// Whether an introducer may bring one more peer at a public address.
    fn may_introduce(&self, introducer: PeerId) -> bool {
        let brought =
            |known: &&Known| known.introducer == Some(introducer) && !known.connected && known.prefix.is_public();
        self.table.values().filter(brought).count() < self.quota()
    }

    /// Most peers at public addresses and without a connection that one introducer may bring: a quarter of the table.
    /// Four neighbours, the least that is kept up, then fill it, and one Byzantine peer among them takes a quarter.
    fn quota(&self) -> usize {
        (self.config.max_peers / 4).max(1)
    }

    fn expire(&mut self, now: Time, outputs: &mut Vec<Output>) {
        let most = self.interval().saturating_mul(self.config.expire_intervals);
        let gone = |known: &Known| !known.connected && now.since(known.heard) > most;
        let expired: Vec<PeerId> = self.table.iter().filter(|(_, known)| gone(known)).map(|(peer, _)| *peer).collect();
        for peer in expired {
            if let Some(known) = self.table.remove(&peer).filter(|known| known.proven) {
                self.remember(peer, known.addresses, 0, now);
            }
            outputs.push(Output::Expired { peer });
        }
    }
}
