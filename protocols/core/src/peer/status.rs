//! What a peer says of itself, for status, views and tests.

use std::collections::BTreeMap;

use super::{Peer, Restored};
use crate::estimate::Estimate;
use crate::id::PeerId;
use crate::invariant::Invariant;
use crate::membership::Contact;
use crate::mixing::push_sum::Account;
use crate::recipe::Evaluation;
use crate::round::Phase;
use crate::time::Time;
use crate::wire::{Address, Publication};

/// Where a peer is.
#[derive(Debug, Clone, PartialEq)]
pub struct PeerStatus {
    /// Rounds closed.
    pub round: u64,
    /// Age of the own model.
    pub age: u64,
    /// Where in its round.
    pub phase: Phase,
    /// Newest measurement on the own rows kept apart.
    pub own: Option<Evaluation>,
    /// Newest measurement on the shared test rows.
    pub test: Option<Evaluation>,
    /// What it makes of the whole network.
    pub estimate: Estimate,
    /// Mass of the model under push-sum, in parts of [`crate::mixing::push_sum::UNIT`].
    pub mass: Option<u64>,
    /// Faults counted since the start, of all peers.
    pub refused: u64,
    /// How often each invariant did not hold since the start; none that always did.
    pub broken: BTreeMap<Invariant, u64>,
}

/// What a peer knows of another one.
#[derive(Debug, Clone, PartialEq)]
pub struct KnownPeer {
    /// The peer.
    pub peer: PeerId,
    /// Where it can be dialled.
    pub addresses: Vec<Address>,
    /// Whether a connection is up.
    pub connected: bool,
    /// Its round, as announced.
    pub round: u64,
    /// Its model's age, as announced.
    pub age: u64,
    /// Its rows, as announced.
    pub samples: u32,
    /// When it was last heard.
    pub heard: Time,
    /// What its faults weigh now.
    pub score: u32,
    /// Models mixed from it since it is known.
    pub mixed: u64,
    /// Whether a connection to it was ever up.
    pub proven: bool,
    /// Failed dials in a row.
    pub failures: u32,
    /// When it may be dialled next, where there is no connection.
    pub dial_after: Time,
}

impl PeerStatus {
    /// That of a peer that has not started.
    pub fn of(restored: &Restored) -> Self {
        Self {
            round: restored.round,
            age: restored.age,
            phase: Phase::Idle,
            own: None,
            test: None,
            estimate: Estimate::default(),
            mass: restored.account.as_ref().map(Account::held),
            refused: 0,
            broken: BTreeMap::new(),
        }
    }
}

impl Peer {
    /// What a restart needs beside the model.
    pub fn restored(&self) -> Restored {
        let account = self.mode.ledger().cloned();
        Restored { round: self.round.closed(), age: self.learning.age, account }
    }

    /// Where it is in its round.
    pub fn phase(&self) -> &Phase {
        self.round.phase()
    }

    /// Where the peer is.
    pub fn status(&self) -> PeerStatus {
        PeerStatus {
            round: self.round.closed(),
            age: self.learning.age,
            phase: self.round.phase().clone(),
            own: self.learning.own.clone(),
            test: self.learning.test.clone(),
            estimate: self.observer.as_ref().map_or_else(Estimate::default, |observer| observer.estimate()),
            mass: self.mode.ledger().map(Account::held),
            refused: self.scores.refused(),
            broken: self.broken.clone(),
        }
    }

    /// Everyone it knows, most recently heard first.
    pub fn known_peers(&self, now: Time) -> Vec<KnownPeer> {
        let mut peers: Vec<KnownPeer> = self
            .membership
            .known()
            .iter()
            .map(|(peer, known)| KnownPeer {
                peer: *peer,
                addresses: known.addresses.to_vec(),
                connected: known.connected,
                round: known.round,
                age: known.age,
                samples: known.samples,
                heard: known.heard,
                score: self.scores.score(now, peer),
                mixed: known.mixed,
                proven: known.proven,
                failures: known.failures,
                dial_after: known.dial_after,
            })
            .collect();
        peers.sort_by_key(|known| (std::cmp::Reverse(known.heard), known.peer));
        peers
    }

    /// Whom it looks for beside those known, and when it tries each next.
    pub fn contacts(&self) -> Vec<(Contact, Time)> {
        self.membership.contacts().map(|(contact, at)| (contact.clone(), at)).collect()
    }

    /// Rounds closed.
    pub fn rounds(&self) -> u64 {
        self.round.closed()
    }

    /// Ids of everyone it knows, in their order.
    pub fn known_ids(&self) -> Vec<PeerId> {
        self.membership.known().keys().copied().collect()
    }

    /// Reads a little of what the next fact will need, for interpreters of thousands of peers: whoever tells one of
    /// them a fact waits for each line of its memory in turn; read for many at once, the lines are on their way
    /// together.
    pub fn touch(&self) -> u64 {
        let hash = |publication: &Publication| publication.manifest.hashes().first().map_or(0, |hash| hash.0[0]);
        let offered = u64::from(self.store.newest().map_or(0, hash));
        let lists = self.learning.arrived.len() ^ self.to_round.len() ^ self.actions.len();
        let scores = self.scores.refused() ^ self.round.closed() ^ self.membership.size() as u64;
        offered ^ lists as u64 ^ scores ^ self.conversations.wake().map_or(0, |at| at.0)
    }

    /// How many others it knows.
    pub fn known(&self) -> usize {
        self.membership.size() - 1
    }

    /// Whether a peer is banned now.
    pub fn is_banned(&self, now: Time, peer: &PeerId) -> bool {
        self.scores.is_banned(now, peer)
    }

    /// The books under push-sum.
    pub fn ledger(&self) -> Option<&Account> {
        self.mode.ledger()
    }
}
