//! The workbench: the model with everything that belongs to learning it, without threads or actors.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cpu_time::ThreadTime;
use peerlearn_protocols::codec::{Codec, Encoder};
use peerlearn_protocols::drift::{self, ControlVariate, MovingAverage, OuterNesterov};
use peerlearn_protocols::estimate::{self, Sight};
use peerlearn_protocols::exchange::pairing::Half;
use peerlearn_protocols::id::PeerId;
use peerlearn_protocols::mixing::pair::add_half;
use peerlearn_protocols::mixing::push_sum::Grant;
use peerlearn_protocols::mixing::{self, Candidate, Meta, MixOutcome, Own, Refused, mix_judged};
use peerlearn_protocols::params::Layout;
use peerlearn_protocols::score::Fault;
use peerlearn_protocols::wire::blob::{self, Blob, BlobError};

use super::{Evaluation, LearnError, Learner, LearnerConfig, TrainPlan, TrainReport};
use crate::data::Dataset;

/// Most rows on which models of others are tried: losses of 128 rows tell models apart that differ by a few points, and
/// cost less than a round of training.
const MOST_JUDGES: usize = 128;

/// What a learner learns from and is measured on.
#[derive(Debug, Clone)]
pub struct LearnerData {
    /// The own rows to train on.
    pub train: Dataset,
    /// Own rows kept apart.
    pub validation: Option<Dataset>,
    /// Rows that every peer of a demo or test has, never trained on.
    pub test: Option<Dataset>,
}

/// Which rows to measure on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The own validation part.
    Validation,
    /// The shared test rows.
    Test,
}

/// A model from another peer: complete, hash-checked, still encoded, not yet checked for its values.
#[derive(Debug, Clone)]
pub struct Pulled {
    /// Whose it is.
    pub peer: PeerId,
    /// Its age, as claimed.
    pub age: u64,
    /// Its rows, as claimed.
    pub samples: u32,
    /// Weight that the own communication graph gives it; 0 without a graph.
    pub link: f32,
    /// Mass handed over with it, under push-sum.
    pub grant: Option<Grant>,
    /// The encoded model.
    pub blob: Arc<Vec<u8>>,
}

/// What training did.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trained {
    /// Steps, samples, loss.
    pub report: TrainReport,
    /// Wall time.
    pub wall: Duration,
    /// CPU time of the learner's thread.
    pub cpu: Duration,
}

/// What to mix, and how.
#[derive(Debug, Clone, Default)]
pub struct MixOrder {
    /// Models of others.
    pub models: Vec<Pulled>,
    /// Halves of meetings, added after everything else.
    pub halves: Vec<Half>,
    /// Mass of the own model, under push-sum.
    pub mass: u64,
    /// Whether to measure what estimates need: a pass over every model and a copy of the own one.
    pub observe: bool,
}

/// What a mix did.
#[derive(Debug, Clone, PartialEq)]
pub struct Mixed {
    /// Whose models were mixed in.
    pub mixed: Vec<PeerId>,
    /// Whose were not, and why.
    pub refused: Vec<(PeerId, String)>,
    /// Whose were not models at all.
    pub faults: Vec<(PeerId, Fault)>,
    /// Age of the model now.
    pub age: u64,
    /// Whether the own model was far behind.
    pub was_behind: bool,
    /// What estimates need, where it was asked for.
    pub sight: Option<Sight>,
}

/// Everything that a restart needs.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Snapshot {
    /// The shared parameters.
    pub params: Vec<f32>,
    /// Sample-steps over the ancestry of the model.
    pub age: u64,
    /// Rounds that the step size counts by.
    pub schedule: u64,
    /// The control variate, where it is on.
    pub correction: Option<Vec<f32>>,
    /// The moving average of the own models, where it is on.
    pub average: Option<Vec<f32>>,
    /// Slow weights and momentum of the outer step, where it is on.
    pub outer: Option<(Vec<f32>, Vec<f32>)>,
}

impl Snapshot {
    /// The parameters to answer with: the moving average, or without one the newest. Shapes: `[parameters]`.
    pub fn answer(&self) -> &[f32] {
        self.average.as_ref().unwrap_or(&self.params)
    }
}

/// The model as it travels.
#[derive(Debug, Clone, PartialEq)]
pub struct Encoded {
    /// The bytes.
    pub blob: Vec<u8>,
    /// Sample-steps over the ancestry.
    pub age: u64,
    /// Euclidean norm of the parameters.
    pub norm: f32,
}

/// Model, data, drift state and age.
pub(super) struct Workbench {
    learner: Box<dyn Learner>,
    layout: Layout,
    data: LearnerData,
    /// Own rows on which models of others are tried, for rules that ask for it.
    judges: Option<Dataset>,
    config: LearnerConfig,
    /// The parameters after the last mix or restore; what a checkpoint keeps and what a new learner starts from.
    good: Vec<f32>,
    age: u64,
    /// Rounds that the step size counts by: own rounds, or those behind a model that was taken over from others.
    schedule: u64,
    /// Sum of learning rates of the steps since the last mix, eta H.
    distance: f32,
    variate: ControlVariate,
    average: MovingAverage,
    outer: Option<OuterNesterov>,
    encoder: Encoder,
}

impl Workbench {
    pub fn new(
        learner: Box<dyn Learner>,
        data: LearnerData,
        config: LearnerConfig,
        start: &Snapshot,
    ) -> Result<Self, LearnError> {
        let layout = learner.layout().clone();
        let encoding = &config.encoding;
        let mut bench = Self {
            good: Vec::new(),
            variate: ControlVariate::new(config.training.control_variate, layout.len()),
            average: MovingAverage::new(config.mixing.moving_average, &start.params),
            outer: None,
            encoder: Encoder::new(encoding.codec, encoding.rounding, encoding.seed, &start.params),
            judges: config.mixing.rule.needs_losses().then(|| judges(&data)),
            learner,
            layout,
            data,
            config,
            age: 0,
            schedule: 0,
            distance: 0.0,
        };
        bench.restore(start)?;
        Ok(bench)
    }

    pub fn restore(&mut self, snapshot: &Snapshot) -> Result<(), LearnError> {
        self.learner.write(&snapshot.params)?;
        self.good.clone_from(&snapshot.params);
        (self.age, self.distance) = (snapshot.age, 0.0);
        self.schedule = snapshot.schedule;
        self.variate.reset();
        snapshot.correction.iter().for_each(|values| self.variate.restore(values));
        self.average.reset(&snapshot.params);
        snapshot.average.iter().for_each(|values| self.average.restore(values));
        let outer = &self.config.mixing.outer;
        self.outer = outer.enabled.then(|| OuterNesterov::new(outer.rate, outer.momentum, &snapshot.params));
        if let (Some(outer), Some((slow, velocity))) = (&mut self.outer, &snapshot.outer) {
            outer.restore(slow, velocity);
        }
        Ok(())
    }

    pub fn train(&mut self, round: u64) -> Result<Trained, LearnError> {
        let (wall, cpu) = (Instant::now(), ThreadTime::now());
        let training = &self.config.training;
        let plan = TrainPlan {
            steps: training.steps,
            batch: training.batch,
            learning_rate: training.rate(self.schedule + 1),
            weight_decay: training.weight_decay,
            momentum: training.momentum,
            correction: self.variate.correction(),
            clip_norm: training.clip_norm,
            proximal: training.proximal,
            seed: training.seed.wrapping_add(round.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
        };
        let rate = plan.learning_rate / (1.0 - plan.momentum);
        let start = (training.reference_steps > 0).then(|| read(&*self.learner, &self.layout));
        let report = self.learner.train(&self.data.train, &plan)?;
        let stretch = start.map_or(Ok(1.0), |start| self.normalise(&start, report.steps))?;
        self.age = self.age.saturating_add(report.samples);
        self.schedule = self.schedule.saturating_add(1);
        self.distance += rate * report.steps as f32 * stretch;
        Ok(Trained { report, wall: wall.elapsed(), cpu: cpu.elapsed() })
    }

    /// Scales what training changed to the steps that every round counts as; answers the factor.
    fn normalise(&mut self, start: &[f32], steps: u32) -> Result<f32, LearnError> {
        let (reference, momentum) = (self.config.training.reference_steps, self.config.training.momentum);
        let mut params = read(&*self.learner, &self.layout);
        drift::normalise(&mut params, start, steps, reference, momentum);
        self.learner.write(&params)?;
        Ok(drift::stretch(steps, reference, momentum) as f32)
    }

    /// Mixes models into the own one.
    pub fn mix(&mut self, order: &MixOrder) -> Result<Mixed, LearnError> {
        let layout = self.layout.clone();
        let (candidates, faults) = parse(&order.models, &layout);
        let before = order.observe.then(|| self.good.clone());
        self.learner.read(&mut self.good);
        self.let_hear(&candidates);
        let met = met(&order.halves, &layout);
        let squared = before.as_ref().map(|_| self.squared_distances(&candidates, &met));
        let local = self.variate.correction().map(|_| self.good.clone());
        let mut outcome = self.carry_out(&candidates, order.mass);
        self.add_halves(&met, &mut outcome);
        self.correct_drift(local, outcome.was_behind, outcome.mixed.is_empty());
        self.learner.write(&self.good)?;
        (self.age, self.distance) = (outcome.age, 0.0);
        if outcome.was_behind {
            // A newcomer with the step size of a beginner would undo what the others have refined. Most of those it
            // asked would have to lie to lead it here.
            self.schedule = self.schedule.max(self.rounds_behind(self.age));
            self.average.reset(&self.good);
        } else {
            self.average.update(&self.good, self.schedule);
        }
        let sight = before.zip(squared).map(|(before, squared)| self.sight(&before, squared, &outcome));
        let refused = outcome.refused.into_iter().map(|(peer, why)| (peer, why.to_string())).collect();
        Ok(Mixed { mixed: outcome.mixed, refused, faults, age: self.age, was_behind: outcome.was_behind, sight })
    }

    /// Squared distances of the own model, before it is mixed, to others.
    fn squared_distances(&self, candidates: &[Candidate<'_>], met: &[Met<'_>]) -> Vec<(PeerId, f64)> {
        let pulled = candidates.iter().map(|candidate| (candidate.peer, candidate.model));
        let (peers, models): (Vec<PeerId>, Vec<Blob<'_>>) =
            pulled.chain(met.iter().map(|met| (met.peer, met.theirs))).unzip();
        peers.into_iter().zip(mixing::squared_distances(&self.good, &models)).collect()
    }

    /// Adds the halves of meetings. A model that has met another has the mean of both ages, a claim counted twice the own
    /// at most.
    fn add_halves(&mut self, met: &[Met<'_>], outcome: &mut MixOutcome) {
        for met in met {
            add_half(&mut self.good, &met.ours, &met.theirs);
            outcome.mixed.push(met.peer);
            let theirs = met.age.min(outcome.age.saturating_mul(2));
            outcome.age = outcome.age / 2 + theirs / 2;
        }
    }

    /// What estimates are made of: without models that are stale, which look like a group of their own.
    fn sight(&self, before: &[f32], mut squared: Vec<(PeerId, f64)>, outcome: &MixOutcome) -> Sight {
        let stale = |peer: PeerId| {
            outcome.refused.iter().any(|(other, why)| *other == peer && matches!(why, Refused::Stale { .. }))
        };
        squared.retain(|(peer, _)| !stale(*peer));
        let movement = estimate::squared_distance(before, &self.good).map_or(f64::NAN, f64::sqrt);
        Sight { squared, movement, norm: norm(&self.good) }
    }

    fn let_hear(&mut self, candidates: &[Candidate<'_>]) {
        if self.learner.is_listening() {
            let decoded = |candidate: &Candidate<'_>| {
                let mut params = vec![0.0; self.layout.len()];
                candidate.model.read_over(0, &self.good, &mut params);
                params
            };
            let models: Vec<Vec<f32>> = candidates.iter().map(decoded).collect();
            self.learner.heard(&self.good, &models);
        }
    }

    /// Mixes into `good`. Trying models writes them into the learner, so whoever calls this writes `good` back.
    fn carry_out(&mut self, candidates: &[Candidate<'_>], mass: u64) -> MixOutcome {
        let meta = Meta { mass, ..Meta::new(self.age, self.samples()) };
        let own = Own { params: &mut self.good, meta, round: self.schedule };
        let (learner, judges) = (&mut self.learner, &self.judges);
        mix_judged(&self.config.mixing.rule, own, candidates, &mut |params| {
            let tried = judges.as_ref().map(|rows| learner.write(params).and_then(|()| learner.evaluate(rows)));
            // A loss that cannot be had is the worst of all; the mixing rule takes it so.
            tried.and_then(Result::ok).map_or(f32::NAN, |evaluation| evaluation.loss)
        })
    }

    /// Learns from what the mix changed. A mix of nobody is no observation of drift, and an outer step on the own model
    /// alone would only be a larger learning rate.
    fn correct_drift(&mut self, local: Option<Vec<f32>>, was_behind: bool, alone: bool) {
        if was_behind {
            self.variate.reset();
            self.outer.iter_mut().for_each(|outer| outer.reset(&self.good));
        } else if !alone {
            local.iter().for_each(|local| self.variate.update(local, &self.good, self.distance));
            self.outer.iter_mut().for_each(|outer| outer.step(&mut self.good));
        }
    }

    /// Encodes the model as it is now: after training, before the next mix. In the configured codec it counts as sent.
    pub fn encode(&mut self, codec: Codec) -> Result<Encoded, LearnError> {
        let params = read(&*self.learner, &self.layout);
        let params = self.learner.offered(params);
        let blob = match codec == self.encoder.codec() {
            true => self.encoder.encode(&self.layout, &params)?,
            false => blob::encode(codec, &self.layout, &params)?,
        };
        Ok(Encoded { blob, age: self.age, norm: (norm(&params) as f32).min(f32::MAX) })
    }

    pub fn evaluate(&mut self, part: Part) -> Result<Option<Evaluation>, LearnError> {
        let data = match part {
            Part::Validation => self.data.validation.clone(),
            Part::Test => self.data.test.clone(),
        };
        let Some(data) = data.filter(|data| !data.is_empty()) else { return Ok(None) };
        self.with_average(|learner| learner.evaluate(&data)).map(Some)
    }

    pub fn predict(&mut self, features: &[f32]) -> Result<Vec<f32>, LearnError> {
        self.with_average(|learner| learner.predict(features))
    }

    /// Asks the moving average, and leaves the learner with the model that it had.
    fn with_average<T>(
        &mut self,
        ask: impl FnOnce(&mut dyn Learner) -> Result<T, LearnError>,
    ) -> Result<T, LearnError> {
        let Some(average) = self.average.values() else { return ask(&mut *self.learner) };
        let held = read(&*self.learner, &self.layout);
        self.learner.write(average)?;
        let answer = ask(&mut *self.learner);
        self.learner.write(&held)?;
        answer
    }

    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            params: self.good.clone(),
            age: self.age,
            schedule: self.schedule,
            correction: self.variate.correction().map(<[f32]>::to_vec),
            average: self.average.values().map(<[f32]>::to_vec),
            outer: self.outer.as_ref().map(|outer| (outer.state().0.to_vec(), outer.state().1.to_vec())),
        }
    }

    /// Rounds of this peer that a model of this age is worth.
    fn rounds_behind(&self, age: u64) -> u64 {
        let rows = self.config.training.batch.min(self.data.train.len()).max(1);
        age / (u64::from(self.config.training.steps) * rows as u64).max(1)
    }

    fn samples(&self) -> u32 {
        u32::try_from(self.data.train.len()).unwrap_or(u32::MAX)
    }
}

/// A half whose two models were read.
struct Met<'a> {
    peer: PeerId,
    ours: Blob<'a>,
    theirs: Blob<'a>,
    age: u64,
}

/// Reads the models of halves; both were checked before the meeting was settled.
fn met<'a>(halves: &'a [Half], layout: &'a Layout) -> Vec<Met<'a>> {
    let read = |half: &'a Half| {
        let (ours, theirs) = (Blob::parse(&half.ours, layout).ok()?, Blob::parse(&half.theirs, layout).ok()?);
        Some(Met { peer: half.peer, ours, theirs, age: half.age })
    };
    halves.iter().filter_map(read).collect()
}

/// The models among what was pulled, and whose are none.
fn parse<'a>(models: &'a [Pulled], layout: &'a Layout) -> (Vec<Candidate<'a>>, Vec<(PeerId, Fault)>) {
    let (mut candidates, mut faults) = (Vec::with_capacity(models.len()), Vec::new());
    for pulled in models {
        let mass = pulled.grant.map_or(0, |grant| grant.mass);
        let meta = Meta { link: pulled.link, mass, ..Meta::new(pulled.age, pulled.samples) };
        match Blob::parse(&pulled.blob, layout) {
            Ok(model) => candidates.push(Candidate { peer: pulled.peer, meta, model }),
            Err(BlobError::NotFinite) => faults.push((pulled.peer, Fault::NotFinite)),
            Err(_) => faults.push((pulled.peer, Fault::WrongShape)),
        }
    }
    (candidates, faults)
}

/// Euclidean norm.
fn norm(params: &[f32]) -> f64 {
    params.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt()
}

fn read(learner: &dyn Learner, layout: &Layout) -> Vec<f32> {
    let mut params = vec![0.0; layout.len()];
    learner.read(&mut params);
    params
}

/// A small fixed choice of own rows: of those kept apart, or else of those trained on, spread evenly because rows may be
/// sorted by class.
fn judges(data: &LearnerData) -> Dataset {
    let apart = data.validation.as_ref().filter(|rows| !rows.is_empty());
    let rows = apart.unwrap_or(&data.train);
    let count = rows.len().min(MOST_JUDGES);
    rows.select(&(0..count).map(|index| index * rows.len() / count).collect::<Vec<_>>())
}
