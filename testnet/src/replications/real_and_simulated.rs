//! The same scenario with real nodes and with simulated peers.

use std::collections::BTreeMap;
use std::time::Duration;

use peerlearn::config::Layers;
use peerlearn::data::{Dataset, Partition};
use peerlearn::demo::{DemoPlan, Ending};
use peerlearn::event::NodeEvent;
use peerlearn_protocols::membership::MembershipConfig;
use peerlearn_protocols::round::RoundConfig;
use peerlearn_sim::world::{Discovery, Link, PeerStart, World, WorldConfig};
use peerlearn_sim::{Decay, Head, Initial, Mlp, Model, Order, Rows, Training, measure};
use serde::Deserialize;
use tokio::sync::watch;

use super::{Axes, Curve, Replication, ReplicationError, Report, Run, spread};

pub(super) const REPLICATION: Replication =
    Replication { name: "real-and-simulated", about: "One scenario with real nodes and with simulated peers", run };

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Setup {
    peers: usize,
    partition: String,
    rounds: u64,
    checkpoints: Vec<u64>,
    evaluate_every: u64,
    seeds: Vec<u64>,
    train_ms: (u64, u64),
    delay_us: (u64, u64),
    start_ms: u64,
}

/// Accuracy of every peer, by the round in which it was measured.
type ByRound = BTreeMap<u64, Vec<f64>>;

fn run(run: &Run) -> Result<Report, ReplicationError> {
    let setup: Setup = run.scenario.setup()?;
    let partition: Partition = setup.partition.parse().map_err(|error| foreign(&error))?;
    let runtime = tokio::runtime::Runtime::new().map_err(|error| foreign(&error))?;
    let (mut real, mut simulated) = (Vec::new(), Vec::new());
    for &seed in &setup.seeds {
        let plan = plan(&setup, partition, seed)?;
        real.push(runtime.block_on(real_run(&plan))?);
        simulated.push(simulated_run(&setup, &plan)?);
        eprintln!("seed {seed} done");
    }
    let mean = |peers: &[f64]| peers.iter().sum::<f64>() / peers.len().max(1) as f64;
    let worst = |peers: &[f64]| peers.iter().copied().fold(f64::INFINITY, f64::min);
    let row = |&round: &u64| {
        let at = |runs: &[ByRound], pick: &dyn Fn(&[f64]) -> f64| {
            let values: Vec<f64> =
                runs.iter().filter_map(|run| run.get(&round)).map(|peers| pick(peers) * 100.0).collect();
            spread(&values, 2)
        };
        vec![round.to_string(), at(&real, &mean), at(&simulated, &mean), at(&real, &worst), at(&simulated, &worst)]
    };
    let columns =
        ["round", "real, mean peer %", "simulated, mean peer %", "real, worst peer %", "simulated, worst peer %"];
    Ok(Report {
        title: format!(
            "{} peers, digits, {}, {} seeds: accuracy on the test rows",
            setup.peers,
            setup.partition,
            setup.seeds.len()
        ),
        columns: columns.map(str::to_owned).into(),
        rows: setup.checkpoints.iter().map(row).collect(),
        curves: [curves("real", true, &real, mean), curves("simulated", false, &simulated, mean)].concat(),
        axes: Axes { x: "round".to_owned(), y: "accuracy of the mean peer".to_owned(), log_x: false },
    })
}

fn curves(label: &str, thin: bool, runs: &[ByRound], pick: impl Fn(&[f64]) -> f64) -> Vec<Curve> {
    let curve = |(seed, run): (usize, &ByRound)| Curve {
        label: format!("{label}, seed {seed}"),
        theirs: thin,
        points: run.iter().map(|(round, peers)| (*round as f64, pick(peers))).collect(),
    };
    runs.iter().enumerate().map(curve).collect()
}

fn foreign(error: &dyn std::fmt::Display) -> ReplicationError {
    ReplicationError::Node { reason: error.to_string() }
}

fn plan(setup: &Setup, partition: Partition, seed: u64) -> Result<DemoPlan, ReplicationError> {
    let settings = ["round.min_interval=0s".to_owned(), format!("round.evaluate_every={}", setup.evaluate_every)];
    let config = Layers::new().settings(&settings).and_then(Layers::load).map_err(|error| foreign(&error))?;
    Ok(DemoPlan { peers: setup.peers, partition, rounds: setup.rounds, until_accuracy: None, seed, config, out: None })
}

async fn real_run(plan: &DemoPlan) -> Result<ByRound, ReplicationError> {
    let (_stop, stopped) = watch::channel(false);
    let mut seen = ByRound::new();
    let ending = peerlearn::demo::run(plan, stopped, |_, stamped| {
        if let NodeEvent::RoundClosed { round, test: Some(test), .. } = &stamped.event {
            seen.entry(*round).or_default().push(f64::from(test.accuracy));
        }
    });
    match ending.await.map_err(|error| foreign(&error))? {
        Ending::Finished(_) => Ok(seen),
        Ending::Interrupted => Err(foreign(&"the demo was interrupted")),
    }
}

fn rows_of(data: &Dataset) -> Rows {
    Rows {
        width: data.width(),
        classes: data.classes(),
        features: data.features().into(),
        labels: data.labels().into(),
    }
}

fn simulated_run(setup: &Setup, plan: &DemoPlan) -> Result<ByRound, ReplicationError> {
    let parts = plan.parts().map_err(|error| foreign(&error))?;
    let test = parts.iter().find_map(|part| part.test.as_ref()).map(rows_of).ok_or_else(|| foreign(&"no test rows"))?;
    let model = Mlp::new(test.width, &[64, 32], test.classes, Head::Softmax, Initial::He)?;
    let start = model.initial(plan.seed);
    let starts = parts.iter().map(|part| PeerStart::new(rows_of(&part.train), start.clone()));
    let mut world = World::new(&model, world_config(setup, plan), starts.collect())?;
    let mut seen = ByRound::new();
    let mut measured = vec![0; setup.peers];
    while measured.iter().any(|&round| round < setup.rounds) {
        world.run_until(world.now() + Duration::from_millis(setup.train_ms.0 / 2));
        for (peer, measured) in measured.iter_mut().enumerate() {
            let round = world.stats(peer).rounds;
            if round > *measured && round.is_multiple_of(setup.evaluate_every) {
                let accuracy = measure(&model, world.answer(peer), &test).accuracy;
                seen.entry(round).or_default().push(accuracy);
                *measured = round;
            }
        }
    }
    Ok(seen)
}

/// The settings of the plan in the simulator's words.
fn world_config(setup: &Setup, plan: &DemoPlan) -> WorldConfig {
    let (training, round) = (&plan.config.training, &plan.config.round);
    let (millis, micros) = (Duration::from_millis, Duration::from_micros);
    WorldConfig {
        training: Training {
            steps: training.steps,
            batch: training.batch,
            order: Order::Shuffled,
            learning_rate: training.learning_rate,
            decay: Decay::Halving(training.decay_rounds),
            weight_decay: training.weight_decay,
            momentum: training.momentum,
            keep_momentum: false,
            clip_norm: training.clip_norm,
            proximal: training.proximal,
            control_variate: training.control_variate,
            outer: None,
            reference_steps: 0,
            moving_average: plan.config.mixing.moving_average,
        },
        train_time: (millis(setup.train_ms.0), millis(setup.train_ms.1)),
        round: RoundConfig {
            fan_out: round.fan_out,
            deadline: round.deadline,
            min_interval: round.min_interval,
            join_wait: round.join_wait,
            rounds: plan.rounds,
            ..RoundConfig::default()
        },
        rule: plan.config.mixing.rule,
        codec: plan.config.exchange.codec,
        discovery: Discovery::Gossip(MembershipConfig::default()),
        link: Link { delay: (micros(setup.delay_us.0), micros(setup.delay_us.1)), loss: 0.0, uplink: 1e9 },
        start_within: millis(setup.start_ms),
        seed: plan.seed,
        ..WorldConfig::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replications::Scenario;

    /// Real nodes and simulated peers learn alike: forty rounds of one seed are within a few points.
    #[test]
    fn forty_rounds_agree() {
        let folder = crate::replications::folder().join("real-and-simulated");
        let scenario = Scenario::read(&folder.join("scenario.toml"), true).unwrap();
        let run_of = |scenario| Run { scenario, data: "".into(), fast: true, only: Vec::new() };
        let report = run(&run_of(scenario)).unwrap();
        let last = report.rows.last().unwrap();
        let number = |cell: &str| cell.parse::<f64>().unwrap();
        let (real, simulated) = (number(&last[1]), number(&last[2]));
        assert!(real > 80.0 && simulated > 80.0 && (real - simulated).abs() < 8.0, "{real} and {simulated}");
    }
}
