//! One peer's learning in a simulation: a [`Model`] over its own rows, behind the recipe's [`Trainer`].

use peerlearn_protocols::dataset::Dataset;
use peerlearn_protocols::recipe::{Batches, Descent, TrainPlan, TrainReport, Trainer, Training, probe_rows};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::Model;
use super::attack::Attacker;

/// What a simulated peer trains with; the parameters are its [`peerlearn_protocols::recipe::ModelState`]'s.
#[derive(Debug, Clone)]
pub struct FlatTrainer {
    rows: Dataset,
    probes: Dataset,
    batches: Batches,
    descent: Descent,
    /// For models with dropout.
    noise: ChaCha8Rng,
    /// Set for one that publishes lies.
    attacker: Option<Box<Attacker>>,
}

impl FlatTrainer {
    /// Trains on `rows`; models of others are tried on `validation`, or without any on `rows`. `seed` as that of the
    /// model state, which decides minibatches.
    pub fn new(rows: Dataset, validation: Option<&Dataset>, training: &Training, seed: u64) -> Self {
        Self {
            probes: probe_rows(&rows, validation),
            batches: Batches::new(rows.len(), training.batch, training.order, seed),
            descent: Descent::default(),
            noise: ChaCha8Rng::seed_from_u64(seed ^ NOISE),
            attacker: None,
            rows,
        }
    }

    /// Publishes what an attacker says in place of the model.
    pub fn with_attacker(self, attacker: Option<Attacker>) -> Self {
        Self { attacker: attacker.map(Box::new), ..self }
    }

    /// The rows trained on.
    pub fn rows(&self) -> &Dataset {
        &self.rows
    }

    /// Whether it publishes lies.
    pub fn attacks(&self) -> bool {
        self.attacker.is_some()
    }

    /// Forgets what belongs to a running process: momentum, and what an attacker saw.
    pub fn restart(&mut self) {
        self.descent = Descent::default();
        self.attacker.iter_mut().for_each(|attacker| attacker.forget());
    }

    /// The trainer of a model.
    pub fn of<'a>(&'a mut self, model: &'a dyn Model) -> impl Trainer<Error = std::convert::Infallible> + 'a {
        Bound { model, flat: self }
    }
}

/// Keeps the draws of dropout apart from those of minibatches.
const NOISE: u64 = 0x6e6f_6973_6521_2121;

struct Bound<'a> {
    model: &'a dyn Model,
    flat: &'a mut FlatTrainer,
}

impl Trainer for Bound<'_> {
    type Error = std::convert::Infallible;

    fn train(&mut self, params: &mut [f32], plan: &TrainPlan<'_>) -> Result<TrainReport, Self::Error> {
        let FlatTrainer { rows, batches, descent, noise, .. } = &mut *self.flat;
        Ok(descent.train(params, plan, batches, |params, batch, gradient| {
            self.model.gradient(params, rows, batch, noise, gradient)
        }))
    }

    fn loss(&mut self, params: &[f32]) -> f32 {
        let probes = &self.flat.probes;
        if probes.is_empty() {
            return f32::NAN;
        }
        let batch: Vec<usize> = (0..probes.len()).collect();
        let mut gradient = vec![0.0; params.len()];
        self.model.gradient(params, probes, &batch, &mut self.flat.noise.clone(), &mut gradient)
    }

    fn offered(&mut self, params: &[f32]) -> Option<Vec<f32>> {
        self.flat.attacker.as_mut().map(|attacker| attacker.offered(params))
    }

    fn observes(&self) -> bool {
        self.flat.attacker.as_ref().is_some_and(|attacker| attacker.observes())
    }

    fn observe(&mut self, own: &[f32], models: &[Vec<f32>]) {
        self.flat.attacker.iter_mut().for_each(|attacker| attacker.observe(own, models));
    }
}
