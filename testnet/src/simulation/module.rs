//! A node's own model in the simulator: the module that real nodes train, asked for single gradients.

use std::sync::{Mutex, PoisonError};

use peerlearn::learner::{LearnError, Learner, ModelFamily, TrainPlan, build, initial_weights};
use peerlearn_protocols::dataset::Dataset;
use peerlearn_protocols::params::Layout;
use peerlearn_protocols::recipe::{BatchOrder, Training};
use peerlearn_sim::Model;
use rand_chacha::ChaCha8Rng;

/// A model family of nodes as a pure function.
///
/// Slower than the plain models of the simulator, which are written for many small peers; for families it has no form
/// of.
pub struct NodeModel {
    family: ModelFamily,
    input: Vec<usize>,
    classes: usize,
    layout: Layout,
    /// Learners that nobody uses now: peers are simulated on many threads.
    idle: Mutex<Vec<Box<dyn Learner>>>,
}

impl std::fmt::Debug for NodeModel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NodeModel").field("family", &self.family).field("input", &self.input).finish_non_exhaustive()
    }
}

impl NodeModel {
    /// A model for examples of the shape `input`.
    ///
    /// # Errors
    /// The family cannot take such examples.
    pub fn new(family: &ModelFamily, input: &[usize], classes: usize) -> Result<Self, LearnError> {
        let first = build(family, input, classes)?;
        let layout = first.layout().clone();
        Ok(Self { family: family.clone(), input: input.to_vec(), classes, layout, idle: Mutex::new(vec![first]) })
    }

    /// Does something with a learner that has these parameters. What does not work is as a model that diverged:
    /// nothing.
    fn with<T>(&self, params: &[f32], work: impl FnOnce(&mut dyn Learner) -> Result<T, LearnError>) -> Option<T> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut learner = idle.map_or_else(|| build(&self.family, &self.input, self.classes), Ok).ok()?;
        let done = learner.write(params).and_then(|()| work(&mut *learner));
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(learner);
        done.ok()
    }
}

impl Model for NodeModel {
    fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The change of one plain step of size one. Where the step would not be finite, loss and gradient are not either,
    /// and whoever trains goes the way of a peer that diverged.
    fn gradient(
        &self,
        params: &[f32],
        rows: &Dataset,
        batch: &[usize],
        _: &mut ChaCha8Rng,
        gradient: &mut [f32],
    ) -> f32 {
        // One step of size one over these rows, in any order, moves the parameters by the gradient.
        let training =
            Training { batch: batch.len(), learning_rate: 1.0, order: BatchOrder::Repeated, ..Training::default() };
        let plan = TrainPlan::new(&training, 1, 0, None, 0);
        let loss = self.with(params, |learner| {
            let report = learner.train(&rows.select(batch), &plan)?;
            learner.read(gradient);
            Ok(report.loss)
        });
        let Some(loss) = loss else {
            gradient.fill(f32::NAN);
            return f32::NAN;
        };
        gradient.iter_mut().zip(params).for_each(|(value, before)| *value = before - *value);
        loss
    }

    /// Logarithms of the probabilities, which are the scores but for a constant of the row.
    fn scores(&self, params: &[f32], rows: &Dataset, batch: &[usize]) -> Vec<f32> {
        let features = rows.select(batch).features();
        let probabilities = self.with(params, |learner| learner.predict(&features));
        let nothing = || vec![0.0; batch.len() * self.classes];
        probabilities.unwrap_or_else(nothing).into_iter().map(|value| value.max(f32::MIN_POSITIVE).ln()).collect()
    }

    fn initial(&self, seed: u64) -> Vec<f32> {
        initial_weights(&self.layout, *blake3::hash(&seed.to_le_bytes()).as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    fn rows(input: &[usize], classes: usize, count: usize) -> Dataset {
        let width: usize = input.iter().product();
        let features = (0..count * width).map(|at| ((at * 37 % 101) as f32 / 101.0).powi(2)).collect();
        let labels = (0..count).map(|row| (row % classes) as u32).collect();
        Dataset::new(input.to_vec(), classes, features, labels).unwrap()
    }

    fn ask(model: &NodeModel, params: &[f32], rows: &Dataset, batch: &[usize]) -> (f32, Vec<f32>) {
        let mut gradient = vec![0.0; params.len()];
        let loss = model.gradient(params, rows, batch, &mut ChaCha8Rng::seed_from_u64(0), &mut gradient);
        (loss, gradient)
    }

    #[test]
    fn its_gradient_is_that_of_its_loss() {
        let model = NodeModel::new(&ModelFamily::Cnn, &[1, 8, 8], 3).unwrap();
        let (rows, batch) = (rows(&[1, 8, 8], 3, 6), [0, 2, 3, 5]);
        let params = model.initial(4);
        let (loss, gradient) = ask(&model, &params, &rows, &batch);
        assert!(loss > 0.0 && gradient.iter().all(|value| value.is_finite()));
        // A small step against the gradient lowers the loss by its squared norm times the step.
        let (step, squared) = (1e-3, gradient.iter().map(|value| value * value).sum::<f32>());
        let ahead: Vec<f32> = params.iter().zip(&gradient).map(|(value, slope)| value - step * slope).collect();
        let fallen = (loss - ask(&model, &ahead, &rows, &batch).0) / (step * squared);
        assert!((0.9..1.1).contains(&fallen), "{fallen}");
    }

    #[test]
    fn its_scores_are_the_logarithms_of_its_probabilities() {
        let model = NodeModel::new(&ModelFamily::Linear, &[4], 3).unwrap();
        let rows = rows(&[4], 3, 5);
        let params = model.initial(1);
        let batch: Vec<usize> = (0..5).collect();
        let scores = model.scores(&params, &rows, &batch);
        let probabilities = model.with(&params, |learner| learner.predict(&rows.features())).unwrap();
        assert!(scores.iter().zip(probabilities).all(|(score, value)| (score.exp() - value).abs() < 1e-6));
        // The loss is the mean of the scores of the labels, with the other sign.
        let own: f32 = rows.labels().iter().zip(scores.chunks(3)).map(|(label, row)| -row[*label as usize]).sum();
        assert!((own / 5.0 - ask(&model, &params, &rows, &batch).0).abs() < 1e-5);
    }

    #[test]
    fn what_is_not_finite_is_no_gradient() {
        let model = NodeModel::new(&ModelFamily::Linear, &[4], 3).unwrap();
        let mut params = model.initial(1);
        params[0] = f32::NAN;
        let (loss, gradient) = ask(&model, &params, &rows(&[4], 3, 5), &[1]);
        assert!(loss.is_nan() && gradient.iter().all(|value| value.is_nan()));
    }
}
