//! Fed-Heart-Disease of the benchmark FLamby (Ogier du Terrail et al. 2022), and the same hospitals without a server.

mod learn;
mod prepared;

use std::collections::BTreeMap;

use peerlearn_protocols::mixing::Rule;
use rayon::prelude::*;
use serde::Deserialize;

use super::{Axes, Curve, Replication, ReplicationError, Report, Run, spread};
use prepared::{Found, Prepared};

/// See the module.
pub(super) const REPLICATION: Replication = Replication {
    name: "hospitals",
    about: "heart disease in four hospitals: alone, pooled, federated, and as peers without a server",
    run,
};

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Setup {
    seeds: u64,
    first_seed: u64,
    batch: usize,
    /// Adam, for those who learn alone.
    adam_learning_rate: f32,
    adam_epochs: usize,
    /// Momentum and second moment of every Adam.
    betas: (f32, f32),
    adam_epsilon: f32,
    peers: Vec<Peers>,
    adaptive: Vec<Outer>,
    /// What others measured: label, then the cells of a row.
    theirs: BTreeMap<String, Vec<String>>,
}

/// Peers in lockstep.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Peers {
    label: String,
    links: Who,
    #[serde(default)]
    fan_out: usize,
    rule: Rule,
    learning_rate: f32,
    steps: u32,
    rounds: u64,
    #[serde(default)]
    control_variate: f32,
    #[serde(default)]
    outer: Option<(f32, f32)>,
    #[serde(default)]
    int8: bool,
    /// Steps that every hospital goes on alone after the last round.
    #[serde(default)]
    personal_steps: u32,
    #[serde(default)]
    drawn: bool,
}

/// Who hears whom.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Who {
    /// Everyone hears everyone, with weights by rows and without our cap, as FedAvg.
    ByRows,
    Complete,
    Fresh,
}

/// Federated averaging with an adaptive outer optimiser, whose state every peer of a complete graph can keep itself.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Outer {
    label: String,
    second_moment: Second,
    learning_rate: f32,
    outer_learning_rate: f32,
    tau: f32,
    steps: u32,
    rounds: u64,
    #[serde(default)]
    drawn: bool,
}

/// How the second moment grows (Reddi et al. 2021).
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Second {
    Adagrad,
    Adam,
    Yogi,
}

/// One row before the seeds are run.
enum Method<'a> {
    Pooled,
    Alone(usize),
    Peers(&'a Peers),
    Adaptive(&'a Outer),
}

impl Method<'_> {
    fn label(&self) -> String {
        match self {
            Method::Pooled => "pooled training".to_owned(),
            Method::Alone(hospital) => format!("local {hospital}"),
            Method::Peers(peers) => peers.label.clone(),
            Method::Adaptive(outer) => outer.label.clone(),
        }
    }

    fn is_drawn(&self) -> bool {
        match self {
            Method::Pooled | Method::Alone(_) => false,
            Method::Peers(peers) => peers.drawn,
            Method::Adaptive(outer) => outer.drawn,
        }
    }
}

fn run(run: &Run) -> Result<Report, ReplicationError> {
    let setup: Setup = run.scenario.setup()?;
    let prepared = Prepared::new(&setup, &run.data)?;
    let mut methods = vec![Method::Pooled];
    methods.extend((0..prepared.hospitals()).map(Method::Alone));
    methods.extend(setup.peers.iter().map(Method::Peers));
    methods.extend(setup.adaptive.iter().map(Method::Adaptive));
    let mut report = Report {
        title: format!(
            "Heart disease in four hospitals, {} seeds: accuracy on test rows, mean ± deviation",
            setup.seeds
        ),
        columns: columns(prepared.hospitals()),
        rows: Vec::new(),
        curves: Vec::new(),
        axes: Axes { x: "round".into(), y: "accuracy, mean of hospitals".into(), log_x: true },
    };
    for method in methods.iter().filter(|method| run.wants(&method.label())) {
        let found: Vec<Found> = (setup.first_seed..setup.first_seed + setup.seeds)
            .into_par_iter()
            .map(|seed| prepared.learn(method, seed))
            .collect::<Result<_, _>>()?;
        add(&mut report, &setup, method, &found);
    }
    Ok(report)
}

fn columns(hospitals: usize) -> Vec<String> {
    let each = (0..hospitals).map(|hospital| format!("hospital {hospital}"));
    let first = ["method", "who", "pooled test"].map(str::to_owned).into_iter();
    first.chain(each).chain(["mean of hospitals".to_owned()]).collect()
}

/// Two rows, theirs and ours, and the curves of a method.
fn add(report: &mut Report, setup: &Setup, method: &Method<'_>, found: &[Found]) {
    let label = method.label();
    let last = report.columns.len() - 3;
    if let Some(theirs) = setup.theirs.get(&label) {
        report.rows.push([label.clone(), "FLamby".to_owned()].into_iter().chain(theirs.iter().cloned()).collect());
        let mean = theirs.last().and_then(|cell| cell.split(' ').next()).and_then(|cell| cell.parse().ok());
        let rounds = found.first().map_or(0, |found| found.curve.len());
        if let (true, Some(mean)) = (method.is_drawn(), mean) {
            let points = vec![(1.0, mean), (rounds.max(2) as f64, mean)];
            report.curves.push(Curve { label: format!("FLamby, {label}: its end"), theirs: true, points });
        }
    }
    let cell = |at: usize| spread(&found.iter().map(|found| found.accuracies()[at]).collect::<Vec<_>>(), 3);
    report.rows.push([label.clone(), "here".to_owned()].into_iter().chain((0..=last).map(cell)).collect());
    if method.is_drawn() {
        let rounds = found.iter().map(|found| found.curve.len()).min().unwrap_or(0);
        let mean = |at: usize| found.iter().map(|found| found.curve[at]).sum::<f64>() / found.len() as f64;
        let points = (0..rounds).map(|at| ((at + 1) as f64, mean(at))).collect();
        report.curves.push(Curve { label, theirs: false, points });
    }
}
