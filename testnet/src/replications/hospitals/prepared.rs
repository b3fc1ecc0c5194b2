//! The patients as FLamby gives them to models, and measuring models on them.

use std::path::Path;

use peerlearn_protocols::dataset::Dataset;
use peerlearn_sim::{Head, Initial, Mlp, Model, measure};

use super::{Method, Setup, learn};
use crate::data::{DataError, heart};
use crate::replications::ReplicationError;

/// What FLamby adds to every deviation.
const LEAST_DEVIATION: f64 = 1e-9;

/// Data and model.
pub(super) struct Prepared<'a> {
    pub setup: &'a Setup,
    pub model: Mlp,
    /// Training rows of every hospital, normalised by their own statistics.
    pub train: Vec<Dataset>,
    /// Test rows of every hospital, normalised by the training statistics of that hospital.
    test: Vec<Dataset>,
    /// All training rows, normalised by their common statistics.
    pub pooled_train: Dataset,
    /// All test rows, normalised by the common training statistics; so FLamby does it for every model.
    pooled_test: Dataset,
}

/// What one run measured.
pub(super) struct Found {
    pub pooled: f64,
    pub hospitals: Vec<f64>,
    /// Mean of hospitals after every round; empty without rounds.
    pub curve: Vec<f64>,
}

impl Found {
    /// Pooled test, every hospital, mean of hospitals.
    pub(super) fn accuracies(&self) -> Vec<f64> {
        let mean = self.hospitals.iter().sum::<f64>() / self.hospitals.len() as f64;
        [self.pooled].into_iter().chain(self.hospitals.iter().copied()).chain([mean]).collect()
    }
}

impl<'a> Prepared<'a> {
    pub(super) fn new(setup: &'a Setup, data: &Path) -> Result<Self, ReplicationError> {
        let hospitals = heart(data)?;
        let (raw_train, raw_test): (Vec<Dataset>, Vec<Dataset>) =
            hospitals.into_iter().map(|hospital| (hospital.train, hospital.test)).unzip();
        let own = |rows: &[Dataset]| {
            raw_train.iter().zip(rows).map(|(by, rows)| normalised(rows, by)).collect::<Result<_, _>>()
        };
        let (all_train, all_test) = (together(&raw_train)?, together(&raw_test)?);
        Ok(Self {
            setup,
            model: Mlp::new(all_train.width(), &[], 2, Head::Logistic, Initial::Torch)?,
            train: own(&raw_train)?,
            test: own(&raw_test)?,
            pooled_train: normalised(&all_train, &all_train)?,
            pooled_test: normalised(&all_test, &all_train)?,
        })
    }

    pub(super) fn hospitals(&self) -> usize {
        self.train.len()
    }

    /// Runs a method once.
    pub(super) fn learn(&self, method: &Method<'_>, seed: u64) -> Result<Found, ReplicationError> {
        match method {
            Method::Pooled => Ok(self.one_model(&learn::adam(self, &self.pooled_train, seed))),
            Method::Alone(hospital) => Ok(self.one_model(&learn::adam(self, &self.train[*hospital], seed))),
            Method::Peers(peers) => learn::peers(self, peers, seed),
            Method::Adaptive(outer) => Ok(learn::adaptive(self, outer, seed)),
        }
    }

    /// Measures one model everywhere.
    pub(super) fn one_model(&self, params: &[f32]) -> Found {
        self.own_models(&vec![params; self.hospitals()])
    }

    /// Measures the model of every hospital: on its own test rows, and their mean on those of all.
    pub(super) fn own_models(&self, models: &[&[f32]]) -> Found {
        let accuracy = |params: &[f32], rows: &Dataset| measure(&self.model as &dyn Model, params, rows).accuracy;
        let pooled = models.iter().map(|params| accuracy(params, &self.pooled_test)).sum::<f64>();
        Found {
            pooled: pooled / models.len() as f64,
            hospitals: models.iter().zip(&self.test).map(|(params, rows)| accuracy(params, rows)).collect(),
            curve: Vec::new(),
        }
    }

    /// Mean over hospitals of what their own models do on their own test rows.
    pub(super) fn mean_of_hospitals(&self, models: &[&[f32]]) -> f64 {
        let accuracy = |(params, rows): (&&[f32], &Dataset)| measure(&self.model, params, rows).accuracy;
        models.iter().zip(&self.test).map(accuracy).sum::<f64>() / models.len() as f64
    }
}

fn together(parts: &[Dataset]) -> Result<Dataset, ReplicationError> {
    let features = parts.iter().flat_map(Dataset::features).collect();
    let labels = parts.iter().flat_map(|part| part.labels().iter().copied()).collect();
    Ok(Dataset::new(parts[0].input().to_vec(), parts[0].classes(), features, labels).map_err(DataError::from)?)
}

/// Every column less its mean, over its sample deviation, both taken from `by`.
fn normalised(rows: &Dataset, by: &Dataset) -> Result<Dataset, ReplicationError> {
    let statistics: Vec<(f64, f64)> = (0..by.width())
        .map(|column| {
            let values = || (0..by.len()).map(|row| f64::from(by.row(row)[column]));
            let mean = values().sum::<f64>() / by.len() as f64;
            let variance = values().map(|value| (value - mean).powi(2)).sum::<f64>() / (by.len() - 1) as f64;
            (mean, variance.sqrt() + LEAST_DEVIATION)
        })
        .collect();
    let scale = |(value, (mean, deviation)): (&f32, &(f64, f64))| ((f64::from(*value) - mean) / deviation) as f32;
    let features = rows.features().iter().zip(statistics.iter().cycle()).map(scale).collect();
    Ok(rows.with_features(features).map_err(DataError::from)?)
}
