//! Linear models and small perceptrons in plain Rust.

use peerlearn_protocols::dataset::Dataset;
use peerlearn_protocols::params::{Layout, ParamsError, TensorSpec};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::Model;
use super::head::Head;

/// A perceptron with ReLU between its layers; without hidden layers a linear classifier.
///
/// Weights are `[out, in]`, so that every inner loop runs over neighbours in memory.
#[derive(Debug, Clone)]
pub struct Mlp {
    sizes: Vec<usize>,
    head: Head,
    layout: Layout,
    initial: Initial,
}

/// How weights are drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Initial {
    /// Weights uniform in +- sqrt(6 / in), biases zero (He et al. 2015, equation 10): what nodes do.
    He,
    /// Weights and biases uniform in +- 1 / sqrt(in): what PyTorch does for a linear layer.
    Torch,
    /// Everything normal with this standard deviation.
    Normal(f32),
    /// Zeros.
    Zero,
}

impl Mlp {
    /// A model of `input` numbers, hidden layers of these sizes, and what `head` needs for `classes`.
    ///
    /// # Errors
    /// A size is zero or their product too large.
    pub fn new(
        input: usize,
        hidden: &[usize],
        classes: usize,
        head: Head,
        initial: Initial,
    ) -> Result<Self, ParamsError> {
        let sizes = [&[input], hidden, &[head.outputs(classes)]].concat();
        let mut tensors = Vec::new();
        for (layer, pair) in sizes.windows(2).enumerate() {
            tensors.push(TensorSpec { name: format!("layers.{layer}.weight"), shape: vec![pair[1], pair[0]] });
            tensors.push(TensorSpec { name: format!("layers.{layer}.bias"), shape: vec![pair[1]] });
        }
        Ok(Self { layout: Layout::new(tensors)?, sizes, head, initial })
    }

    fn layers(&self) -> usize {
        self.sizes.len() - 1
    }

    /// Weights `[out, in]` and biases `[out]` of a layer.
    fn layer<'a>(&self, params: &'a [f32], layer: usize) -> (&'a [f32], &'a [f32]) {
        (&params[self.layout.range(2 * layer)], &params[self.layout.range(2 * layer + 1)])
    }

    /// Values of every layer for one row, one after the other; the input is not among them.
    fn forward(&self, params: &[f32], row: &[f32], values: &mut [f32]) {
        let mut done = 0;
        for layer in 0..self.layers() {
            let (weights, biases) = self.layer(params, layer);
            let (before, rest) = values.split_at_mut(done);
            let input = if layer == 0 { row } else { &before[done - self.sizes[layer]..] };
            let output = &mut rest[..self.sizes[layer + 1]];
            for ((value, weights), bias) in output.iter_mut().zip(weights.chunks_exact(input.len())).zip(biases) {
                *value = bias + dot(weights, input);
            }
            if layer + 1 < self.layers() {
                output.iter_mut().for_each(|value| *value = value.max(0.0));
            }
            done += output.len();
        }
    }

    /// Adds the gradient of one row. `errors` holds the error of every value; that of the last layer is given.
    fn backward(&self, params: &[f32], row: &[f32], values: &[f32], errors: &mut [f32], gradient: &mut [f32]) {
        let mut end = values.len();
        for layer in (0..self.layers()).rev() {
            let (inputs, outputs) = (self.sizes[layer], self.sizes[layer + 1]);
            let start = end - outputs;
            let input = if layer == 0 { row } else { &values[start - inputs..start] };
            let (before, rest) = errors.split_at_mut(start);
            let (weights, _) = self.layer(params, layer);
            let range = self.layout.range(2 * layer);
            let biases = range.end;
            let mut into = (layer > 0).then(|| &mut before[start - inputs..]);
            into.iter_mut().for_each(|into| into.fill(0.0));
            for (unit, &error) in rest[..outputs].iter().enumerate() {
                gradient[biases + unit] += error;
                axpy(error, input, &mut gradient[range.start + unit * inputs..][..inputs]);
                if let Some(into) = &mut into {
                    axpy(error, &weights[unit * inputs..][..inputs], into);
                }
            }
            if let Some(into) = into {
                into.iter_mut().zip(input).filter(|(_, value)| **value <= 0.0).for_each(|(error, _)| *error = 0.0);
            }
            end = start;
        }
    }

    fn values(&self) -> usize {
        self.sizes[1..].iter().sum()
    }
}

impl Model for Mlp {
    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn gradient(
        &self,
        params: &[f32],
        rows: &Dataset,
        batch: &[usize],
        _: &mut ChaCha8Rng,
        gradient: &mut [f32],
    ) -> f32 {
        let (mut values, mut errors) = (vec![0.0; self.values()], vec![0.0; self.values()]);
        let last = self.values() - self.sizes[self.layers()];
        gradient.fill(0.0);
        let weight =
            |index: &usize| rows.class_weights().map_or(1.0, |weights| weights[rows.labels()[*index] as usize]);
        let share = 1.0 / batch.iter().map(weight).sum::<f32>();
        let mut loss = 0.0;
        for &index in batch {
            self.forward(params, &rows.row(index), &mut values);
            let weight = weight(&index);
            loss += weight * self.head.loss(&values[last..], rows.labels()[index], &mut errors[last..]);
            errors[last..].iter_mut().for_each(|error| *error *= weight * share);
            self.backward(params, &rows.row(index), &values, &mut errors, gradient);
        }
        loss * share
    }

    fn scores(&self, params: &[f32], rows: &Dataset, batch: &[usize]) -> Vec<f32> {
        let mut values = vec![0.0; self.values()];
        let last = self.values() - self.sizes[self.layers()];
        let mut scores = Vec::with_capacity(batch.len() * rows.classes());
        for &index in batch {
            self.forward(params, &rows.row(index), &mut values);
            self.head.scores(&values[last..], &mut scores);
        }
        scores
    }

    fn initial(&self, seed: u64) -> Vec<f32> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut params = Vec::with_capacity(self.layout.len());
        for (tensor, range) in self.layout.ranges().enumerate() {
            let inputs = self.sizes[tensor / 2] as f32;
            let most = match (self.initial, tensor % 2) {
                (Initial::He, 0) => (6.0 / inputs).sqrt(),
                (Initial::Torch, _) => inputs.sqrt().recip(),
                _ => 0.0,
            };
            params.extend(range.map(|_| match self.initial {
                Initial::Normal(deviation) => deviation * super::random::normal(&mut rng),
                _ if most == 0.0 => 0.0,
                _ => (rng.random::<f32>() * 2.0 - 1.0) * most,
            }));
        }
        params
    }
}

/// Sixteen sums at a time; one would wait for itself at every product.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<16>(), b.as_chunks::<16>());
    let mut lanes = [0.0f32; 16];
    for (a, b) in a.iter().zip(b) {
        for ((lane, a), b) in lanes.iter_mut().zip(a).zip(b) {
            *lane += a * b;
        }
    }
    lanes.iter().sum::<f32>() + a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f32>()
}

fn axpy(factor: f32, x: &[f32], y: &mut [f32]) {
    y.iter_mut().zip(x).for_each(|(y, x)| *y += factor * x);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(classes: u32) -> Dataset {
        let features = (0..40).map(|n| ((n * n) as f32 * 0.37).sin()).collect();
        Dataset::new(vec![5], classes as usize, features, (0..8).map(|n| n % classes).collect()).unwrap()
    }

    #[test]
    fn the_gradient_is_the_slope_of_the_loss() {
        for head in [Head::Softmax, Head::SigmoidSoftmax, Head::Logistic] {
            let plain = rows(if head == Head::Logistic { 2 } else { 3 });
            let weighted = plain.clone().with_class_weights([0.5, 4.0, 2.0][..plain.classes()].to_vec()).unwrap();
            for (hidden, rows) in [(&[][..], &plain), (&[7], &plain), (&[6, 4], &plain), (&[7], &weighted)] {
                let model = Mlp::new(5, hidden, rows.classes(), head, Initial::Torch).unwrap();
                let mut params = model.initial(1);
                let batch = [0, 3, 5, 6, 7];
                let mut rng = ChaCha8Rng::seed_from_u64(0);
                let mut gradient = vec![9.0; params.len()];
                let mut scratch = gradient.clone();
                model.gradient(&params, rows, &batch, &mut rng, &mut gradient);
                for at in 0..params.len() {
                    let was = params[at];
                    let mut loss = |value: f32| {
                        params[at] = value;
                        f64::from(model.gradient(&params, rows, &batch, &mut rng, &mut scratch))
                    };
                    let slope = (loss(was + 1e-2) - loss(was - 1e-2)) / 2e-2;
                    params[at] = was;
                    assert!((slope - f64::from(gradient[at])).abs() < 2e-3, "{head:?} {at}: {slope}, {}", gradient[at]);
                }
            }
        }
    }

    #[test]
    fn scores_follow_the_classes_after_training() {
        let model = Mlp::new(5, &[16], 3, Head::Softmax, Initial::He).unwrap();
        let (rows, mut params) = (rows(3), model.initial(3));
        let mut gradient = params.clone();
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let batch: Vec<usize> = (0..8).collect();
        for _ in 0..600 {
            model.gradient(&params, &rows, &batch, &mut rng, &mut gradient);
            params.iter_mut().zip(&gradient).for_each(|(x, g)| *x -= 0.3 * g);
        }
        assert_eq!(super::super::measure(&model, &params, &rows).accuracy, 1.0);
    }
}
