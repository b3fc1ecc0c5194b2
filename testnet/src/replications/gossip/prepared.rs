//! Data of one seed as gossipy partitions them, measuring, and our pulls.

use std::path::Path;

use peerlearn_protocols::dataset::Dataset;
use peerlearn_protocols::mixing::Rule;
use peerlearn_protocols::recipe::{self, Recipe, Training};
use peerlearn_sim::lockstep::{Links, Lockstep, Network, Start};
use peerlearn_sim::{Head, Initial, Mlp, Model, measure};
use rand::SeedableRng;
use rand::seq::{IteratorRandom, SliceRandom};
use rand_chacha::ChaCha8Rng;

use super::{Data, Experiment, Ours, Setup};
use crate::data::{DataError, Table, pendigits, spambase};
use crate::replications::{ReplicationError, assign};

/// Data and model of one experiment and seed.
pub(super) struct Prepared<'a> {
    pub setup: &'a Setup,
    pub experiment: &'a Experiment,
    pub seed: u64,
    pub model: Mlp,
    /// Rows of every node; with one class a node the last may have none.
    pub parts: Vec<Dataset>,
    test: Dataset,
}

/// What the watched nodes do at one checkpoint.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    pub accuracy: f64,
    pub auc: Option<f64>,
}

impl<'a> Prepared<'a> {
    pub(super) fn new(
        setup: &'a Setup,
        experiment: &'a Experiment,
        data: &Path,
        seed: u64,
    ) -> Result<Self, ReplicationError> {
        let (train, test) = match experiment.data {
            Data::Spambase => {
                let table = spambase(data)?;
                split(&standardised(&table, &table)?, setup.test_share, seed)
            }
            Data::Pendigits => {
                let (train, test) = pendigits(data)?;
                (standardised(&train, &train)?, standardised(&test, &train)?)
            }
        };
        let parts =
            if experiment.one_class { shards(&train, setup.nodes, seed) } else { assign(&train, setup.nodes, seed) };
        let model = Mlp::new(train.width(), &[], train.classes(), Head::SigmoidSoftmax, Initial::Torch)?;
        Ok(Self { setup, experiment, seed, model, parts, test })
    }

    /// Measures some random nodes after a round.
    pub(super) fn mark(&self, round: u64, models: &[&[f32]]) -> Mark {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed ^ round << 16);
        let watched = models.iter().sample(&mut rng, self.setup.watched);
        let accuracy: f64 = watched.iter().map(|params| measure(&self.model, params, &self.test).accuracy).sum();
        let count = watched.len() as f64;
        let auc = (self.test.classes() == 2)
            .then(|| watched.iter().map(|params| self.auc_of_class_one(params)).sum::<f64>() / count);
        Mark { accuracy: accuracy / count, auc }
    }

    /// gossipy ranks by the score of class 1 alone; with class 0 silenced, so does [`measure`].
    fn auc_of_class_one(&self, params: &[f32]) -> f64 {
        let mut params = params.to_vec();
        params[..self.test.width()].fill(0.0);
        let first_bias = self.test.width() * self.test.classes();
        params[first_bias] = 0.0;
        measure(&self.model, &params, &self.test).auc
    }

    /// The experiment our way: a round is about one pass over the rows of a node, then models are pulled.
    pub(super) fn pull(&self, ours: &Ours) -> Result<Vec<Mark>, ReplicationError> {
        let (setup, experiment) = (self.setup, self.experiment);
        let rows = self.parts[0].len();
        let steps = rows.div_ceil(setup.batch);
        let (online, loss) = match ours.same_arrivals {
            true => (1.0, 1.0 - experiment.online * (1.0 - experiment.loss)),
            false => (experiment.online, experiment.loss),
        };
        let training = Training {
            steps: steps as u32,
            batch: rows.div_ceil(steps),
            learning_rate: experiment.learning_rate,
            weight_decay: setup.weight_decay,
            control_variate: ours.control_variate,
            outer: ours.outer.map(|(rate, momentum)| recipe::Outer { rate, momentum }),
            ..Training::default()
        };
        let links = Links::fresh(ours.fan_out);
        let recipe = Recipe { training, rule: Rule::AgeLimited, codec: ours.codec(), ..Recipe::default() };
        let config = Lockstep { recipe, links, loss, online, seed: self.seed };
        let params = self.model.initial(self.seed);
        let start = |rows: &Dataset| Start::new(rows.clone(), params.clone());
        let mut network = Network::new(&self.model, config, self.parts.iter().map(start).collect())?;
        let mut marks = Vec::new();
        for round in experiment.checkpoints(setup) {
            while network.rounds() < round {
                network.round()?;
            }
            marks.push(self.mark(round, &network.honest().collect::<Vec<_>>()));
        }
        Ok(marks)
    }
}

/// Every column less its mean, over its deviation, both taken from `by`.
fn standardised(table: &Table, by: &Table) -> Result<Dataset, DataError> {
    let column = |column: usize| {
        let values = || (0..by.len()).map(move |row| by.row(row)[column]);
        let mean = values().sum::<f64>() / by.len() as f64;
        let variance = values().map(|value| (value - mean).powi(2)).sum::<f64>() / by.len() as f64;
        (mean, variance.sqrt().max(f64::MIN_POSITIVE))
    };
    let statistics: Vec<(f64, f64)> = (0..by.width).map(column).collect();
    let scaled = table.features.iter().zip(statistics.iter().cycle());
    let features = scaled.map(|(value, (mean, deviation))| ((value - mean) / deviation) as f32).collect();
    Ok(table.rows()?.with_features(features)?)
}

/// Shuffled rows, the last share of them to be measured on.
fn split(rows: &Dataset, test_share: f64, seed: u64) -> (Dataset, Dataset) {
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.shuffle(&mut ChaCha8Rng::seed_from_u64(seed ^ 0x5eed));
    let (train, test) = order.split_at(rows.len() - (rows.len() as f64 * test_share).round() as usize);
    (rows.select(train), rows.select(test))
}

/// Rows sorted by label and cut in equal pieces, the last shorter or empty, partitioned at random.
fn shards(rows: &Dataset, nodes: usize, seed: u64) -> Vec<Dataset> {
    let mut order: Vec<usize> = (0..rows.len()).collect();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    order.shuffle(&mut rng);
    order.sort_by_key(|&row| rows.labels()[row]);
    let size = rows.len().div_ceil(nodes);
    let piece = |node: usize| &order[(node * size).min(order.len())..((node + 1) * size).min(order.len())];
    let mut parts: Vec<Dataset> = (0..nodes).map(|node| rows.select(piece(node))).collect();
    parts.shuffle(&mut rng);
    parts
}
