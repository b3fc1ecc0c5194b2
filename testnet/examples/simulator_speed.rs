//! How fast the simulator is: `cargo run --release -p peerlearn-testnet --example simulator_speed -- [PEERS] [ROUNDS]
//! [PARAMETERS]`; with `RAYON_NUM_THREADS=1` on one core, with `--features jemalloc` in huge pages. Averaging only, s = 4,
//! int8, views that are shuffled as often as those of nodes.

use std::time::{Duration, Instant};

use peerlearn_protocols::membership::MembershipConfig;
use peerlearn_protocols::mixing::Rule;
use peerlearn_protocols::round::RoundConfig;
use peerlearn_protocols::sampling::view::ViewConfig;
use peerlearn_protocols::time::Time;
use peerlearn_sim::world::{Discovery, Link, PeerStart, World, WorldConfig};
use peerlearn_sim::{Averaging, Model, Rows, Training};
// For its allocator.
use peerlearn_testnet as _;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut numbers = std::env::args().skip(1).map(|text| text.parse::<usize>());
    let mut next = |default| numbers.next().unwrap_or(Ok(default));
    let (peers, rounds, parameters) = (next(10_000)?, next(100)?, next(1000)?);
    let second = Duration::from_secs(1);
    let config = WorldConfig {
        training: Training { steps: 0, ..Training::default() },
        round: RoundConfig { deadline: second, min_interval: second, ..RoundConfig::default() },
        rule: Rule::AgeLimited,
        discovery: Discovery::Shuffle(ViewConfig::default(), MembershipConfig::default().shuffle_every),
        link: Link { delay: (Duration::from_millis(20), Duration::from_millis(80)), ..Link::default() },
        request_timeout: second,
        ..WorldConfig::default()
    };
    let model = Averaging::new(parameters)?;
    let nothing = Rows { width: 1, classes: 2, features: [].into(), labels: [].into() };
    let start = |peer: usize| PeerStart::new(nothing.clone(), model.initial(peer as u64));
    let mut world = World::new(&model, config, (0..peers).map(start).collect())?;
    let began = Instant::now();
    world.run_until(Time::ZERO + second * rounds as u32);
    let seconds = began.elapsed().as_secs_f64();
    let done: u64 = (0..peers).map(|peer| world.stats(peer).rounds).sum();
    println!(
        "{peers} peers, {parameters} parameters: {done} rounds in {seconds:.1} s, {:.0} peers x rounds a second, hash {:#018x}",
        done as f64 / seconds,
        world.digest()
    );
    Ok(())
}
