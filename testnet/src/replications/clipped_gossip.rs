//! ClippedGossip on MNIST (He, Karimireddy, Jaggi 2022): Figure 6, a ring of honest peers with two Byzantine peers
//! each, and Figure 4, two cliques joined by one edge.

use std::path::Path;

use peerlearn_protocols::codec::Codec;
use peerlearn_protocols::dataset::Dataset;
use peerlearn_protocols::mixing::Rule;
use peerlearn_protocols::recipe::{BatchOrder, Recipe, Training};
use peerlearn_sim::Model;
use peerlearn_sim::attack::Attack;
use peerlearn_sim::lockstep::{Links, Lockstep, Network, Start};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{Axes, Curve, Replication, ReplicationError, Report, Run, assign, parsed, remembered};
use crate::cnn::{ClippedGossipCnn, Dropout};
use crate::data::{DataError, mnist};

/// See the module.
pub(super) const REPLICATION: Replication = Replication {
    name: "clipped-gossip",
    about: "a small CNN on MNIST: a ring in which two of four neighbours are Byzantine, and two cliques joined by one edge",
    run,
};

/// Iterations of the published runs.
const THEIR_END: u64 = 900;
const COLUMNS: [&str; 10] = [
    "place",
    "rule",
    "attack",
    "iterations",
    "theirs at 900",
    "theirs then",
    "ours",
    "difference",
    "mean peer",
    "worst peer",
];

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Setup {
    seed: u64,
    /// Test rows of the last measurement, and of the points of curves.
    test_rows: usize,
    curve_rows: usize,
    curve_every: u64,
    majority: Shape,
    dumbbell: Shape,
    training: TrainingSetup,
    cells: Vec<Cell>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct Shape {
    iterations: u64,
    /// Honest peers.
    peers: usize,
    /// Byzantine peers that everybody hears.
    byzantine: usize,
    /// Parts that the training rows are partitioned into; peers get the first ones.
    parts: usize,
    /// Weight of every link.
    weight: f32,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct TrainingSetup {
    batch: usize,
    learning_rate: f32,
    momentum: f32,
    rows_per_peer: usize,
    probe_rows: usize,
    /// Whether batches and dropout are the same again and again, as in their runs, or drawn anew.
    frozen: bool,
}

/// Who is linked to whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Place {
    /// Figure 6.
    Majority,
    /// Figure 4, every peer with rows of all digits.
    DumbbellIid,
    /// Figure 4, one clique with digits 0 to 4, the other with 5 to 9.
    Dumbbell,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cell {
    place: Place,
    rule: String,
    /// An attack, or "none".
    attack: String,
    /// Instead of those of the place.
    #[serde(default)]
    iterations: Option<u64>,
    /// Their accuracies in percent after 900 iterations: of the mean model, then of the means of cliques.
    #[serde(default)]
    theirs: Vec<f64>,
    /// What the rows of their curve begin with after iteration and accuracy.
    #[serde(default)]
    curve: Option<String>,
    #[serde(default)]
    drawn: bool,
}

impl Cell {
    fn label(&self) -> String {
        let place = match self.place {
            Place::Majority => "ring",
            Place::Dumbbell => "dumbbell",
            Place::DumbbellIid => "dumbbell IID",
        };
        format!("{place}, {}, {}", self.rule, self.attack)
    }
}

/// What one cell measured, in percent.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Found {
    /// Iteration and accuracy of the mean model on the first test rows.
    curve: Vec<(u64, f64)>,
    /// Accuracy of the mean model, then of the means of cliques.
    last: Vec<f64>,
    /// Mean and least accuracy of single peers on the first test rows.
    mean: f64,
    worst: f64,
}

struct Prepared<'a> {
    setup: &'a Setup,
    model: ClippedGossipCnn,
    train: Dataset,
    test: Dataset,
}

fn run(run: &Run) -> Result<Report, ReplicationError> {
    let setup: Setup = run.scenario.setup()?;
    let (train, test) = mnist(&run.data, |byte| (f32::from(byte) / 255.0 - 0.1307) / 0.3081)?;
    let dropout = if setup.training.frozen { Dropout::Frozen } else { Dropout::Fresh };
    let prepared =
        Prepared { setup: &setup, model: ClippedGossipCnn::new(dropout)?, train, test: first(&test, setup.test_rows) };
    let cells: Vec<&Cell> = setup.cells.iter().filter(|cell| run.wants(&cell.label())).collect();
    let found: Vec<Found> = cells.par_iter().map(|cell| prepared.found(cell)).collect::<Result<_, _>>()?;
    let (mut curves, mut rows) = (Vec::new(), Vec::new());
    for (cell, found) in cells.iter().zip(&found) {
        let theirs = their_curve(cell, &run.data)?;
        rows.push(row(cell, prepared.shape(cell).iterations, found, theirs.as_ref()));
        if cell.drawn {
            let points = found.curve.iter().map(|&(x, y)| (x as f64, y)).collect();
            curves.push(Curve { label: cell.label(), theirs: false, points });
            curves.extend(theirs);
        }
    }
    Ok(Report {
        title: "ClippedGossip on MNIST: accuracy of the mean of honest models, percent".to_owned(),
        columns: COLUMNS.map(str::to_owned).to_vec(),
        rows,
        curves,
        axes: Axes { x: "iteration".to_owned(), y: "accuracy of the mean model, %".to_owned(), log_x: false },
    })
}

fn first(rows: &Dataset, count: usize) -> Dataset {
    rows.select(&(0..count.min(rows.len())).collect::<Vec<_>>())
}

impl Prepared<'_> {
    fn found(&self, cell: &Cell) -> Result<Found, ReplicationError> {
        let Setup { seed, test_rows, curve_rows, curve_every, .. } = *self.setup;
        let (shape, training) = (self.shape(cell), &self.setup.training);
        let key = format!(
            "clipped-gossip {} {seed} {test_rows} {curve_rows} {curve_every} {shape:?} {training:?}",
            cell.label()
        );
        remembered(&key, || {
            let found = self.simulate(cell)?;
            eprintln!("{}: {found:?}", cell.label());
            Ok(found)
        })
    }

    fn shape(&self, cell: &Cell) -> Shape {
        let shape = if cell.place == Place::Majority { self.setup.majority } else { self.setup.dumbbell };
        Shape { iterations: cell.iterations.unwrap_or(shape.iterations), ..shape }
    }

    fn simulate(&self, cell: &Cell) -> Result<Found, ReplicationError> {
        let shape = self.shape(cell);
        let mut network = self.network(cell)?;
        let everyone: Vec<usize> = (0..shape.peers).collect();
        let some = first(&self.test, self.setup.curve_rows);
        let mut curve = Vec::new();
        for iteration in 1..=shape.iterations {
            network.round()?;
            if iteration % self.setup.curve_every == 0 {
                let accuracy = 100.0 * network.mean_of(&everyone, &some);
                eprintln!("{} at {iteration}: {accuracy:.2}", cell.label());
                curve.push((iteration, accuracy));
            }
        }
        let mut last = vec![100.0 * network.mean_of(&everyone, &self.test)];
        let score = network.score(&some);
        if cell.place != Place::Majority {
            let (left, right) = everyone.split_at(shape.peers / 2);
            last.extend([left, right].map(|clique| 100.0 * network.mean_of(clique, &self.test)));
        }
        Ok(Found { curve, last, mean: 100.0 * score.mean(), worst: 100.0 * score.worst() })
    }

    fn network(&self, cell: &Cell) -> Result<Network<'_>, ReplicationError> {
        let (setup, shape, recipe) = (self.setup, self.shape(cell), &self.setup.training);
        let rule: Rule = parsed("rule", &cell.rule)?;
        let attack: Option<Attack> = if cell.attack == "none" { None } else { Some(parsed("attack", &cell.attack)?) };
        let params = self.model.initial(setup.seed);
        // What Byzantine peers send does not need training, and what they send depends on who hears it: two that
        // everybody hears are the same as two for everybody.
        let byzantine = attack.map_or(0, |_| shape.byzantine);
        let attacker = || Start { attack, ..Start::new(self.train.select(&[]), params.clone()) };
        let mut starts: Vec<Start> = self
            .parts(cell.place, shape)
            .into_iter()
            .map(|part| first(&part, recipe.rows_per_peer))
            .map(|rows| Start { validation: Some(first(&rows, recipe.probe_rows)), ..Start::new(rows, params.clone()) })
            .collect();
        starts.extend((0..byzantine).map(|_| attacker()));
        let training = Training {
            batch: recipe.batch,
            learning_rate: recipe.learning_rate,
            momentum: recipe.momentum,
            keep_momentum: true,
            order: if recipe.frozen { BatchOrder::Repeated } else { BatchOrder::Shuffled },
            ..Training::default()
        };
        let links = Links::Fixed(links(cell.place, shape, byzantine));
        let config = Lockstep {
            recipe: Recipe { training, rule, codec: Codec::F32, ..Recipe::default() },
            links,
            seed: setup.seed,
            ..Lockstep::default()
        };
        Ok(Network::new(&self.model, config, starts)?)
    }

    /// Rows of each honest peer.
    fn parts(&self, place: Place, shape: Shape) -> Vec<Dataset> {
        let mut parts = match place {
            Place::Majority | Place::DumbbellIid => assign(&self.train, shape.parts, self.setup.seed),
            Place::Dumbbell => {
                let half = self.train.classes() as u32 / 2;
                let clique = |low: bool| {
                    let rows: Vec<usize> =
                        (0..self.train.len()).filter(|&row| (self.train.labels()[row] < half) == low).collect();
                    assign(&self.train.select(&rows), shape.parts / 2, self.setup.seed)
                };
                [clique(true), clique(false)].concat()
            }
        };
        parts.truncate(shape.peers);
        parts
    }
}

/// For every peer whom it hears; Byzantine peers come after the honest.
fn links(place: Place, shape: Shape, byzantine: usize) -> Vec<Vec<(usize, f32)>> {
    let (peers, half) = (shape.peers, shape.peers / 2);
    let linked = |a: usize, b: usize| match place {
        Place::Majority => (a + 1) % peers == b || (b + 1) % peers == a,
        // The bridge is between the first and the last.
        Place::Dumbbell | Place::DumbbellIid => (a < half) == (b < half) || a.abs_diff(b) == peers - 1,
    };
    let heard = |a: usize| {
        let honest = (0..peers).filter(move |&b| a != b && linked(a, b));
        honest.chain(peers..peers + byzantine).map(|from| (from, shape.weight)).collect()
    };
    (0..peers).map(heard).chain((0..byzantine).map(|_| Vec::new())).collect()
}

fn row(cell: &Cell, iterations: u64, found: &Found, curve: Option<&Curve>) -> Vec<String> {
    let list = |values: &[f64]| match values {
        [] => "-".to_owned(),
        [one] => format!("{one:.2}"),
        [one, cliques @ ..] => {
            let cliques: Vec<String> = cliques.iter().map(|value| format!("{value:.2}")).collect();
            format!("{one:.2} ({})", cliques.join(" / "))
        }
    };
    let at_last = |curve: &Curve| curve.points.iter().find(|(x, _)| *x as u64 == iterations).map(|(_, y)| *y);
    // Curves of the dumbbell are of another number of workers.
    let theirs = match cell.place {
        Place::Majority => curve.and_then(at_last),
        Place::Dumbbell | Place::DumbbellIid => cell.theirs.first().copied().filter(|_| iterations == THEIR_END),
    };
    vec![
        cell.label().split(',').next().unwrap_or_default().to_owned(),
        cell.rule.clone(),
        cell.attack.clone(),
        iterations.to_string(),
        list(&cell.theirs),
        theirs.map_or("-".to_owned(), |theirs| format!("{theirs:.2}")),
        list(&found.last),
        theirs.map_or("-".to_owned(), |theirs| format!("{:+.2}", found.last[0] - theirs)),
        format!("{:.2}", found.mean),
        format!("{:.2}", found.worst),
    ]
}

/// Their curve of a cell, if the scenario names one.
fn their_curve(cell: &Cell, data: &Path) -> Result<Option<Curve>, ReplicationError> {
    let Some(wanted) = &cell.curve else { return Ok(None) };
    let (file, label) = match cell.place {
        Place::Majority => ("honest_majority", "theirs"),
        Place::Dumbbell | Place::DumbbellIid => ("dumbbell", "theirs, 20 workers"),
    };
    let path = data.join(format!("reference/clippedgossip/{file}.csv"));
    let text = std::fs::read_to_string(&path).map_err(|source| DataError::Io { path: path.clone(), source })?;
    // They count an epoch of 30 iterations by its first iteration and measure after its last.
    let point = |line: &str| {
        let mut cells = line.splitn(3, ',');
        let (x, y) = (cells.next()?.parse::<f64>().ok()?, cells.next()?.parse().ok()?);
        (cells.next()? == wanted).then_some((x + 30.0, y))
    };
    let points: Vec<(f64, f64)> = text.lines().filter_map(point).collect();
    Ok(Some(Curve { label: format!("{} ({label})", cell.label()), theirs: true, points }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn graphs_by_hand() {
        let shape = Shape { iterations: 1, peers: 4, byzantine: 2, parts: 4, weight: 0.1 };
        let heard = |place, byzantine, peer: usize| -> Vec<usize> {
            links(place, shape, byzantine)[peer].iter().map(|(from, _)| *from).collect()
        };
        assert_eq!(heard(Place::Majority, 2, 0), [1, 3, 4, 5]);
        assert!(heard(Place::Majority, 2, 4).is_empty());
        assert_eq!((heard(Place::Dumbbell, 0, 0), heard(Place::Dumbbell, 0, 1)), (vec![1, 3], vec![0]));
    }
}
