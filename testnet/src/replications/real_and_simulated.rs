//! The same scenarios with real nodes and with simulated peers, recipe by recipe.

use std::collections::BTreeMap;
use std::time::Duration;

use peerlearn::config::Layers;
use peerlearn::data::Partition;
use peerlearn::event::NodeEvent;
use peerlearn_harness::{DemoPlan, Ending, Progress};
use peerlearn_protocols::round::RoundConfig;
use peerlearn_sim::measure;
use peerlearn_sim::world::{Link, PeerStart, World, WorldConfig};
use serde::Deserialize;
use tokio::sync::watch;

use super::{Axes, Curve, Replication, ReplicationError, Report, Run, spread};
use crate::simulation;

pub(super) const REPLICATION: Replication =
    Replication { name: "real-and-simulated", about: "Six recipes with real nodes and with simulated peers", run };

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
    recipes: Vec<NamedRecipe>,
}

/// A recipe to compare: the defaults with some settings of a node.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NamedRecipe {
    label: String,
    settings: Vec<String>,
    /// Instead of those of all, where nodes of this recipe take other times.
    train_ms: Option<(u64, u64)>,
    delay_us: Option<(u64, u64)>,
}

/// Accuracy of every peer, by the round in which it was measured.
type ByRound = BTreeMap<u64, Vec<f64>>;

/// One recipe, every seed of it.
struct Compared<'a> {
    label: &'a str,
    real: Vec<ByRound>,
    simulated: Vec<ByRound>,
}

fn run(run: &Run) -> Result<Report, ReplicationError> {
    let setup: Setup = run.scenario.setup()?;
    let partition: Partition = setup.partition.parse().map_err(|error| foreign(&error))?;
    let runtime = tokio::runtime::Runtime::new().map_err(|error| foreign(&error))?;
    let mut compared = Vec::new();
    for recipe in setup.recipes.iter().filter(|recipe| run.wants(&recipe.label)) {
        let (mut real, mut simulated) = (Vec::new(), Vec::new());
        for &seed in &setup.seeds {
            let plan = plan(&setup, recipe, partition, seed)?;
            real.push(runtime.block_on(real_run(&plan))?);
            simulated.push(simulated_run(&setup, recipe, &plan)?);
            eprintln!("{}, seed {seed} done", recipe.label);
        }
        compared.push(Compared { label: &recipe.label, real, simulated });
    }
    let columns = [
        "recipe",
        "round",
        "real, mean peer %",
        "simulated, mean peer %",
        "real, worst peer %",
        "simulated, worst peer %",
        "difference of the means, in deviations",
    ];
    Ok(Report {
        title: format!(
            "{} peers, digits, {}, {} seeds: accuracy on the test rows",
            setup.peers,
            setup.partition,
            setup.seeds.len()
        ),
        columns: columns.map(str::to_owned).into(),
        rows: compared.iter().flat_map(|one| setup.checkpoints.iter().map(|round| one.row(*round))).collect(),
        curves: compared.iter().flat_map(Compared::curves).collect(),
        axes: Axes { x: "round".to_owned(), y: "accuracy of the mean peer, mean over seeds".to_owned(), log_x: false },
    })
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

fn worst(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::INFINITY, f64::min)
}

impl Compared<'_> {
    fn row(&self, round: u64) -> Vec<String> {
        let at = |runs: &[ByRound], pick: fn(&[f64]) -> f64| -> Vec<f64> {
            runs.iter().filter_map(|run| run.get(&round)).map(|peers| pick(peers) * 100.0).collect()
        };
        let (real, simulated) = (at(&self.real, mean), at(&self.simulated, mean));
        vec![
            self.label.to_owned(),
            round.to_string(),
            spread(&real, 2),
            spread(&simulated, 2),
            spread(&at(&self.real, worst), 2),
            spread(&at(&self.simulated, worst), 2),
            difference(&real, &simulated),
        ]
    }

    /// Two curves, real and simulated, each the mean over the seeds.
    fn curves(&self) -> [Curve; 2] {
        let curve = |kind: &str, theirs: bool, runs: &[ByRound]| {
            let rounds: Vec<u64> = runs.iter().flat_map(|run| run.keys().copied()).collect();
            let at =
                |round: u64| mean(&runs.iter().filter_map(|run| run.get(&round)).map(|p| mean(p)).collect::<Vec<_>>());
            let points: BTreeMap<u64, f64> = rounds.into_iter().map(|round| (round, at(round))).collect();
            let points = points.into_iter().map(|(round, accuracy)| (round as f64, accuracy)).collect();
            Curve { label: format!("{}, {kind}", self.label), theirs, points }
        };
        [curve("real", true, &self.real), curve("simulated", false, &self.simulated)]
    }
}

/// How far two means are apart, in the larger of both sample deviations; "-" for a single seed.
fn difference(one: &[f64], other: &[f64]) -> String {
    let deviation = |values: &[f64]| {
        let squares = values.iter().map(|value| (value - mean(values)).powi(2)).sum::<f64>();
        (squares / (values.len() - 1) as f64).sqrt()
    };
    if one.len() < 2 || other.len() < 2 {
        return "-".to_owned();
    }
    format!("{:.2}", (mean(one) - mean(other)).abs() / deviation(one).max(deviation(other)))
}

fn foreign(error: &dyn std::fmt::Display) -> ReplicationError {
    ReplicationError::Node { reason: error.to_string() }
}

fn plan(setup: &Setup, recipe: &NamedRecipe, partition: Partition, seed: u64) -> Result<DemoPlan, ReplicationError> {
    let common = ["round.min_interval=0s".to_owned(), format!("round.evaluate_every={}", setup.evaluate_every)];
    let settings = [&common[..], &recipe.settings].concat();
    let config = Layers::new().settings(&settings).and_then(Layers::load).map_err(|error| foreign(&error))?;
    Ok(DemoPlan { peers: setup.peers, partition, rounds: setup.rounds, until_accuracy: None, seed, config, out: None })
}

async fn real_run(plan: &DemoPlan) -> Result<ByRound, ReplicationError> {
    let (_stop, stopped) = watch::channel(false);
    let mut seen = ByRound::new();
    let ending = peerlearn_harness::run(plan, stopped, |progress| {
        if let Progress::Event(_, stamped) = progress
            && let NodeEvent::RoundClosed { round, test: Some(test), .. } = &stamped.event
        {
            seen.entry(*round).or_default().push(f64::from(test.accuracy));
        }
    });
    match ending.await.map_err(|error| foreign(&error))? {
        Ending::Finished { .. } => Ok(seen),
        Ending::Interrupted => Err(foreign(&"the demo was interrupted")),
    }
}

fn simulated_run(setup: &Setup, recipe: &NamedRecipe, plan: &DemoPlan) -> Result<ByRound, ReplicationError> {
    let parts = plan.parts().map_err(|error| foreign(&error))?;
    let test = parts.iter().find_map(|part| part.test.clone()).ok_or_else(|| foreign(&"no test rows"))?;
    let model = simulation::model(&plan.config.task.model, &test).map_err(|error| foreign(&error))?;
    let start = model.initial(plan.seed);
    let round = RoundConfig { rounds: plan.rounds, ..plan.config.round.machine() };
    let starts = parts
        .iter()
        .map(|part| PeerStart { round: Some(round.clone()), ..simulation::peer(&plan.config, part, start.clone()) });
    let mut world = World::new(&*model, world_config(setup, recipe, plan)?, starts.collect())?;
    let mut seen = ByRound::new();
    let mut measured = vec![0; setup.peers];
    while measured.iter().any(|&round| round < setup.rounds) {
        world.run_until(world.now() + Duration::from_millis(setup.train_ms.0 / 2));
        for (peer, measured) in measured.iter_mut().enumerate() {
            let round = world.stats(peer).rounds;
            if round > *measured && round.is_multiple_of(setup.evaluate_every) {
                let accuracy = measure(&*model, world.answer(peer), &test).accuracy;
                seen.entry(round).or_default().push(accuracy);
                *measured = round;
            }
        }
    }
    Ok(seen)
}

/// The settings of the plan, and the machine that the real nodes run on.
fn world_config(setup: &Setup, recipe: &NamedRecipe, plan: &DemoPlan) -> Result<WorldConfig, ReplicationError> {
    let (millis, micros) = (Duration::from_millis, Duration::from_micros);
    let (fast, slow) = recipe.train_ms.unwrap_or(setup.train_ms);
    let (least, most) = recipe.delay_us.unwrap_or(setup.delay_us);
    Ok(WorldConfig {
        train_time: (millis(fast), millis(slow)),
        link: Link { delay: (micros(least), micros(most)), loss: 0.0, uplink: 1e9 },
        start_within: millis(setup.start_ms),
        ..simulation::world(&plan.config, plan.seed).map_err(|error| foreign(&error))?
    })
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
        let (real, simulated) = (number(&last[2]), number(&last[3]));
        assert!(real > 80.0 && simulated > 80.0 && (real - simulated).abs() < 8.0, "{real} and {simulated}");
    }
}
