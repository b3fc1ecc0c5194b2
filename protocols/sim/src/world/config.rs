//! What a world is like.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use peerlearn_protocols::codec::{Codec, Rounding};
use peerlearn_protocols::membership::MembershipConfig;
use peerlearn_protocols::mixing::Rule;
use peerlearn_protocols::round::RoundConfig;
use peerlearn_protocols::sampling::view::ViewConfig;
use peerlearn_protocols::time::Time;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::recipe::Recipe;
use crate::Training;

/// Shortest delay there is: windows of virtual time are as long.
pub(super) const LEAST_DELAY: Duration = Duration::from_micros(100);

/// How peers train, talk and mix, and the network between them. Rounds, rule, codec and rounding are those of every peer
/// without a [`Recipe`] of its own.
#[derive(Debug, Clone)]
pub struct WorldConfig {
    /// How they train.
    pub training: Training,
    /// Virtual time of one round's training, for the fastest and the slowest peer; each draws its own once.
    pub train_time: (Duration, Duration),
    /// When they train, pull and mix.
    pub round: RoundConfig,
    /// How they mix.
    pub rule: Rule,
    /// How models travel.
    pub codec: Codec,
    /// How the codec rounds.
    pub rounding: Rounding,
    /// How they find each other.
    pub discovery: Discovery,
    /// The network.
    pub link: Link,
    /// Times in which groups cannot hear each other.
    pub splits: Vec<Split>,
    /// Longest time a question may take.
    pub request_timeout: Duration,
    /// Time after which a silent connection ends. A connection one end of which does not know it ends in half of that.
    pub connection_timeout: Duration,
    /// Peers start at random within this time.
    pub start_within: Duration,
    /// Seeds everything.
    pub seed: u64,
}

impl Default for WorldConfig {
    /// A healthy network of nodes with their default recipe.
    fn default() -> Self {
        Self {
            training: Training::default(),
            train_time: (Duration::from_millis(100), Duration::from_millis(100)),
            round: RoundConfig::default(),
            rule: Rule::AgeLimited,
            codec: Codec::Int8,
            rounding: Rounding::Nearest,
            discovery: Discovery::Gossip(MembershipConfig::default()),
            link: Link::default(),
            splits: Vec::new(),
            request_timeout: Duration::from_secs(5),
            // What QUIC in a node waits.
            connection_timeout: Duration::from_secs(10),
            start_within: Duration::from_millis(500),
            seed: 0,
        }
    }
}

impl WorldConfig {
    /// The recipe of every peer that has none of its own.
    pub fn recipe(&self) -> Recipe {
        Recipe { rule: self.rule, codec: self.codec, rounding: self.rounding, round: self.round.clone() }
    }
}

/// How peers find each other.
#[derive(Debug, Clone)]
pub enum Discovery {
    /// Announcements that reach everybody, and a view of everybody: what nodes do up to a few hundred peers.
    Gossip(MembershipConfig),
    /// Bounded views that are shuffled every so often, for networks larger than anyone can know. Every peer starts with
    /// three contacts.
    Shuffle(ViewConfig, Duration),
    /// Neighbours that are known from the start and never change.
    Fixed(Arc<Vec<Vec<u32>>>),
}

/// The network between any two peers, or one peer's end of it.
///
/// Where two ends differ, a message takes the greater of both shortest delays as its shortest and the greater of both
/// longest as its longest, is lost with the greater of both chances, and a model takes its sender's uplink.
#[derive(Debug, Clone, PartialEq)]
pub struct Link {
    /// Shortest and longest delay of a message.
    pub delay: (Duration, Duration),
    /// Chance that a message is lost, or a stream of chunks cut.
    pub loss: f64,
    /// Bytes a second of the uplink; streams of one peer share it one after the other.
    pub uplink: f64,
}

impl Default for Link {
    fn default() -> Self {
        Self { delay: (Duration::from_millis(5), Duration::from_millis(50)), loss: 0.0, uplink: 1.25e6 }
    }
}

/// A time in which the network is in several pieces.
#[derive(Debug, Clone)]
pub struct Split {
    /// From when to when.
    pub during: Range<Time>,
    /// The piece of every peer.
    pub piece: Vec<u8>,
}

/// When a peer is there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Churn {
    /// Times at which it changes from there to gone and back, ascending; it starts there.
    pub changes: Vec<Time>,
}

impl Churn {
    /// Times there and gone, drawn from exponential distributions with these means, until `end`.
    pub fn random(there: Duration, gone: Duration, end: Time, seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let (mut now, mut changes, mut is_there) = (Time::ZERO, Vec::new(), true);
        while now < end {
            let mean = if is_there { there } else { gone };
            now = now + mean.mul_f64(-(1.0 - rng.random::<f64>()).ln());
            changes.push(now);
            is_there = !is_there;
        }
        Self { changes }
    }
}
