//! Rounds to agree, and bytes a peer and round, from ten peers to a hundred thousand.

use std::time::{Duration, Instant};

use peerlearn_protocols::codec::Codec;
use peerlearn_protocols::dataset::Dataset;
use peerlearn_protocols::membership::MembershipConfig;
use peerlearn_protocols::mixing::Rule;
use peerlearn_protocols::recipe::{Recipe, Training};
use peerlearn_protocols::round::RoundConfig;
use peerlearn_protocols::sampling::Sampling;
use peerlearn_protocols::time::Time;
use peerlearn_sim::world::{Discovery, Link, PeerStart, World, WorldConfig};
use peerlearn_sim::{Averaging, Model, disagreement};
use serde::Deserialize;

use super::{Axes, Curve, Replication, ReplicationError, Report, Run, spread};

pub(super) const REPLICATION: Replication =
    Replication { name: "scaling", about: "Rounds to agree and bytes a peer, for 10 to 100,000 peers", run };

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Setup {
    peers: Vec<usize>,
    parameters: usize,
    fan_out: usize,
    codec: Codec,
    agreed: f64,
    interval: f64,
    longest: f64,
    view: usize,
    delay_ms: (u64, u64),
    seeds: Vec<u64>,
    one_seed_from: usize,
}

/// One network until it agrees.
struct Trip {
    rounds: f64,
    bytes: f64,
    messages: f64,
    seconds: f64,
    gibibytes: f64,
}

fn run(run: &Run) -> Result<Report, ReplicationError> {
    let setup: Setup = run.scenario.setup()?;
    let mut rows = Vec::new();
    let (mut rounds, mut bytes) = (Vec::new(), Vec::new());
    for &peers in setup.peers.iter().filter(|peers| run.wants(&peers.to_string())) {
        let seeds = if peers >= setup.one_seed_from { &setup.seeds[..1] } else { &setup.seeds[..] };
        let trips: Vec<Trip> = seeds.iter().map(|&seed| travel(&setup, peers, seed)).collect::<Result<_, _>>()?;
        let column = |pick: fn(&Trip) -> f64, digits| spread(&trips.iter().map(pick).collect::<Vec<_>>(), digits);
        let mean = |pick: fn(&Trip) -> f64| trips.iter().map(pick).sum::<f64>() / trips.len() as f64;
        rows.push(vec![
            peers.to_string(),
            column(|trip| trip.rounds, 2),
            column(|trip| trip.bytes, 0),
            column(|trip| trip.messages, 1),
            format!("{:.0}", peers as f64 * mean(|trip| trip.rounds) / mean(|trip| trip.seconds)),
            format!("{:.2}", trips[0].gibibytes),
        ]);
        rounds.push((peers as f64, mean(|trip| trip.rounds)));
        bytes.push((peers as f64, mean(|trip| trip.bytes) / 100.0));
        eprintln!("{peers} peers: {:?}", rows.last());
    }
    let columns = [
        "peers",
        "rounds to agree",
        "bytes a peer and round",
        "shuffles heard a peer and round",
        "peers x rounds a second",
        "GiB at most",
    ];
    let curve = |label: &str, points| Curve { label: label.to_owned(), theirs: false, points };
    Ok(Report {
        title: format!(
            "Agreement to {:.0} %, {} parameters, s = {}",
            setup.agreed * 100.0,
            setup.parameters,
            setup.fan_out
        ),
        columns: columns.map(str::to_owned).into(),
        rows,
        curves: vec![curve("rounds to agree", rounds), curve("hundred bytes a peer and round", bytes)],
        axes: Axes { x: "peers".to_owned(), y: "rounds, hundred bytes".to_owned(), log_x: true },
    })
}

fn world_config(setup: &Setup, seed: u64) -> WorldConfig {
    let interval = Duration::from_secs_f64(setup.interval);
    let (least, most) = setup.delay_ms;
    let sampling = Sampling::View { size: setup.view };
    let recipe =
        Recipe { training: Training { steps: 0, ..Training::default() }, rule: Rule::Uniform, ..Recipe::default() };
    WorldConfig {
        recipe: Recipe { codec: setup.codec, ..recipe },
        train_time: (interval / 20, interval / 20),
        round: RoundConfig {
            fan_out: setup.fan_out,
            deadline: interval,
            min_interval: interval,
            join_wait: Duration::from_millis(1),
            ..RoundConfig::default()
        },
        discovery: Discovery::Membership(MembershipConfig {
            sampling,
            shuffle_every: interval,
            ..MembershipConfig::default()
        }),
        link: Link { delay: (Duration::from_millis(least), Duration::from_millis(most)), ..Link::default() },
        request_timeout: interval,
        public: true,
        start_within: interval / 2,
        seed,
        ..WorldConfig::default()
    }
}

fn travel(setup: &Setup, peers: usize, seed: u64) -> Result<Trip, ReplicationError> {
    let model = Averaging::new(setup.parameters)?;
    let start = |peer: usize| PeerStart::new(Dataset::none(), model.initial(seed << 32 ^ peer as u64));
    let began = Instant::now();
    let mut world = World::new(&model, world_config(setup, seed), (0..peers).map(start).collect())?;
    let target = disagreement(world.honest()) * setup.agreed;
    let mut last = (0.0, f64::MAX);
    let tick = setup.interval / 2.0;
    let mut now = 0.0;
    while now < setup.longest {
        now += tick;
        world.run_until(Time::ZERO + Duration::from_secs_f64(now));
        let apart = disagreement(world.honest());
        if apart <= target {
            break;
        }
        last = (mean_rounds(&world), apart);
    }
    let (rounds, apart) = (mean_rounds(&world), disagreement(world.honest()));
    // Between two looks the distance falls by a factor; where it crossed is read off its logarithm.
    let part = ((last.1 / target).ln() / (last.1 / apart).ln()).clamp(0.0, 1.0);
    let sum = |pick: fn(&peerlearn_sim::world::Stats) -> u64| {
        (0..peers).map(|peer| pick(&world.stats(peer))).sum::<u64>() as f64
    };
    let done = (peers as f64 * rounds).max(1.0);
    Ok(Trip {
        rounds: if apart <= target { last.0 + (rounds - last.0) * part } else { f64::INFINITY },
        bytes: sum(|stats| stats.bytes_in) / done,
        messages: sum(|stats| stats.shuffles) / done,
        seconds: began.elapsed().as_secs_f64(),
        gibibytes: peak_gibibytes(),
    })
}

fn mean_rounds(world: &World<'_>) -> f64 {
    (0..world.len()).map(|peer| world.stats(peer).rounds).sum::<u64>() as f64 / world.len() as f64
}

/// Most memory this process has held so far; 0 where the system does not tell.
fn peak_gibibytes() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = line.and_then(|line| line.trim().split(' ').next()?.parse::<f64>().ok());
    kibibytes.unwrap_or(0.0) / 1024.0 / 1024.0
}
