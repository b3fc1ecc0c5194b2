//! A learner with its rows, as a recipe asks for it.

use peerlearn_protocols::dataset::Dataset;
use peerlearn_protocols::mixing::Rule;
use peerlearn_protocols::recipe::{Evaluation, TrainPlan, TrainReport, Trainer, probe_rows};

use super::{LearnError, Learner};

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

impl LearnerData {
    /// The rows of a part, where there are any.
    pub fn part(&self, part: Part) -> Option<&Dataset> {
        match part {
            Part::Validation => self.validation.as_ref(),
            Part::Test => self.test.as_ref(),
        }
    }
}

/// Trains a learner on its rows, and tries models of others on some of them.
pub struct LocalTrainer {
    learner: Box<dyn Learner>,
    data: LearnerData,
    /// Own rows on which models of others are tried, for rules that ask for it.
    probe: Option<Dataset>,
}

impl LocalTrainer {
    /// A trainer for a rule.
    pub fn new(learner: Box<dyn Learner>, data: LearnerData, rule: &Rule) -> Self {
        let probe = rule.needs_losses().then(|| probe_rows(&data.train, data.validation.as_ref()));
        Self { learner, data, probe }
    }

    /// The model.
    pub fn learner(&self) -> &dyn Learner {
        &*self.learner
    }

    /// The rows.
    pub fn data(&self) -> &LearnerData {
        &self.data
    }

    /// Measures a model; `None` where there are no such rows. Shapes: `params: [parameters]`.
    ///
    /// # Errors
    /// The parameters or the rows do not fit the model.
    pub fn measure(&mut self, params: &[f32], part: Part) -> Result<Option<Evaluation>, LearnError> {
        let Some(rows) = self.data.part(part).filter(|rows| !rows.is_empty()) else { return Ok(None) };
        self.learner.write(params)?;
        let measured = self.learner.evaluate(rows);
        readable(rows)?;
        measured.map(Some)
    }
}

/// Refuses what was computed of rows some of which could not be read, whatever the learner made of them.
fn readable(rows: &Dataset) -> Result<(), LearnError> {
    rows.failure().map_or(Ok(()), |error| Err(error.clone().into()))
}

impl Trainer for LocalTrainer {
    type Error = LearnError;

    fn train(&mut self, params: &mut [f32], plan: &TrainPlan<'_>) -> Result<TrainReport, LearnError> {
        self.learner.write(params)?;
        let report = self.learner.train(&self.data.train, plan);
        readable(&self.data.train)?;
        let report = report?;
        self.learner.read(params);
        Ok(report)
    }

    fn loss(&mut self, params: &[f32]) -> f32 {
        let Some(probe) = &self.probe else { return f32::NAN };
        let measured = self.learner.write(params).and_then(|()| self.learner.evaluate(probe));
        let measured = readable(probe).and(measured);
        measured.map_or(f32::NAN, |evaluation| evaluation.loss)
    }

    fn offered(&mut self, params: &[f32]) -> Option<Vec<f32>> {
        self.learner.offered(params)
    }

    #[cfg(feature = "faults")]
    fn observes(&self) -> bool {
        self.learner.observes()
    }

    #[cfg(feature = "faults")]
    fn observe(&mut self, own: &[f32], models: &[Vec<f32>]) {
        self.learner.observe(own, models);
    }
}
