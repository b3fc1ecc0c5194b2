//! The learner of a node in an experiment: one that can be held still, and one that lies.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

use peerlearn::data::Dataset;
use peerlearn::learner::{Evaluation, LearnError, Learner, TrainPlan, TrainReport};
use peerlearn_protocols::params::Layout;
use peerlearn_sim::attack::{Attack, Attacker};

/// Holds training still while it is closed. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct TrainingGate(Arc<(Mutex<bool>, Condvar)>);

impl TrainingGate {
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

/// A learner that waits at a gate before it trains and, where it attacks, offers others what its [`Attacker`] says.
pub struct Experimental {
    inner: Box<dyn Learner>,
    attacker: Option<Attacker>,
    gate: TrainingGate,
}

impl Experimental {
    /// Wraps a learner.
    pub fn new(inner: Box<dyn Learner>, attack: Option<Attack>, gate: TrainingGate) -> Self {
        Self { inner, attacker: attack.map(|attack| Attacker::new(attack, 0)), gate }
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

    fn offered(&mut self, params: &[f32]) -> Option<Vec<f32>> {
        self.attacker.as_mut().map(|attacker| attacker.offered(params))
    }

    fn observes(&self) -> bool {
        self.attacker.as_ref().is_some_and(Attacker::observes)
    }

    fn observe(&mut self, own: &[f32], models: &[Vec<f32>]) {
        self.attacker.iter_mut().for_each(|attacker| attacker.observe(own, models));
    }
}
