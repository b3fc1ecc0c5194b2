//! Softmax regression on MNIST by 24 nodes of whom 4 lie: the records of the repository BRDSGD-GE (Ye et al. 2024).

use std::path::Path;

use peerlearn_protocols::codec::Codec;
use peerlearn_protocols::dataset::Dataset;
use peerlearn_protocols::mixing::Rule;
use peerlearn_protocols::recipe::{BatchOrder, Decay, Recipe, Training};
use peerlearn_sim::attack::Attack;
use peerlearn_sim::lockstep::{Links, Lockstep, Network, Start};
use peerlearn_sim::{Head, Initial, Mlp, Model};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{Axes, Curve, Replication, ReplicationError, Report, Run, parsed, remembered, spread};
use crate::data::{DataError, mnist};

/// See the module.
pub(super) const REPLICATION: Replication = Replication {
    name: "byrdlab",
    about: "softmax on MNIST, 24 nodes, 4 of them Byzantine: IOS, trimmed mean and clipping under five attacks",
    run,
};

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Setup {
    /// Iterations of the first seed, and of all others.
    iterations: u64,
    spread_iterations: u64,
    seeds: u64,
    /// Iterations at which every peer is measured.
    marks: Vec<u64>,
    /// Between two points of a curve.
    curve_every: u64,
    test_rows: usize,
    cells: Vec<Cell>,
    training: TrainingSetup,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct TrainingSetup {
    batch: usize,
    learning_rate: f32,
    harmonic: f32,
    weight_decay: f32,
    initial_deviation: f32,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cell {
    rule: String,
    /// An attack, or "none" for the graph without Byzantine peers.
    attack: String,
    /// Iteration and accuracy of the mean model.
    theirs: Vec<(u64, f64)>,
    #[serde(default)]
    drawn: bool,
}

impl Cell {
    fn label(&self) -> String {
        format!("{}, {}", self.rule, self.attack)
    }
}

/// The graph of the records.
#[derive(Debug, Clone, Deserialize)]
struct Graph {
    n: usize,
    byzantine: Vec<usize>,
    edges: Vec<(usize, usize)>,
}

impl Graph {
    fn read(data: &Path) -> Result<Self, ReplicationError> {
        let path = data.join("reference/byrdlab/er24_graph.json");
        let text = std::fs::read_to_string(&path).map_err(|source| DataError::Io { path: path.clone(), source })?;
        serde_json::from_str(&text).map_err(|error| DataError::Format { path, what: error.to_string() }.into())
    }

    fn is_byzantine(&self, node: usize) -> bool {
        self.byzantine.contains(&node)
    }

    /// Links with Metropolis weights; those of Byzantine peers are left out where nobody lies.
    fn links(&self, with_byzantine: bool) -> Links {
        let stays = |&(a, b): &(usize, usize)| with_byzantine || !(self.is_byzantine(a) || self.is_byzantine(b));
        Links::metropolis(self.n, &self.edges.iter().copied().filter(stays).collect::<Vec<_>>(), 0)
    }
}

/// What one run of a cell measured.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Found {
    /// Iteration and accuracy of the mean model.
    curve: Vec<(u64, f64)>,
    marks: Vec<Mark>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Mark {
    iteration: u64,
    mean_model: f64,
    mean: f64,
    worst: f64,
}

struct Prepared<'a> {
    setup: &'a Setup,
    graph: Graph,
    model: Mlp,
    /// Rows of every node; Byzantine peers have none.
    parts: Vec<Dataset>,
    test: Dataset,
}

fn run(run: &Run) -> Result<Report, ReplicationError> {
    let setup: Setup = run.scenario.setup()?;
    let graph = Graph::read(&run.data)?;
    let (train, test) = mnist(&run.data, |byte| (f32::from(byte) / 255.0 - 0.5) / 0.5)?;
    let model = Mlp::new(784, &[], 10, Head::Softmax, Initial::Normal(setup.training.initial_deviation))?;
    let test = test.select(&(0..setup.test_rows.min(test.len())).collect::<Vec<_>>());
    let prepared = Prepared { setup: &setup, parts: by_label(&train, &graph), graph, model, test };
    let cells: Vec<&Cell> = setup.cells.iter().filter(|cell| run.wants(&cell.label())).collect();
    let jobs: Vec<(&Cell, u64)> = (0..setup.seeds).flat_map(|seed| cells.iter().map(move |&c| (c, seed))).collect();
    let found: Vec<Found> =
        jobs.par_iter().map(|&(cell, seed)| prepared.found(cell, seed)).collect::<Result<_, _>>()?;
    let of_cell = |index: usize| found.iter().skip(index).step_by(cells.len()).collect::<Vec<_>>();
    let rows = cells.iter().enumerate().flat_map(|(index, cell)| rows(&setup, cell, &of_cell(index))).collect();
    let drawn = cells.iter().enumerate().filter(|(_, cell)| cell.drawn);
    Ok(Report {
        title: "Softmax regression on MNIST, 24 nodes of which 4 lie: accuracy of the mean of honest models".to_owned(),
        columns: ["rule", "attack", "iteration", "theirs", "ours", "difference", "mean peer", "worst peer"]
            .map(str::to_owned)
            .to_vec(),
        rows,
        curves: drawn.flat_map(|(index, cell)| curves(cell, of_cell(index)[0])).collect(),
        axes: Axes { x: "iteration".to_owned(), y: "accuracy of the mean model".to_owned(), log_x: false },
    })
}

/// Honest nodes in their order get two a digit; rows of a digit go to the two in turn.
fn by_label(train: &Dataset, graph: &Graph) -> Vec<Dataset> {
    let mut honest = 0;
    let part = |node: usize| {
        if graph.is_byzantine(node) {
            return train.select(&[]);
        }
        let (digit, turn) = (honest / 2 % train.classes(), honest % 2);
        honest += 1;
        let of_digit = (0..train.len()).filter(|&row| train.labels()[row] as usize == digit);
        train.select(&of_digit.skip(turn).step_by(2).collect::<Vec<_>>())
    };
    (0..graph.n).map(part).collect()
}

impl Prepared<'_> {
    fn found(&self, cell: &Cell, seed: u64) -> Result<Found, ReplicationError> {
        let until = if seed == 0 { self.setup.iterations } else { self.setup.spread_iterations };
        let setup = self.setup;
        let (marks, every, rows) = (&setup.marks, setup.curve_every, setup.test_rows);
        let key = format!("byrdlab {} {seed} {until} {marks:?} {every} {rows} {:?}", cell.label(), setup.training);
        remembered(&key, || {
            let found = self.simulate(cell, seed, until)?;
            eprintln!("{} seed {seed}: {:?}", cell.label(), found.marks);
            Ok(found)
        })
    }

    fn simulate(&self, cell: &Cell, seed: u64, until: u64) -> Result<Found, ReplicationError> {
        let mut network = self.network(cell, seed)?;
        let honest: Vec<usize> = (0..self.graph.n).filter(|&node| !self.graph.is_byzantine(node)).collect();
        let mut found = Found { curve: Vec::new(), marks: Vec::new() };
        for iteration in 1..=until {
            network.round()?;
            if iteration % self.setup.curve_every == 0 {
                found.curve.push((iteration, network.mean_of(&honest, &self.test)));
            }
            if self.setup.marks.contains(&iteration) {
                let score = network.score(&self.test);
                let (mean, worst) = (score.mean(), score.worst());
                found.marks.push(Mark { iteration, mean_model: score.mean_model, mean, worst });
            }
        }
        Ok(found)
    }

    fn network(&self, cell: &Cell, seed: u64) -> Result<Network<'_>, ReplicationError> {
        let recipe = &self.setup.training;
        let rule: Rule = parsed("rule", &cell.rule)?;
        let attack: Option<Attack> = if cell.attack == "none" { None } else { Some(parsed("attack", &cell.attack)?) };
        let training = Training {
            batch: recipe.batch,
            order: BatchOrder::Consecutive,
            learning_rate: recipe.learning_rate,
            decay: Decay::Harmonic(recipe.harmonic),
            weight_decay: recipe.weight_decay,
            ..Training::default()
        };
        // Without an attack Byzantine peers are there but alone and silent; marking them keeps them out of the
        // measurement.
        let silent = Attack::SignFlip;
        let start = |node: usize| Start {
            attack: self.graph.is_byzantine(node).then_some(attack.unwrap_or(silent)),
            ..Start::new(self.parts[node].clone(), self.model.initial(1_000 * seed + 100 + node as u64))
        };
        let links = self.graph.links(attack.is_some());
        let config = Lockstep {
            recipe: Recipe { training, rule, codec: Codec::F32, ..Recipe::default() },
            links,
            seed,
            ..Lockstep::default()
        };
        Ok(Network::new(&self.model, config, (0..self.graph.n).map(start).collect())?)
    }
}

/// One row a mark.
fn rows(setup: &Setup, cell: &Cell, found: &[&Found]) -> Vec<Vec<String>> {
    let row = |&iteration: &u64| {
        let marks: Vec<Mark> =
            found.iter().flat_map(|found| &found.marks).filter(|mark| mark.iteration == iteration).copied().collect();
        let of = |pick: fn(&Mark) -> f64| marks.iter().map(pick).collect::<Vec<_>>();
        let ours = of(|mark| mark.mean_model);
        let theirs = cell.theirs.iter().find(|(at, _)| *at == iteration).map(|(_, accuracy)| *accuracy);
        let difference = |theirs: f64| format!("{:+.4}", ours.iter().sum::<f64>() / ours.len() as f64 - theirs);
        vec![
            cell.rule.clone(),
            cell.attack.clone(),
            iteration.to_string(),
            theirs.map_or("-".to_owned(), |accuracy| format!("{accuracy:.4}")),
            spread(&ours, 4),
            theirs.map_or("-".to_owned(), difference),
            spread(&of(|mark| mark.mean), 4),
            spread(&of(|mark| mark.worst), 4),
        ]
    };
    setup.marks.iter().filter(|&&mark| mark <= setup.iterations).map(row).collect()
}

fn curves(cell: &Cell, found: &Found) -> [Curve; 2] {
    let points = |points: &[(u64, f64)]| points.iter().map(|&(x, y)| (x as f64, y)).collect();
    [
        Curve { label: cell.label(), theirs: false, points: points(&found.curve) },
        Curve { label: format!("{} (theirs)", cell.label()), theirs: true, points: points(&cell.theirs) },
    ]
}
