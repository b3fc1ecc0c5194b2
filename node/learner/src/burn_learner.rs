//! Any burn module as a [`Learner`].

use std::ops::Range;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::activation::{log_softmax, softmax};
use burn::tensor::{Device, Gradients, Tensor, TensorData};
use peerlearn_protocols::dataset::{Dataset, Loss};
use peerlearn_protocols::drift::clip_scale;
use peerlearn_protocols::params::{Layout, TensorSpec};
use peerlearn_protocols::recipe::{ClassTally, NumberTally};

use super::{Evaluation, LearnError, Learner, TrainPlan, TrainReport};

/// Rows evaluated at a time: large enough for full speed, small enough that activations stay in the cache.
const EVALUATION_ROWS: usize = 256;

/// A burn module for classification or for regression. Everything else follows from the module itself.
pub trait BurnModel: Module + 'static {
    /// Class scores before the softmax; of one output, the number itself.
    ///
    /// Shapes: `features: [rows, width]`, answer `[rows, outputs]`.
    fn forward(&self, features: Tensor<2>) -> Tensor<2>;
}

/// Trains a burn module with minibatch SGD on the loss that the data name: the softmax cross-entropy, with class weights
/// where the data have some, or the squared or absolute error of numbers.
#[derive(Debug)]
pub struct BurnLearner<M> {
    model: Option<M>,
    layout: Layout,
    width: usize,
    /// One a class, or one for a number.
    outputs: usize,
    device: Device,
    /// The momentum of the last call, for plans that keep it.
    velocity: Vec<Option<Tensor<1>>>,
}

impl<M: BurnModel> BurnLearner<M> {
    /// Wraps a module whose parameters live on an autodiff device. It has one output a class, or one output for rows
    /// whose targets are numbers.
    ///
    /// # Errors
    /// The module has no parameters, or more than a layout can hold.
    pub fn new(model: M, input: &[usize], outputs: usize) -> Result<Self, LearnError> {
        let mut names = Names::default();
        model.visit(&mut names);
        let layout = Layout::new(names.tensors)?;
        let device = Device::flex().autodiff();
        Ok(Self { model: Some(model), layout, width: input.iter().product(), outputs, device, velocity: Vec::new() })
    }

    fn model(&self) -> &M {
        self.model.as_ref().expect("the model is only away inside a call")
    }

    fn check(&self, data: &Dataset) -> Result<(), LearnError> {
        if data.is_empty() {
            return Err(LearnError::NoRows);
        }
        if data.width() != self.width {
            return Err(LearnError::Input { got: data.width(), want: self.width });
        }
        if data.classes() != self.outputs {
            return Err(LearnError::Classes { got: data.classes(), want: self.outputs });
        }
        Ok(())
    }

    fn flat(&self) -> Vec<f32> {
        let mut flat = vec![0.0; self.layout.len()];
        self.read(&mut flat);
        flat
    }

    /// Features of some rows. Shapes: answer `[rows, width]`.
    fn features(&self, data: &Dataset, rows: &[usize]) -> Result<TensorData, LearnError> {
        let mut features = Vec::with_capacity(rows.len() * self.width);
        rows.iter().try_for_each(|&row| data.read_row(row, &mut features))?;
        Ok(TensorData::new(features, [rows.len(), self.width]))
    }

    /// One step; answers the loss, still on the device.
    fn step(&mut self, data: &Dataset, rows: &[usize], update: &mut Update) -> Result<Tensor<1>, LearnError> {
        let features = Tensor::from_data(self.features(data, rows)?, &self.device);
        let (targets, weight) = targets(data, rows);
        let targets = Tensor::from_data(targets, &self.device);
        let model = self.model.take().expect("the model is only away inside a call");
        let outputs = model.forward(features);
        let sum = match data.loss() {
            Loss::CrossEntropy => (log_softmax(outputs, 1) * targets).sum().neg(),
            Loss::Mse => (outputs - targets).square().sum(),
            Loss::Mae => (outputs - targets).abs().sum(),
        };
        let loss = sum.div_scalar(weight);
        update.take(loss.backward(), &model);
        self.model = Some(model.map(update));
        Ok(loss.inner())
    }
}

/// What the outputs of some rows should be, and what the sum of their losses is divided by: the number of rows or, with
/// class weights, the sum of theirs (as PyTorch's `CrossEntropyLoss` does). A weight stands in place of the 1 of a
/// one-hot label. Shapes: answer `[rows, outputs]`.
fn targets(data: &Dataset, rows: &[usize]) -> (TensorData, f32) {
    if let Some(numbers) = data.numbers() {
        let numbers: Vec<f32> = rows.iter().map(|row| numbers[*row]).collect();
        return (TensorData::new(numbers, [rows.len(), 1]), rows.len() as f32);
    }
    let (classes, weights) = (data.classes(), data.class_weights());
    let mut targets = vec![0.0f32; rows.len() * classes];
    let mut sum = 0.0;
    for (target, row) in targets.chunks_mut(classes).zip(rows) {
        let label = data.labels()[*row] as usize;
        target[label] = weights.map_or(1.0, |weights| weights[label]);
        sum += target[label];
    }
    (TensorData::new(targets, [rows.len(), classes]), sum)
}

impl<M: BurnModel> Learner for BurnLearner<M> {
    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn read(&self, out: &mut [f32]) {
        self.model().visit(&mut Read { out, next: 0 });
    }

    fn write(&mut self, params: &[f32]) -> Result<(), LearnError> {
        self.layout.check(params)?;
        let model = self.model.take().expect("the model is only away inside a call");
        self.model = Some(model.map(&mut Write { params, next: 0, device: &self.device }));
        Ok(())
    }

    fn train(&mut self, data: &Dataset, plan: &TrainPlan<'_>) -> Result<TrainReport, LearnError> {
        self.check(data)?;
        let before = self.flat();
        let mut update = Update::new(&self.layout, plan, &before);
        if plan.keep_momentum && self.velocity.len() == update.velocity.len() {
            update.velocity = std::mem::take(&mut self.velocity);
        }
        let mut batches = plan.batches_of(data);
        let mut losses = Vec::with_capacity(plan.steps as usize);
        let mut samples = 0;
        for _ in 0..plan.steps {
            let rows = batches.next_batch().to_vec();
            samples += rows.len() as u64;
            match self.step(data, &rows, &mut update) {
                Ok(loss) => losses.push(loss),
                Err(error) => {
                    self.write(&before)?;
                    return Err(error);
                }
            }
        }
        let losses: Vec<f32> = losses.into_iter().map(|loss| loss.into_scalar::<f32>()).collect();
        if let Some(step) = losses.iter().position(|loss| !loss.is_finite()) {
            self.write(&before)?;
            return Err(LearnError::Diverged { step: step as u32, loss: losses[step] });
        }
        if self.layout.check(&self.flat()).is_err() {
            self.write(&before)?;
            return Err(LearnError::Diverged { step: plan.steps, loss: f32::NAN });
        }
        self.velocity = if plan.keep_momentum { update.velocity } else { Vec::new() };
        let loss = losses.iter().sum::<f32>() / losses.len().max(1) as f32;
        Ok(TrainReport { steps: plan.steps, samples, loss })
    }

    fn evaluate(&mut self, data: &Dataset) -> Result<Evaluation, LearnError> {
        self.check(data)?;
        let model = self.model().clone().valid();
        let device = self.device.clone().inner();
        let chunks =
            (0..data.len()).step_by(EVALUATION_ROWS).map(|begin| begin..data.len().min(begin + EVALUATION_ROWS));
        let outputs = |rows: Range<usize>| -> Result<Tensor<2>, LearnError> {
            let rows: Vec<usize> = rows.collect();
            Ok(model.forward(Tensor::from_data(self.features(data, &rows)?, &device)))
        };
        if let Some(numbers) = data.numbers() {
            let mut tally = NumberTally::new(data.loss(), data.number_unit());
            for rows in chunks {
                to_vec(outputs(rows.clone())?)
                    .iter()
                    .zip(rows)
                    .for_each(|(value, row)| tally.add(*value, numbers[row]));
            }
            return Ok(tally.evaluation());
        }
        let mut tally = ClassTally::new(self.outputs);
        for rows in chunks {
            let scores = to_vec(log_softmax(outputs(rows.clone())?, 1));
            for (scores, row) in scores.chunks(self.outputs).zip(rows) {
                let label = data.labels()[row];
                tally.add(scores, label, -f64::from(scores[label as usize]));
            }
        }
        Ok(tally.evaluation())
    }

    fn predict(&mut self, features: &[f32]) -> Result<Vec<f32>, LearnError> {
        if !features.len().is_multiple_of(self.width) {
            return Err(LearnError::Input { got: features.len() % self.width, want: self.width });
        }
        let model = self.model().clone().valid();
        let device = self.device.clone().inner();
        let mut answers = Vec::with_capacity(features.len() / self.width * self.outputs);
        for rows in features.chunks(EVALUATION_ROWS * self.width) {
            let rows = TensorData::new(rows.to_vec(), [rows.len() / self.width, self.width]);
            let outputs = model.forward(Tensor::from_data(rows, &device));
            // The softmax of one score is 1 whatever it is: one output is a number.
            answers.extend(to_vec(if self.outputs == 1 { outputs } else { softmax(outputs, 1) }));
        }
        Ok(answers)
    }
}

fn to_vec<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().convert::<f32>().try_into_vec().expect("the data were just converted to f32")
}

/// Collects names and shapes.
#[derive(Default)]
struct Names {
    path: Vec<String>,
    tensors: Vec<TensorSpec>,
}

impl ModuleVisitor for Names {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.tensors.push(TensorSpec { name: self.path.join("."), shape: param.val().dims().to_vec() });
    }
}

/// Copies parameters out.
struct Read<'a> {
    out: &'a mut [f32],
    next: usize,
}

impl ModuleVisitor for Read<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let values = to_vec(param.val().inner());
        self.out[self.next..][..values.len()].copy_from_slice(&values);
        self.next += values.len();
    }
}

/// Copies parameters in.
struct Write<'a> {
    params: &'a [f32],
    next: usize,
    device: &'a Device,
}

impl ModuleMapper for Write<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (id, old, mapper) = param.consume();
        let shape = old.dims();
        let length: usize = shape.iter().product();
        let values = self.params[self.next..][..length].to_vec();
        self.next += length;
        let value = Tensor::from_data(TensorData::new(values, shape), self.device).require_grad();
        Param::from_mapped_value(id, value, mapper)
    }
}

/// Sums the squares of all gradients, here and not on the device: three small operations a tensor would be more than to
/// read them once. It is a tenth of a step of the digits' perceptron.
struct SquaredNorm<'a> {
    gradients: &'a Gradients,
    sum: f32,
}

impl ModuleVisitor for SquaredNorm<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let Some(gradient) = param.val().grad(self.gradients) else { return };
        let data = gradient.into_data().convert::<f32>();
        self.sum += data.as_slice::<f32>().map_or(f32::NAN, |values| values.iter().map(|value| value * value).sum());
    }
}

/// One SGD step on every parameter, on the device: `p <- p - rate (g + decay p + mu (p - start) + c)`, with momentum on
/// the bracket where asked for.
struct Update {
    rate: f32,
    decay: f32,
    momentum: f32,
    clip_norm: f32,
    /// What the gradients of this step are multiplied with, where they are too long.
    scale: Option<f32>,
    proximal: f32,
    start: Vec<Tensor<1>>,
    correction: Vec<Tensor<1>>,
    velocity: Vec<Option<Tensor<1>>>,
    gradients: Option<Gradients>,
    tensor: usize,
}

impl Update {
    fn new(layout: &Layout, plan: &TrainPlan<'_>, before: &[f32]) -> Self {
        let device = Device::flex();
        let split = |flat: &[f32]| -> Vec<Tensor<1>> {
            let tensor = |range: Range<usize>| {
                let length = range.len();
                Tensor::from_data(TensorData::new(flat[range].to_vec(), [length]), &device)
            };
            layout.ranges().map(tensor).collect()
        };
        Self {
            rate: plan.learning_rate,
            decay: plan.weight_decay,
            momentum: plan.momentum,
            clip_norm: plan.clip_norm,
            scale: None,
            proximal: plan.proximal,
            start: if plan.proximal > 0.0 { split(before) } else { Vec::new() },
            correction: plan.correction.map(split).unwrap_or_default(),
            velocity: vec![None; layout.tensors().len()],
            gradients: None,
            tensor: 0,
        }
    }

    /// The gradients of the next step.
    fn take<M: BurnModel>(&mut self, gradients: Gradients, model: &M) {
        self.scale = None;
        if self.clip_norm > 0.0 {
            let mut squares = SquaredNorm { gradients: &gradients, sum: 0.0 };
            model.visit(&mut squares);
            let scale = clip_scale(squares.sum.sqrt(), self.clip_norm);
            self.scale = (scale < 1.0).then_some(scale);
        }
        self.gradients = Some(gradients);
        self.tensor = 0;
    }

    /// The direction of the step, without the learning rate.
    fn direction<const D: usize>(&mut self, index: usize, value: &Tensor<D>, gradient: Tensor<D>) -> Tensor<D> {
        let shape = value.dims();
        let mut direction = match self.scale {
            Some(scale) => gradient.mul_scalar(scale),
            None => gradient,
        };
        if self.decay > 0.0 {
            direction = direction + value.clone().mul_scalar(self.decay);
        }
        if let Some(start) = self.start.get(index) {
            direction = direction + (value.clone() - start.clone().reshape(shape)).mul_scalar(self.proximal);
        }
        if let Some(correction) = self.correction.get(index) {
            direction = direction + correction.clone().reshape(shape);
        }
        if self.momentum > 0.0 {
            if let Some(velocity) = self.velocity[index].take() {
                direction = direction + velocity.reshape(shape).mul_scalar(self.momentum);
            }
            self.velocity[index] = Some(direction.clone().flatten(0, D - 1));
        }
        direction
    }
}

impl ModuleMapper for Update {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let index = self.tensor;
        self.tensor += 1;
        let (id, value, mapper) = param.consume();
        let gradient = self.gradients.as_mut().and_then(|gradients| value.grad_remove(gradients));
        let Some(gradient) = gradient else {
            // A parameter that the loss does not depend on stays as it is.
            return Param::from_mapped_value(id, value, mapper);
        };
        let value = value.inner();
        let direction = self.direction(index, &value, gradient);
        let value = Tensor::from_inner(value - direction.mul_scalar(self.rate)).require_grad();
        Param::from_mapped_value(id, value, mapper)
    }
}
