//! Gossip learning by pushes, as the simulator gossipy (Polato 2022) has it, and our pulls on the same data.

mod prepared;
mod push;
mod token;

use peerlearn_protocols::codec::Codec;
use rayon::prelude::*;
use serde::Deserialize;

use super::{Axes, Curve, Replication, ReplicationError, Report, Run, spread};
use prepared::{Mark, Prepared};

/// See the module.
pub(super) const REPLICATION: Replication = Replication {
    name: "gossip-learning",
    about: "Spambase and Pendigits over 100 nodes: pushed models under churn, limited merging, tokens, and our pulls",
    run,
};

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Setup {
    seeds: u64,
    nodes: usize,
    /// Neighbours of every node in the static graph.
    degree: usize,
    /// Ticks a round.
    ticks: u64,
    /// The longest delay in ticks.
    delay: u64,
    batch: usize,
    weight_decay: f32,
    /// Nodes measured at a time.
    watched: usize,
    /// Share of Spambase to be measured on.
    test_share: f64,
    /// No experiment goes on longer.
    most_rounds: u64,
    experiments: Vec<Experiment>,
    ours: Vec<Ours>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Data {
    Spambase,
    Pendigits,
}

/// How a node takes in a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Merge {
    /// The mean.
    Plain,
    /// By age, and not at all beyond a difference of ages (Danner et al. 2023).
    Limited,
    /// One part of the model, by its age; learning rates fall with the ages of parts (Hegedűs et al. 2021).
    Parts,
}

/// One of their runs.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Experiment {
    label: String,
    data: Data,
    #[serde(default)]
    one_class: bool,
    learning_rate: f32,
    merge: Merge,
    /// Largest difference of ages in a limited merge.
    #[serde(default)]
    most_apart: u64,
    /// Parts of a model.
    #[serde(default)]
    parts: usize,
    /// Capacity and reactivity (C and A) of a randomised token account.
    #[serde(default)]
    tokens: Option<(u32, u32)>,
    online: f64,
    loss: f64,
    rounds: Vec<u64>,
    accuracy: Vec<f64>,
    /// Empty where there are more than two classes.
    auc: Vec<f64>,
    #[serde(default)]
    drawn: bool,
}

/// Our way, on the data of every experiment.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ours {
    label: String,
    fan_out: usize,
    #[serde(default)]
    int8: bool,
    /// Under churn everyone is there, and as many models get lost as theirs lose to both: only for experiments with
    /// churn.
    #[serde(default)]
    same_arrivals: bool,
    #[serde(default)]
    control_variate: f32,
    #[serde(default)]
    outer: Option<(f32, f32)>,
}

impl Ours {
    fn codec(&self) -> Codec {
        if self.int8 { Codec::Int8 } else { Codec::F32 }
    }
}

impl Experiment {
    /// Checkpoints within the rounds that are run.
    fn checkpoints(&self, setup: &Setup) -> Vec<u64> {
        self.rounds.iter().copied().filter(|round| *round <= setup.most_rounds).collect()
    }
}

fn run(run: &Run) -> Result<Report, ReplicationError> {
    let setup: Setup = run.scenario.setup()?;
    let mut columns = vec!["experiment".to_owned(), "who".to_owned()];
    let mut rounds: Vec<u64> = setup.experiments.iter().flat_map(|one| one.checkpoints(&setup)).collect();
    rounds.sort_unstable();
    rounds.dedup();
    columns.extend(rounds.iter().map(|round| format!("round {round}")));
    let mut report = Report {
        title: format!(
            "Gossip learning on {} nodes: accuracy (area under the curve) of {} of them, {} seeds",
            setup.nodes, setup.watched, setup.seeds
        ),
        columns,
        rows: Vec::new(),
        curves: Vec::new(),
        axes: Axes { x: "round".into(), y: "accuracy".into(), log_x: true },
    };
    for experiment in setup.experiments.iter().filter(|experiment| run.wants(&experiment.label)) {
        one(run, &setup, experiment, &rounds, &mut report)?;
    }
    Ok(report)
}

/// Their numbers, their protocol here, and ours.
fn one(
    run: &Run,
    setup: &Setup,
    experiment: &Experiment,
    rounds: &[u64],
    report: &mut Report,
) -> Result<(), ReplicationError> {
    let benches: Vec<Prepared<'_>> =
        (0..setup.seeds).map(|seed| Prepared::new(setup, experiment, &run.data, seed)).collect::<Result<_, _>>()?;
    let theirs: Vec<Mark> = (0..experiment.rounds.len())
        .map(|at| Mark { accuracy: experiment.accuracy[at], auc: experiment.auc.get(at).copied() })
        .collect();
    add(report, experiment, "gossipy", rounds, &[theirs]);
    let pushed: Vec<Vec<Mark>> = benches.par_iter().map(push::run).collect();
    add(report, experiment, "its pushes, here", rounds, &pushed);
    for ours in setup.ours.iter().filter(|ours| experiment.online < 1.0 || !ours.same_arrivals) {
        let found: Vec<Vec<Mark>> = benches.par_iter().map(|prepared| prepared.pull(ours)).collect::<Result<_, _>>()?;
        add(report, experiment, &ours.label, rounds, &found);
    }
    Ok(())
}

/// A row, and a curve if wanted. Shapes: `found`: for every seed a mark a checkpoint.
fn add(report: &mut Report, experiment: &Experiment, who: &str, rounds: &[u64], found: &[Vec<Mark>]) {
    let cell = |round: &u64| {
        let Some(at) = experiment.rounds.iter().position(|one| one == round) else { return String::new() };
        let marks: Vec<Mark> = found.iter().filter_map(|marks| marks.get(at).copied()).collect();
        let accuracy = spread(&marks.iter().map(|mark| mark.accuracy).collect::<Vec<_>>(), 3);
        let auc: Vec<f64> = marks.iter().filter_map(|mark| mark.auc).collect();
        match auc.is_empty() {
            true => accuracy,
            false => format!("{accuracy} ({:.3})", auc.iter().sum::<f64>() / auc.len() as f64),
        }
    };
    report.rows.push([experiment.label.clone(), who.to_owned()].into_iter().chain(rounds.iter().map(cell)).collect());
    if experiment.drawn {
        let mean = |at: usize| found.iter().map(|marks| marks[at].accuracy).sum::<f64>() / found.len() as f64;
        let count = found.iter().map(Vec::len).min().unwrap_or(0);
        let points = experiment.rounds.iter().take(count).enumerate().map(|(at, round)| (*round as f64, mean(at)));
        report.curves.push(Curve {
            label: format!("{}: {who}", experiment.label),
            theirs: who == "gossipy",
            points: points.collect(),
        });
    }
}
