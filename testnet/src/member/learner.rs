//! The learner of a node in an experiment: one that can be held still, and one that lies.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

use peerlearn::data::{DataError, Dataset};
use peerlearn::learner::{Evaluation, LearnError, Learner, TrainPlan, TrainReport};
use peerlearn_protocols::params::Layout;
use peerlearn_sim::attack::{Attack, Sight};

/// Holds training still while it is closed. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    /// Closes or opens it.
    pub fn set(&self, closed: bool) {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner) = closed;
        self.0.1.notify_all();
    }

    fn pass(&self) {
        let closed = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.0.1.wait_while(closed, |closed| *closed));
    }
}

/// A learner that waits at a gate before it trains and, where it attacks, offers others what hurts them.
///
/// An attacker sees what a peer can see: its own model, and those it pulled in its last round. All who pull from it get the
/// same lie, because models are named by their hash.
pub struct Experimental {
    inner: Box<dyn Learner>,
    attack: Option<Attack>,
    gate: Gate,
    own: Vec<f32>,
    heard: Vec<Vec<f32>>,
    lies: u64,
}

impl Experimental {
    /// Wraps a learner.
    pub fn new(inner: Box<dyn Learner>, attack: Option<Attack>, gate: Gate) -> Self {
        Self { inner, attack, gate, own: Vec::new(), heard: Vec::new(), lies: 0 }
    }
}

impl Learner for Experimental {
    fn layout(&self) -> &Layout {
        self.inner.layout()
    }

    fn read(&self, out: &mut [f32]) {
        self.inner.read(out);
    }

    fn write(&mut self, params: &[f32]) -> Result<(), LearnError> {
        self.inner.write(params)
    }

    fn train(&mut self, data: &Dataset, plan: &TrainPlan<'_>) -> Result<TrainReport, LearnError> {
        self.gate.pass();
        self.inner.train(data, plan)
    }

    fn evaluate(&mut self, data: &Dataset) -> Result<Evaluation, LearnError> {
        self.inner.evaluate(data)
    }

    fn predict(&mut self, features: &[f32]) -> Result<Vec<f32>, LearnError> {
        self.inner.predict(features)
    }

    fn offered(&mut self, params: Vec<f32>) -> Vec<f32> {
        let Some(attack) = self.attack else { return params };
        self.lies += 1;
        let weight = 1.0 / (self.heard.len() + 1) as f32;
        let honest: Vec<(f32, &[f32])> = self.heard.iter().map(|model| (weight, &model[..])).collect();
        let victim = if self.own.is_empty() { &params } else { &self.own };
        attack.answer(&Sight { victim, honest: &honest, own: &params, weight }, self.lies)
    }

    fn is_listening(&self) -> bool {
        self.attack.is_some()
    }

    fn heard(&mut self, own: &[f32], models: &[Vec<f32>]) {
        self.own = own.to_vec();
        self.heard = models.to_vec();
    }
}

/// Rows with every label c - 1 - y.
pub(super) fn with_wrong_labels(rows: &Dataset) -> Result<Dataset, DataError> {
    let last = rows.classes() as u32 - 1;
    let labels = rows.labels().iter().map(|label| last - label).collect();
    rows.with_labels(labels)
}
