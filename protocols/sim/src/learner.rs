//! One peer's learning: the same recipe as a node's, over a [`Model`].

use peerlearn_protocols::drift::{ControlVariate, MovingAverage, OuterNesterov, clip_scale, normalise};
use rand::RngExt;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::{Model, Rows};

/// How peers train.
#[derive(Debug, Clone, PartialEq)]
pub struct Training {
    /// Minibatch steps a round.
    pub steps: u32,
    /// Rows a minibatch.
    pub batch: usize,
    /// How minibatches are drawn.
    pub order: Order,
    /// Step size at the first round.
    pub learning_rate: f32,
    /// How the step size falls.
    pub decay: Decay,
    /// L2 weight decay added to the gradient.
    pub weight_decay: f32,
    /// Momentum of the local optimizer.
    pub momentum: f32,
    /// Whether momentum lives on from round to round (D-PSGD with momentum) or starts anew (a node's way).
    pub keep_momentum: bool,
    /// Largest norm of a minibatch gradient; a longer one is scaled down to it. 0 is off.
    pub clip_norm: f32,
    /// FedProx.
    pub proximal: f32,
    /// Damping of the control variate; 0 is off.
    pub control_variate: f32,
    /// Outer Nesterov: rate and momentum.
    pub outer: Option<(f32, f32)>,
    /// Steps to normalise to; 0 is off.
    pub reference_steps: u32,
    /// Decay of the moving average of the own models; 0 is off.
    pub moving_average: f32,
}

impl Default for Training {
    /// One step of plain SGD.
    fn default() -> Self {
        Self {
            steps: 1,
            batch: 32,
            order: Order::Shuffled,
            learning_rate: 0.1,
            decay: Decay::Constant,
            weight_decay: 0.0,
            momentum: 0.0,
            keep_momentum: false,
            clip_norm: 0.0,
            proximal: 0.0,
            control_variate: 0.0,
            outer: None,
            reference_steps: 0,
            moving_average: 0.0,
        }
    }
}

/// How minibatches are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Every row once, shuffled, then again.
    Shuffled,
    /// So many consecutive rows from a random start.
    Consecutive,
    /// Every row once, as they lie, then again in the same order.
    Repeated,
}

/// How a step size falls with the round, counted from 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Decay {
    /// Not at all.
    Constant,
    /// eta / (1 + round / this), never below a twentieth: a node's way.
    Halving(f32),
    /// eta / (1 + this round).
    Harmonic(f32),
}

impl Decay {
    /// What to multiply the step size with.
    pub fn factor(self, round: u64) -> f32 {
        match self {
            Decay::Constant => 1.0,
            Decay::Halving(rounds) => (1.0 / (1.0 + round as f32 / rounds)).max(0.05),
            Decay::Harmonic(slope) => 1.0 / (1.0 + slope * round as f32),
        }
    }
}

/// Model parameters, data and drift state of one peer.
#[derive(Debug, Clone)]
pub struct SimLearner {
    /// The parameters, `[parameters]`.
    pub params: Vec<f32>,
    /// Sample-steps over the ancestry of the parameters.
    pub age: u64,
    /// The rows trained on.
    pub rows: Rows,
    rng: ChaCha8Rng,
    order: Vec<u32>,
    next: usize,
    velocity: Vec<f32>,
    variate: ControlVariate,
    average: MovingAverage,
    outer: Option<OuterNesterov>,
    distance: f32,
    schedule: u64,
}

impl SimLearner {
    /// A learner that has learnt nothing. Shapes: `params: [parameters]`.
    pub fn new(params: Vec<f32>, rows: Rows, training: &Training, seed: u64) -> Self {
        Self {
            age: 0,
            rng: ChaCha8Rng::seed_from_u64(seed),
            order: (0..rows.len() as u32).collect(),
            next: usize::MAX,
            velocity: Vec::new(),
            variate: ControlVariate::new(training.control_variate, params.len()),
            average: MovingAverage::new(training.moving_average, &params),
            outer: training.outer.map(|(rate, momentum)| OuterNesterov::new(rate, momentum, &params)),
            distance: 0.0,
            schedule: 0,
            rows,
            params,
        }
    }

    /// Trains the steps of one round; a peer without rows does not train. Gives the mean loss.
    pub fn train(&mut self, model: &dyn Model, training: &Training) -> f32 {
        if self.rows.is_empty() || training.steps == 0 {
            return 0.0;
        }
        let rate = training.learning_rate * training.decay.factor(self.schedule);
        let changes_start = training.proximal > 0.0 || training.reference_steps > 0;
        let start = if changes_start { self.params.clone() } else { Vec::new() };
        if training.momentum > 0.0 && (!training.keep_momentum || self.velocity.is_empty()) {
            self.velocity.clear();
            self.velocity.resize(self.params.len(), 0.0);
        }
        let mut gradient = vec![0.0; self.params.len()];
        let mut loss = 0.0;
        for _ in 0..training.steps {
            let batch = self.batch(training);
            self.age += batch.len() as u64;
            loss += model.gradient(&self.params, &self.rows, &batch, &mut self.rng, &mut gradient);
            self.step(training, rate, &start, &gradient);
        }
        normalise(&mut self.params, &start, training.steps, training.reference_steps, training.momentum);
        self.schedule += 1;
        self.distance += rate * training.steps as f32 / (1.0 - training.momentum);
        loss / training.steps as f32
    }

    fn step(&mut self, training: &Training, rate: f32, start: &[f32], gradient: &[f32]) {
        let scale = match training.clip_norm > 0.0 {
            true => clip_scale(norm(gradient), training.clip_norm),
            false => 1.0,
        };
        let correction = self.variate.correction();
        for (at, value) in self.params.iter_mut().enumerate() {
            let mut direction = scale * gradient[at] + training.weight_decay * *value;
            direction += correction.map_or(0.0, |correction| correction[at]);
            if training.proximal > 0.0 {
                direction += training.proximal * (*value - start[at]);
            }
            if training.momentum > 0.0 {
                self.velocity[at] = training.momentum * self.velocity[at] + direction;
                direction = self.velocity[at];
            }
            *value -= rate * direction;
        }
    }

    /// Like a node's: a batch that reaches the end of a pass is filled from the next one.
    fn batch(&mut self, training: &Training) -> Vec<usize> {
        let (rows, size) = (self.rows.len(), training.batch.min(self.rows.len()));
        if training.order == Order::Consecutive {
            let start = self.rng.random_range(0..=rows - size);
            return (start..start + size).collect();
        }
        (0..size)
            .map(|_| {
                if self.next >= rows {
                    if training.order == Order::Shuffled {
                        rand::seq::SliceRandom::shuffle(&mut self.order[..], &mut self.rng);
                    }
                    self.next = 0;
                }
                self.next += 1;
                self.order[self.next - 1] as usize
            })
            .collect()
    }

    /// What the peer answers with: the moving average of its models, or without one the newest. Shapes: `[parameters]`.
    pub fn answer(&self) -> &[f32] {
        self.average.values().unwrap_or(&self.params)
    }

    /// The local model before a mix, where something must be learnt from the change.
    pub fn before_mix(&self) -> Option<Vec<f32>> {
        self.variate.correction().map(|_| self.params.clone())
    }

    /// Takes note of a mix that has replaced the parameters.
    pub fn after_mix(&mut self, local: Option<Vec<f32>>, age: u64, was_behind: bool, alone: bool) {
        if was_behind {
            self.variate.reset();
            self.outer.iter_mut().for_each(|outer| outer.reset(&self.params));
        } else if !alone {
            local.iter().for_each(|local| self.variate.update(local, &self.params, self.distance));
            self.outer.iter_mut().for_each(|outer| outer.step(&mut self.params));
        }
        match was_behind {
            true => self.average.reset(&self.params),
            false => self.average.update(&self.params, self.schedule),
        }
        (self.age, self.distance) = (age, 0.0);
    }

    /// A copy that can be asked for losses, if anyone will ask.
    pub(super) fn clone_for_loss(&self, asked: bool) -> Option<Self> {
        asked.then(|| Self { params: Vec::new(), velocity: Vec::new(), ..self.clone() })
    }

    /// Loss on the first rows, for rules that ask.
    pub fn loss_of(&mut self, model: &dyn Model, params: &[f32], rows: usize) -> f32 {
        let batch: Vec<usize> = (0..rows.min(self.rows.len())).collect();
        if batch.is_empty() {
            return 0.0;
        }
        let mut gradient = vec![0.0; params.len()];
        model.gradient(params, &self.rows, &batch, &mut self.rng.clone(), &mut gradient)
    }
}

/// Euclidean norm.
fn norm(gradient: &[f32]) -> f32 {
    gradient.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt() as f32
}
