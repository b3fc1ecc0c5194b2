//! Epidemic Learning (de Vos et al. 2023, NeurIPS, "Boosting Decentralized Learning with Randomized Communication")
//! against static graphs and sequences of graphs: who learns more from the same bytes.

use std::path::Path;

use peerlearn_protocols::codec::Codec;
use peerlearn_protocols::dataset::Dataset;
use peerlearn_protocols::mixing::Rule;
use peerlearn_protocols::params::ParamsError;
use peerlearn_protocols::recipe::{Recipe, Training};
use peerlearn_protocols::sampling::Graph;
use peerlearn_sim::lockstep::{Links, Lockstep, Network, Score, Start};
use peerlearn_sim::{Head, Initial, Mlp, Model};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::Deserialize;

use super::{Axes, Curve, Replication, ReplicationError, Report, Run, spread};
use crate::data::{DataError, Table, optdigits};

/// See the module.
pub(super) const REPLICATION: Replication = Replication {
    name: "epidemic",
    about: "Epidemic Learning: fresh draws against graphs at equal bytes (de Vos et al. 2023)",
    run,
};

/// Largest value of a feature of the digits.
const INK: f32 = 16.0;
/// Of so many test rows one is watched while peers learn; the others give the final accuracy.
const WATCHED: usize = 6;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Setup {
    peers: usize,
    shards: usize,
    hidden: Vec<usize>,
    steps: u32,
    batch: usize,
    rates: Vec<f32>,
    rate_variants: Vec<Variant>,
    rate_seeds: Vec<u64>,
    seeds: Vec<u64>,
    models: f64,
    points: u32,
    targets: Vec<f64>,
    pooled_rounds: u64,
    alone_rounds: u64,
    pictured: Vec<String>,
    variants: Vec<Variant>,
}

/// A row: who hears whom, and in which codec.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
struct Variant {
    label: String,
    links: Links,
    rule: Rule,
    codec: Codec,
}

impl TryFrom<String> for Variant {
    type Error = String;

    fn try_from(label: String) -> Result<Self, String> {
        let (links, codec) = label.split_once(' ').ok_or_else(|| format!("{label:?} is not LINKS CODEC"))?;
        let codec = codec.parse().map_err(|error| format!("{error}"))?;
        let (links, rule) = match links.strip_prefix("fresh:") {
            Some(count) => (Links::fresh(count.parse().map_err(|error| format!("{label:?}: {error}"))?), Rule::Uniform),
            None => (Links::Graph(links.parse::<Graph>().map_err(|error| error.to_string())?), Rule::Metropolis),
        };
        Ok(Self { links, rule, codec, label })
    }
}

/// What all variants share.
struct Prepared {
    setup: Setup,
    model: Mlp,
    train: Dataset,
    watched: Dataset,
    judged: Dataset,
}

/// One run of one variant.
struct Trial {
    /// Rounds, bytes a peer has heard, mean accuracy on the watched rows.
    points: Vec<(f64, f64, f64)>,
    score: Score,
    rounds: u64,
    bytes: f64,
}

/// Runs it.
///
/// # Errors
/// No data, a wrong scenario, or a step size at which models stop being finite.
fn run(run: &Run) -> Result<Report, ReplicationError> {
    let setup: Setup = run.scenario.setup()?;
    let (train, test) = digits(&run.data)?;
    let model = Mlp::new(train.width(), &setup.hidden, train.classes(), Head::Softmax, Initial::He)?;
    let of_test = |watched: bool| {
        let rows: Vec<usize> = (0..test.len()).filter(|row| (row % WATCHED == 0) == watched).collect();
        test.select(&rows)
    };
    let prepared = Prepared { watched: of_test(true), judged: of_test(false), setup, model, train };
    let (rate, mut rows) = best_rate(&prepared)?;
    let mut report = Report { title: prepared.title(rate), columns: prepared.columns(), rows: vec![], ..blank() };
    rows.extend(prepared.references(rate)?);
    for variant in prepared.setup.variants.iter().filter(|variant| run.wants(&variant.label)) {
        let trials = prepared.setup.seeds.iter().map(|&seed| prepared.trial(variant, rate, seed));
        let trials = trials.collect::<Result<Vec<Trial>, _>>()?;
        report.rows.push(prepared.row(&variant.label, &trials));
        eprintln!("{}", report.rows.last().map(|row| row.join(" | ")).unwrap_or_default());
        if prepared.setup.pictured.contains(&variant.label) {
            report.curves.push(curve(variant, &trials));
        }
    }
    report.rows.extend(rows);
    Ok(report)
}

fn blank() -> Report {
    let axes = Axes { x: "kB received a peer".into(), y: "mean accuracy, %".into(), log_x: true };
    Report { title: String::new(), columns: vec![], rows: vec![], curves: vec![], axes }
}

/// The digits, scaled to 0 to 1: rows to learn from and rows to be measured on.
pub(super) fn digits(data: &Path) -> Result<(Dataset, Dataset), DataError> {
    let scaled = |table: Table| {
        let rows = table.rows()?;
        let features = rows.features().iter().map(|value| value / INK).collect();
        Ok::<_, DataError>(rows.with_features(features)?)
    };
    let (train, test) = optdigits(data)?;
    Ok((scaled(train)?, scaled(test)?))
}

/// Rows sorted by label, cut into equal shards, and so many shards partitioned to every peer (McMahan et al. 2017).
fn shards(rows: &Dataset, peers: usize, each: usize, seed: u64) -> Vec<Dataset> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.shuffle(&mut rng);
    order.sort_by_key(|&row| rows.labels()[row]);
    let mut shards: Vec<&[usize]> = order.chunks_exact(rows.len() / (peers * each)).take(peers * each).collect();
    shards.shuffle(&mut rng);
    shards.chunks_exact(each).map(|own| rows.select(&own.concat())).collect()
}

/// The step size with the best mean over some variants and seeds, and a row for everything tried.
///
/// # Errors
/// At the first step size, which should be the smallest, models stopped being finite.
fn best_rate(prepared: &Prepared) -> Result<(f32, Vec<Vec<String>>), ReplicationError> {
    let (mut best, mut rows) = (None, Vec::new());
    for &rate in &prepared.setup.rates {
        match (best, tried(prepared, rate)) {
            (None, Err(error)) => return Err(error.into()),
            // Too large a step size is no candidate.
            (Some(_), Err(_)) => {
                let empty = prepared.columns().into_iter().skip(2).map(|_| String::new());
                rows.push([format!("step size {rate}"), "diverged".to_owned()].into_iter().chain(empty).collect());
            }
            (_, Ok((sum, more))) => {
                rows.extend(more);
                best = best.filter(|(most, _)| *most >= sum).or(Some((sum, rate)));
            }
        }
    }
    Ok((best.map_or(0.0, |(_, rate)| rate), rows))
}

/// The sum of what all variants reach with a step size, and a row each.
fn tried(prepared: &Prepared, rate: f32) -> Result<(f64, Vec<Vec<String>>), ParamsError> {
    let (mut sum, mut rows) = (0.0, Vec::new());
    for variant in &prepared.setup.rate_variants {
        let trials = prepared.setup.rate_seeds.iter().map(|&seed| prepared.trial(variant, rate, seed));
        let trials = trials.collect::<Result<Vec<Trial>, _>>()?;
        // The last watched accuracy: the rows of the final accuracy choose nothing.
        sum += trials.iter().filter_map(|trial| trial.points.last()).map(|point| point.2).sum::<f64>();
        rows.push(prepared.row(&format!("{}, step size {rate}", variant.label), &trials));
    }
    Ok((sum, rows))
}

impl Prepared {
    fn title(&self, rate: f32) -> String {
        let Setup { peers, shards, models, seeds, .. } = &self.setup;
        format!(
            "Optical digits, {peers} peers with {shards} shards each, {models} f32 models received a peer, step size \
             {rate}, {} seeds",
            seeds.len()
        )
    }

    fn columns(&self) -> Vec<String> {
        let fixed = ["links and codec", "rounds", "kB a peer", "mean %", "worst peer %", "mean model %"];
        let of_target = |target: &f64| [format!("rounds to {target} %"), format!("kB to {target} %")];
        fixed.map(String::from).into_iter().chain(self.setup.targets.iter().flat_map(of_target)).collect()
    }

    fn network(&self, config: Lockstep, parts: Vec<Dataset>) -> Result<Network<'_>, ParamsError> {
        let params = self.model.initial(config.seed);
        let starts = parts.into_iter().map(|rows| Start::new(rows, params.clone()));
        Network::new(&self.model, config, starts.collect())
    }

    fn config(&self, rate: f32, seed: u64) -> Lockstep {
        let Setup { steps, batch, .. } = self.setup;
        let training = Training { steps, batch, learning_rate: rate, ..Training::default() };
        let links = Links::Fixed(vec![vec![]; self.setup.peers]);
        Lockstep {
            recipe: Recipe { training, rule: Rule::Uniform, codec: Codec::F32, ..Recipe::default() },
            links,
            seed,
            ..Lockstep::default()
        }
    }

    /// Learns until the bytes are spent.
    fn trial(&self, variant: &Variant, rate: f32, seed: u64) -> Result<Trial, ParamsError> {
        let links = match &variant.links {
            Links::Graph(Graph::RandomRegular { degree, .. }) => {
                Links::Graph(Graph::RandomRegular { degree: *degree, seed })
            }
            links => links.clone(),
        };
        let Lockstep { recipe, .. } = self.config(rate, seed);
        let recipe = Recipe { rule: variant.rule, codec: variant.codec, ..recipe };
        let config = Lockstep { links, recipe, ..self.config(rate, seed) };
        let mut network = self.network(config, shards(&self.train, self.setup.peers, self.setup.shards, seed))?;
        let budget = self.setup.models * 4.0 * self.model.layout().len() as f64;
        // Closer together at the start, where accuracy rises fast.
        let due = |point: u32| budget * (f64::from(point) / f64::from(self.setup.points)).powi(2);
        let (mut points, mut next) = (Vec::new(), 1);
        loop {
            network.round()?;
            let (bytes, rounds) = (network.bytes() as f64 / self.setup.peers as f64, network.rounds());
            // Another round like the mean of those before would spend more than there is; headers are let through.
            let ends = bytes * (1.0 + 1.0 / rounds as f64) > 1.01 * budget;
            if bytes >= due(next) || ends {
                points.push((rounds as f64, bytes, 100.0 * network.score(&self.watched).mean()));
                next += (next..).take_while(|&point| due(point) <= bytes).count() as u32;
            }
            if ends {
                return Ok(Trial { points, score: network.score(&self.judged), rounds, bytes });
            }
        }
    }

    /// Everyone alone, and one that has all rows.
    fn references(&self, rate: f32) -> Result<Vec<Vec<String>>, ReplicationError> {
        let kinds = [("everyone alone", self.setup.alone_rounds), ("all rows in one place", self.setup.pooled_rounds)];
        let trial = |pooled: bool, rounds: u64, seed: u64| -> Result<Trial, ParamsError> {
            let apart = || shards(&self.train, self.setup.peers, self.setup.shards, seed);
            let parts = if pooled { vec![self.train.clone()] } else { apart() };
            let links = Links::Fixed(vec![vec![]; parts.len()]);
            let mut network = self.network(Lockstep { links, ..self.config(rate, seed) }, parts)?;
            (0..rounds).try_for_each(|_| network.round())?;
            Ok(Trial { points: vec![], score: network.score(&self.judged), rounds, bytes: 0.0 })
        };
        let row = |(index, (label, rounds)): (usize, (&str, u64))| {
            let trials = self.setup.seeds.iter().map(|&seed| trial(index == 1, rounds, seed));
            let mut row = self.row(label, &trials.collect::<Result<Vec<Trial>, _>>()?);
            row.iter_mut().skip(6).for_each(|cell| "".clone_into(cell));
            Ok(row)
        };
        kinds.into_iter().enumerate().map(row).collect()
    }

    fn row(&self, label: &str, trials: &[Trial]) -> Vec<String> {
        let over = |value: fn(&Trial) -> f64, digits| spread(&trials.iter().map(value).collect::<Vec<_>>(), digits);
        let mut row = vec![
            label.to_owned(),
            over(|trial| trial.rounds as f64, 0).replace(" ± 0", ""),
            over(|trial| trial.bytes / 1e3, 0).replace(" ± 0", ""),
            over(|trial| 100.0 * trial.score.mean(), 1),
            over(|trial| 100.0 * trial.score.worst(), 1),
            over(|trial| 100.0 * trial.score.mean_model, 1),
        ];
        for &target in &self.setup.targets {
            let reached: Vec<(f64, f64)> = trials.iter().filter_map(|trial| reached(&trial.points, target)).collect();
            let cell = |values: Vec<f64>| match values.len() {
                0 => "never".to_owned(),
                all if all == trials.len() => spread(&values, 0),
                some => format!("{} ({some} of {})", spread(&values, 0), trials.len()),
            };
            row.push(cell(reached.iter().map(|at| at.0).collect()));
            row.push(cell(reached.iter().map(|at| at.1 / 1e3).collect()));
        }
        row
    }
}

/// Rounds and bytes at which an accuracy was first reached, on the line between the points around it.
fn reached(points: &[(f64, f64, f64)], target: f64) -> Option<(f64, f64)> {
    let index = points.iter().position(|point| point.2 >= target)?;
    let (rounds, bytes, accuracy) = points[index];
    let Some(&(rounds_before, bytes_before, before)) = index.checked_sub(1).and_then(|index| points.get(index)) else {
        return Some((rounds, bytes));
    };
    let part = (target - before) / (accuracy - before);
    Some((rounds_before + part * (rounds - rounds_before), bytes_before + part * (bytes - bytes_before)))
}

/// The mean of the trials; all have their points at the same bytes.
fn curve(variant: &Variant, trials: &[Trial]) -> Curve {
    let length = trials.iter().map(|trial| trial.points.len()).min().unwrap_or(0);
    let mean = |at: usize, value: fn(&(f64, f64, f64)) -> f64| {
        trials.iter().map(|trial| value(&trial.points[at])).sum::<f64>() / trials.len() as f64
    };
    let points = (0..length).map(|at| (mean(at, |point| point.1 / 1e3), mean(at, |point| point.2))).collect();
    Curve { label: variant.label.clone(), theirs: false, points }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_hold_few_labels_and_every_row_once() {
        let features = (0..1000).map(|n| n as f32).collect();
        let rows = Dataset::new(vec![1], 10, features, (0..1000).map(|n| n % 10).collect()).unwrap();
        let parts = shards(&rows, 25, 2, 7);
        let mut all: Vec<i32> =
            parts.iter().flat_map(|part| part.features().into_iter().map(|row| row as i32)).collect();
        all.sort_unstable();
        assert_eq!(all, (0..1000).collect::<Vec<_>>());
        for part in parts {
            let mut labels = part.labels().to_vec();
            labels.sort_unstable();
            labels.dedup();
            assert!(labels.len() <= 2 && part.len() == 40, "{labels:?}");
        }
    }

    #[test]
    fn an_accuracy_is_reached_between_points() {
        let points = [(1.0, 10.0, 40.0), (3.0, 30.0, 60.0), (5.0, 50.0, 50.0)];
        assert_eq!(reached(&points, 50.0), Some((2.0, 20.0)));
        assert_eq!((reached(&points, 30.0), reached(&points, 61.0)), (Some((1.0, 10.0)), None));
    }

    #[test]
    fn variants_are_links_and_a_codec() {
        let variant = Variant::try_from("regular:4 int8".to_owned()).unwrap();
        assert_eq!((variant.rule, variant.codec), (Rule::Metropolis, Codec::Int8));
        for wrong in ["ring", "fresh:x f32", "ring f31", "circle f32"] {
            assert!(Variant::try_from(wrong.to_owned()).is_err(), "{wrong}");
        }
    }
}
