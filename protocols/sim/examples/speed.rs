//! How fast the simulator is: `cargo run --release -p peerlearn-sim --example speed -- [PEERS] [ROUNDS] [PARAMETERS]`;
//! with `RAYON_NUM_THREADS=1` on one core. Averaging only, s = 4, int8, views that are shuffled as often as those of
//! nodes.

use std::time::{Duration, Instant};

use peerlearn_protocols::dataset::Dataset;
use peerlearn_protocols::membership::MembershipConfig;
use peerlearn_protocols::recipe::{Recipe, Training};
use peerlearn_protocols::round::RoundConfig;
use peerlearn_protocols::sampling::Sampling;
use peerlearn_protocols::time::Time;
use peerlearn_sim::world::{Discovery, Link, PeerStart, World, WorldConfig};
use peerlearn_sim::{Averaging, Model};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut numbers = std::env::args().skip(1).map(|text| text.parse::<usize>());
    let mut next = |default| numbers.next().unwrap_or(Ok(default));
    let (peers, rounds, parameters) = (next(10_000)?, next(100)?, next(1000)?);
    let second = Duration::from_secs(1);
    let sampling = Sampling::View { size: 32 };
    let config = WorldConfig {
        recipe: Recipe { training: Training { steps: 0, ..Training::default() }, ..Recipe::default() },
        round: RoundConfig { deadline: second, min_interval: second, ..RoundConfig::default() },
        discovery: Discovery::Membership(MembershipConfig { sampling, ..MembershipConfig::default() }),
        link: Link { delay: (Duration::from_millis(20), Duration::from_millis(80)), ..Link::default() },
        request_timeout: second,
        public: true,
        ..WorldConfig::default()
    };
    let model = Averaging::new(parameters)?;
    let start = |peer: usize| PeerStart::new(Dataset::none(), model.initial(peer as u64));
    let mut world = World::new(&model, config, (0..peers).map(start).collect())?;
    #[expect(clippy::disallowed_methods, reason = "real time is what is measured here")]
    let began = Instant::now();
    world.run_until(Time::ZERO + second * rounds as u32);
    let seconds = began.elapsed().as_secs_f64();
    let stats = || (0..peers).map(|peer| world.stats(peer));
    let done: u64 = stats().map(|stats| stats.rounds).sum();
    let mixed: u64 = stats().map(|stats| stats.mixed).sum();
    println!(
        "{peers} peers, {parameters} parameters: {done} rounds in {seconds:.1} s, {:.0} peers x rounds a second, {:.2} models a \
         round, hash {:#018x}",
        done as f64 / seconds,
        mixed as f64 / done as f64,
        world.digest()
    );
    Ok(())
}
