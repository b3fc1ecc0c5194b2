//! A learner that trains in other units of its inputs than its parameters are told in.

use std::sync::{Arc, PoisonError, RwLock};

use peerlearn_protocols::dataset::{Dataset, Rescale};
use peerlearn_protocols::params::Layout;

use super::{Evaluation, LearnError, Learner, TrainPlan, TrainReport};

/// Data sets that are kept in the units of training: rows to train on, to measure on twice, and probes.
const MOST_SEEN: usize = 4;

/// The units in which inputs are trained on, as a change of those that rows and parameters come in. Clones share it; what is set
/// holds from the next [`Learner::write`] on, so a training is all in one.
#[derive(Debug, Clone)]
pub struct InputFrame {
    held: Arc<RwLock<Arc<[Rescale]>>>,
}

impl InputFrame {
    /// Shapes: `by: [inputs]`.
    pub fn new(by: Vec<Rescale>) -> Self {
        Self { held: Arc::new(RwLock::new(by.into())) }
    }

    /// Takes other units. Shapes: `by: [inputs]`, of the same length as those before.
    pub fn set(&self, by: Vec<Rescale>) {
        *self.held.write().unwrap_or_else(PoisonError::into_inner) = by.into();
    }

    /// The newest units. Shapes: answer `[inputs]`.
    pub fn get(&self) -> Arc<[Rescale]> {
        Arc::clone(&self.held.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A first layer that is affine in the inputs: where its weights and its bias are in the flat parameters.
///
/// With inputs `z' = (z - m) / s`, weights `W' = s W` by rows and bias `b' = b + m W` give `z' W' + b' = z W + b`: the same outputs.
/// The change is linear in the parameters, so differences of parameters (control variates, proximal terms) change alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FirstLayer {
    inputs: usize,
    outputs: usize,
    weight: usize,
    bias: usize,
}

impl FirstLayer {
    /// The first two tensors of a layout, where they are the weights `[inputs, outputs]` and the bias `[outputs]` of a dense layer
    /// of so many inputs. That inputs go nowhere else, and into it as they are, is for the caller to know.
    pub fn of(layout: &Layout, inputs: usize) -> Option<Self> {
        let [weight, bias, ..] = layout.tensors() else { return None };
        let mut ranges = layout.ranges();
        let (weights, biases) = (ranges.next()?, ranges.next()?);
        match (&weight.shape[..], &bias.shape[..]) {
            ([rows, outputs], [width]) if *rows == inputs && width == outputs => {
                Some(Self { inputs, outputs: *outputs, weight: weights.start, bias: biases.start })
            }
            _ => None,
        }
    }

    /// Brings parameters, or differences of parameters, to rescaled inputs. Shapes: `by: [inputs]`, `params: [parameters]`.
    pub fn enter(&self, by: &[Rescale], params: &mut [f32]) {
        self.change(by, params, |by| (by.over, by.minus));
    }

    /// Brings them back. Shapes: `by: [inputs]`, `params: [parameters]`.
    pub fn leave(&self, by: &[Rescale], params: &mut [f32]) {
        self.change(by, params, |by| (1.0 / by.over, -by.minus / by.over));
    }

    /// Multiplies each row of the weights by the first and adds the second times the row, as it was, to the bias; in double
    /// precision.
    fn change(&self, by: &[Rescale], params: &mut [f32], factors: impl Fn(&Rescale) -> (f64, f64)) {
        let mut bias: Vec<f64> = params[self.bias..][..self.outputs].iter().map(|value| f64::from(*value)).collect();
        let rows = params[self.weight..][..self.inputs * self.outputs].chunks_exact_mut(self.outputs);
        for (row, by) in rows.zip(by) {
            let (factor, shift) = factors(by);
            for (weight, bias) in row.iter_mut().zip(&mut bias) {
                *bias += shift * f64::from(*weight);
                *weight = (f64::from(*weight) * factor) as f32;
            }
        }
        params[self.bias..][..self.outputs].iter_mut().zip(bias).for_each(|(to, from)| *to = from as f32);
    }
}

/// Any learner whose first layer is affine in its inputs, trained in the units of an [`InputFrame`]. To everybody else its
/// parameters, control variates and rows are in the units of the task; so peers with different frames mix exactly, and a
/// frame can be taken at any time without a change of the model.
///
/// Rows in memory are rescaled once for each frame and kept, beside those in the units of the task; rows in files whenever they
/// are read.
pub struct FramedLearner {
    inner: Box<dyn Learner>,
    /// None: the units are fixed, and rows are only held within bounds.
    first: Option<FirstLayer>,
    frame: InputFrame,
    /// The units that the inner model is in.
    used: Arc<[Rescale]>,
    seen: Vec<(Dataset, Dataset)>,
}

impl FramedLearner {
    /// A learner whose first layer is this; see [`FirstLayer::of`].
    pub fn new(inner: Box<dyn Learner>, first: FirstLayer, frame: InputFrame) -> Self {
        let used = frame.get();
        Self { inner, first: Some(first), frame, used, seen: Vec::new() }
    }

    /// A learner of which nothing is known: its inputs are rescaled as given, for good.
    pub fn fixed(inner: Box<dyn Learner>, by: Vec<Rescale>) -> Self {
        let frame = InputFrame::new(by);
        let used = frame.get();
        Self { inner, first: None, frame, used, seen: Vec::new() }
    }

    /// Takes the newest units, for parameters that are about to be written.
    fn follow(&mut self) {
        let newest = self.frame.get();
        if self.used[..] != newest[..] {
            self.used = newest;
            self.seen.clear();
        }
    }

    fn entered(&self, params: &[f32]) -> Vec<f32> {
        let mut params = params.to_vec();
        self.first.iter().for_each(|first| first.enter(&self.used, &mut params));
        params
    }

    /// The rows in the units of training.
    fn seen(&mut self, data: &Dataset) -> Result<Dataset, LearnError> {
        if self.used.iter().all(|by| *by == Rescale::NONE) {
            return Ok(data.clone());
        }
        if data.width() != self.used.len() {
            return Err(LearnError::Input { got: data.width(), want: self.used.len() });
        }
        if let Some((_, seen)) = self.seen.iter().find(|(rows, _)| is_same(rows, data)) {
            return Ok(seen.clone());
        }
        let seen = data.rescaled(Arc::clone(&self.used)).map_err(|error| LearnError::Frame { error })?;
        if !data.is_stored() {
            self.seen.truncate(MOST_SEEN - 1);
            self.seen.insert(0, (data.clone(), seen.clone()));
        }
        Ok(seen)
    }
}

/// Whether two data sets are one and the same; the first keeps its memory from being given to others.
fn is_same(one: &Dataset, other: &Dataset) -> bool {
    let weights = |rows: &Dataset| rows.class_weights().map(<[f32]>::as_ptr);
    std::ptr::eq(one.labels(), other.labels()) && one.loss() == other.loss() && weights(one) == weights(other)
}

impl Learner for FramedLearner {
    fn layout(&self) -> &Layout {
        self.inner.layout()
    }

    fn read(&self, out: &mut [f32]) {
        self.inner.read(out);
        self.first.iter().for_each(|first| first.leave(&self.used, out));
    }

    fn write(&mut self, params: &[f32]) -> Result<(), LearnError> {
        self.inner.layout().check(params)?;
        self.follow();
        let params = self.entered(params);
        self.inner.write(&params)
    }

    fn train(&mut self, data: &Dataset, plan: &TrainPlan<'_>) -> Result<TrainReport, LearnError> {
        let seen = self.seen(data)?;
        let correction = plan.correction.map(|correction| self.entered(correction));
        // The pull back of FedProx is to the parameters of the inner model, which are in its units.
        self.inner.train(&seen, &TrainPlan { correction: correction.as_deref(), ..*plan })
    }

    fn evaluate(&mut self, data: &Dataset) -> Result<Evaluation, LearnError> {
        let seen = self.seen(data)?;
        self.inner.evaluate(&seen)
    }

    fn predict(&mut self, features: &[f32]) -> Result<Vec<f32>, LearnError> {
        let width = self.used.len();
        if width == 0 || !features.len().is_multiple_of(width) {
            return Err(LearnError::Input { got: features.len() % width.max(1), want: width });
        }
        let seen = |(at, value): (usize, &f32)| self.used[at % width].apply(*value);
        let features: Vec<f32> = features.iter().enumerate().map(seen).collect();
        self.inner.predict(&features)
    }

    fn offered(&mut self, params: &[f32]) -> Option<Vec<f32>> {
        self.inner.offered(params)
    }

    #[cfg(feature = "faults")]
    fn observes(&self) -> bool {
        self.inner.observes()
    }

    #[cfg(feature = "faults")]
    fn observe(&mut self, own: &[f32], models: &[Vec<f32>]) {
        self.inner.observe(own, models);
    }
}
