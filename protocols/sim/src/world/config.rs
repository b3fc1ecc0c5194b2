//! What a world is like.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use peerlearn_protocols::membership::MembershipConfig;
use peerlearn_protocols::recipe::Recipe;
use peerlearn_protocols::round::RoundConfig;
use peerlearn_protocols::time::Time;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Shortest delay there is: windows of virtual time are as long.
pub(super) const LEAST_DELAY: Duration = Duration::from_micros(100);

/// How peers train, talk and mix, and the network between them. Recipe and rounds are those of every peer without its
/// own.
///
/// A model is offered in the codec of its holder, and written anew for whoever asks in another one. Mass travels only
/// between two that mix by push-sum: whoever asks a holder without mass for some is refused, and whoever asks a holder
/// with mass for its model alone gets that. Pairs have sessions only with pairs.
#[derive(Debug, Clone)]
pub struct WorldConfig {
    /// How they learn.
    pub recipe: Recipe,
    /// Virtual time of one round's training, for the fastest and the slowest peer; each draws its own once.
    pub train_time: (Duration, Duration),
    /// When they train, pull and mix.
    pub round: RoundConfig,
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
    /// Least time between two rounds that also estimate the whole network, as nodes do by default; `None` never does,
    /// and costs nothing.
    pub estimate_every: Option<Duration>,
    /// Whether peers are all over the internet, in prefixes of a few thousand each; else they are in one LAN.
    pub public: bool,
    /// Peers start at random within this time.
    pub start_within: Duration,
    /// Seeds everything.
    pub seed: u64,
}

impl Default for WorldConfig {
    /// A healthy network of nodes with their default rules of mixing.
    fn default() -> Self {
        Self {
            recipe: Recipe::default(),
            train_time: (Duration::from_millis(100), Duration::from_millis(100)),
            round: RoundConfig::default(),
            discovery: Discovery::Membership(MembershipConfig::default()),
            link: Link::default(),
            splits: Vec::new(),
            request_timeout: Duration::from_secs(5),
            // What QUIC in a node waits.
            connection_timeout: Duration::from_secs(10),
            estimate_every: None,
            public: false,
            start_within: Duration::from_millis(500),
            seed: 0,
        }
    }
}

/// How peers find each other.
#[derive(Debug, Clone)]
pub enum Discovery {
    /// By the machine of nodes: announcements that reach everybody, or bounded views that are shuffled. Every newcomer
    /// has three contacts.
    Membership(MembershipConfig),
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
