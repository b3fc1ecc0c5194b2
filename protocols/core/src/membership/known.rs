//! What is known of one peer, and when it is dialled again.

use std::time::Duration;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::MembershipConfig;
use super::scope::{self, Scope};
use crate::id::PeerId;
use crate::sampling::{Prefix, Source};
use crate::time::Time;
use crate::token_bucket::TokenBucket;
use crate::wire::{Address, Announcement};

/// Changes of address in a burst after which a peer is dialled at once.
const MOVES: f64 = 4.0;
/// Such changes a second in the long run.
const MOVES_SUSTAINED: f64 = 1.0 / 60.0;
/// Failed dials after which a peer that never answered is left alone for long.
const UNPROVEN_TRIES: u32 = 2;
/// How long it is left alone.
const UNPROVEN_PAUSE: Duration = Duration::from_secs(600);
/// Longest pause between two dials of a peer that was connected before: after a partition all are to meet again soon.
const PROVEN_PAUSE: Duration = Duration::from_secs(8);

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
    /// Whether a connection was ever up: the peer is where it says, or was.
    pub proven: bool,
    /// How far its link reaches: what it passes on is believed of as wide addresses only.
    pub link: Scope,
    /// When it was last drawn, mixed from, or asked something here.
    pub used: Time,
    /// Failed dials in a row.
    pub failures: u32,
    /// Not dialled before this time.
    pub dial_after: Time,
    /// Models mixed from it since it is known.
    pub mixed: u64,
    /// Announcements of it that may still be passed on now; refilled with time.
    pub(super) allowance: TokenBucket,
    /// Changes of address after which it is dialled at once, however often that failed; refilled with time.
    pub(super) moves: TokenBucket,
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
            proven: false,
            link: Scope::default(),
            used: now,
            failures: 0,
            dial_after: now,
            mixed: 0,
            allowance: TokenBucket::full(now, burst),
            moves: TokenBucket::full(now, MOVES),
        }
    }

    /// Where to dial it.
    pub(super) fn to_dial(&self) -> Vec<Address> {
        if self.proven { self.addresses.clone() } else { scope::unproven(&self.addresses) }
    }

    /// Pause before it is dialled again. Jitter keeps those apart that lost each other together.
    pub(super) fn pause(&self, config: &MembershipConfig, rng: &mut ChaCha8Rng) -> Duration {
        let pause = config.redial_pause(self.failures);
        let pause = match self.proven {
            true => pause.min(PROVEN_PAUSE),
            false if self.failures + 1 >= UNPROVEN_TRIES => UNPROVEN_PAUSE,
            false => pause,
        };
        pause.mul_f64(rng.random_range(0.75..1.25))
    }

    /// The peer as a candidate of a draw. On local addresses an introducer says nothing: in a LAN one peer introduces
    /// all others, and they are friends.
    pub(super) fn source(&self, peer: PeerId) -> Source {
        let introducer = self.introducer.filter(|_| self.prefix.is_public());
        Source { peer, introducer, prefix: self.prefix }
    }

    /// Takes in an announcement that came over a link of this scope. New addresses of a peer that once answered deserve a new
    /// chance, now and then; else whoever announces the addresses of others would aim dials at them.
    pub(super) fn learn(&mut self, now: Time, announcement: Announcement, link: Scope) {
        let addresses = link.plausible(announcement.addresses);
        if addresses != self.addresses {
            self.prefix = prefix_of(&addresses);
            self.addresses = addresses;
            if self.proven && self.moves.spend(now, MOVES, MOVES_SUSTAINED) {
                (self.failures, self.dial_after) = (0, now);
            }
        }
        self.sequence = announcement.sequence;
        self.round = announcement.round;
        self.samples = announcement.samples;
        self.age = announcement.offer.map_or(0, |offer| offer.age);
        self.heard = now;
    }

    /// A connection is up.
    pub(super) fn is_up(&mut self, now: Time) {
        (self.connected, self.proven, self.failures) = (true, true, 0);
        (self.dial_after, self.heard, self.used) = (now, now, now);
    }
}

/// Where the first public address is.
pub(super) fn prefix_of(addresses: &[Address]) -> Prefix {
    let mut prefixes = addresses.iter().map(|address| Prefix::of_multiaddr(&address.0));
    prefixes.find(Prefix::is_public).unwrap_or(Prefix::Local)
}
