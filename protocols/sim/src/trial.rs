//! Random worlds, each from one number: graph, loss, delays, churn, splits and Byzantine peers; and what must hold in
//! all of them.
//!
//! `cargo run --release -p peerlearn-sim --example trial -- SEED` runs one again and tells what
//! happened.

use std::sync::Arc;
use std::time::Duration;

use peerlearn_protocols::codec::Codec;
use peerlearn_protocols::dataset::Dataset;
use peerlearn_protocols::invariant;
use peerlearn_protocols::membership::MembershipConfig;
use peerlearn_protocols::mixing::Rule;
use peerlearn_protocols::recipe::{Recipe, Training};
use peerlearn_protocols::round::RoundConfig;
use peerlearn_protocols::sampling::{Graph, Sampling};
use peerlearn_protocols::time::Time;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::world::{Churn, Discovery, Lie, Link, PeerStart, Split, Stats, World, WorldConfig};
use super::{Averaging, Model, disagreement};

/// Virtual time of one trial.
pub const LASTS: Duration = Duration::from_secs(120);

/// What came of a trial.
#[derive(Debug, Clone)]
pub struct Trial {
    /// The world in words.
    pub world: String,
    /// What every peer did.
    pub stats: Vec<Stats>,
    /// Which peers lie.
    pub lies: Vec<Option<Lie>>,
    /// Longest time a peer may be there without closing a round.
    pub bound: Duration,
    /// Root mean square distance of honest models to their mean, at the start and at the end.
    pub disagreement: (f64, f64),
    /// Whether every honest model is finite.
    pub finite: bool,
    /// Hash over every event.
    pub digest: u64,
}

impl Trial {
    /// The first thing that does not hold, in words.
    pub fn violation(&self) -> Option<String> {
        if !self.finite {
            return Some("an honest model is not finite".to_owned());
        }
        let late = |stats: &&(usize, &Stats)| !invariant::progress(stats.1.longest_wait, self.bound);
        let late = self.stats.iter().enumerate().filter(|(peer, _)| self.lies[*peer].is_none()).find(|s| late(&s));
        late.map(|(peer, stats)| {
            format!(
                "peer {peer} was there for {:?} without closing a round, bound {:?}",
                stats.longest_wait, self.bound
            )
        })
    }
}

/// Runs the trial of a seed.
///
/// # Panics
/// Never: the parameters of the task fit its model by construction.
pub fn run(seed: u64) -> Option<Trial> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let model = Averaging::new(64).ok()?;
    let peers = rng.random_range(2..24usize);
    let config = config(peers, seed, &mut rng);
    let end = Time::ZERO + LASTS;
    let churned = rng.random_bool(0.6);
    let starts: Vec<PeerStart> = (0..peers)
        .map(|peer| {
            let churn = match churned {
                true => Churn::random(Duration::from_secs(20), Duration::from_secs(8), end, rng.random()),
                false => Churn::default(),
            };
            let lie = rng.random_bool(0.15).then(|| lie(&mut rng));
            PeerStart { churn, lie, ..PeerStart::new(Dataset::none(), model.initial(seed ^ (peer as u64) << 32)) }
        })
        .collect();
    let lies = starts.iter().map(|start| start.lie).collect();
    let words = format!(
        "{peers} peers, churn {churned}, {:?}, loss {:.2}, delay {:?}, fan-out {}, {} by {}, splits {}, deadline {:?}",
        kind(&config.discovery),
        config.link.loss,
        config.link.delay,
        config.round.fan_out,
        config.recipe.codec,
        config.recipe.rule,
        config.splits.len(),
        config.round.deadline,
    );
    let bound = bound(&config);
    let mut world = World::new(&model, config, starts).ok()?;
    let before = disagreement(world.honest());
    world.run_until(end);
    Some(Trial {
        world: words,
        stats: (0..peers).map(|peer| world.stats(peer)).collect(),
        lies,
        bound,
        disagreement: (before, disagreement(world.honest())),
        finite: world.honest().all(invariant::finite),
        digest: world.digest(),
    })
}

/// A peer that has just started looks for others, pulls once, trains and closes a round; each step has its own limit.
fn bound(config: &WorldConfig) -> Duration {
    let round = &config.round;
    round.join_wait + round.deadline * 2 + round.min_interval + config.train_time.1 + Duration::from_millis(1)
}

fn kind(discovery: &Discovery) -> &'static str {
    match discovery {
        Discovery::Membership(config) if matches!(config.sampling, Sampling::View { .. }) => "shuffled views",
        Discovery::Membership(_) => "gossip",
        Discovery::Fixed(_) => "fixed graph",
    }
}

fn config(peers: usize, seed: u64, rng: &mut ChaCha8Rng) -> WorldConfig {
    let millis = Duration::from_millis;
    let rules = [
        Rule::AgeLimited,
        Rule::PushSum,
        Rule::Pair,
        Rule::Uniform,
        Rule::Median,
        Rule::Clip { radius: None },
        Rule::TrimmedMean { b: 1 },
    ];
    let codecs = Codec::ALL;
    let delay = millis(rng.random_range(1..40));
    let recipe = Recipe {
        training: Training { steps: 0, ..Training::default() },
        rule: *rules.choose(rng).unwrap_or(&Rule::Uniform),
        codec: *codecs.choose(rng).unwrap_or(&Codec::F32),
        ..Recipe::default()
    };
    WorldConfig {
        recipe,
        train_time: (millis(50), millis(rng.random_range(50..2000))),
        round: RoundConfig {
            fan_out: rng.random_range(1..7),
            deadline: millis(rng.random_range(200..4000)),
            min_interval: millis(rng.random_range(0..1000)),
            join_wait: millis(rng.random_range(100..3000)),
            ..RoundConfig::default()
        },
        discovery: discovery(peers, rng),
        link: Link {
            delay: (delay, delay + millis(rng.random_range(0..300))),
            loss: [0.0, 0.05, 0.3, 0.9, 0.99].choose(rng).copied().unwrap_or(0.0),
            uplink: rng.random_range(1e3..1e6),
        },
        splits: splits(peers, rng),
        request_timeout: millis(rng.random_range(200..6000)),
        seed,
        ..WorldConfig::default()
    }
}

fn discovery(peers: usize, rng: &mut ChaCha8Rng) -> Discovery {
    let graphs = [Graph::Line, Graph::Ring, Graph::Star, Graph::Torus, Graph::RandomRegular { degree: 3, seed: 1 }];
    match rng.random_range(0..3) {
        0 => Discovery::Membership(MembershipConfig::default()),
        1 => Discovery::Membership(MembershipConfig {
            sampling: Sampling::View { size: 32 },
            shuffle_every: Duration::from_secs(2),
            ..MembershipConfig::default()
        }),
        _ => {
            let graph = graphs.choose(rng).cloned().unwrap_or(Graph::Ring);
            let row = |row: Vec<usize>| row.into_iter().map(|peer| peer as u32).collect();
            Discovery::Fixed(Arc::new(graph.table(peers, 0).into_iter().map(row).collect()))
        }
    }
}

fn splits(peers: usize, rng: &mut ChaCha8Rng) -> Vec<Split> {
    if rng.random_bool(0.7) {
        return Vec::new();
    }
    let from = Time::ZERO + Duration::from_secs(rng.random_range(5..60));
    let during = from..from + Duration::from_secs(rng.random_range(5..40));
    vec![Split { during, piece: (0..peers).map(|_| rng.random_range(0..2)).collect() }]
}

fn lie(rng: &mut ChaCha8Rng) -> Lie {
    let lies = [Lie::SignFlip, Lie::Noise(10.0), Lie::Age, Lie::WrongHash, Lie::Garbage, Lie::NotFinite, Lie::Silent];
    lies.choose(rng).copied().unwrap_or(Lie::Silent)
}
