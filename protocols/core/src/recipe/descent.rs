//! Minibatch SGD on flat parameters, for models that can give a gradient.

use super::{Batches, TrainPlan, TrainReport};
use crate::drift::clip_scale;

/// Carries out a [`TrainPlan`] for a model that is a loss and a gradient over flat parameters; keeps what momentum that
/// lives on from call to call needs.
///
/// The step, for a gradient g and parameters x that were x0 at the start of the call:
/// `d = clip(g) + weight_decay x + correction + mu (x - x0); v <- momentum v + d; x <- x - eta v`.
#[derive(Debug, Clone, Default)]
pub struct Descent {
    velocity: Vec<f32>,
}

impl Descent {
    /// Trains `params` as planned. `gradient` gives the mean loss of the parameters over the rows of a batch, and
    /// replaces what its last argument held by the gradient.
    ///
    /// Shapes: `params`: `[parameters]`.
    pub fn train(
        &mut self,
        params: &mut [f32],
        plan: &TrainPlan<'_>,
        batches: &mut Batches,
        mut gradient: impl FnMut(&[f32], &[usize], &mut [f32]) -> f32,
    ) -> TrainReport {
        let start = if plan.proximal > 0.0 { params.to_vec() } else { Vec::new() };
        if plan.momentum > 0.0 && (!plan.keep_momentum || self.velocity.len() != params.len()) {
            self.velocity.clear();
            self.velocity.resize(params.len(), 0.0);
        }
        let mut direction = vec![0.0; params.len()];
        let (mut loss, mut samples) = (0.0, 0);
        batches.seek(plan.first_batch);
        for _ in 0..plan.steps {
            let batch = batches.next_batch();
            samples += batch.len() as u64;
            loss += gradient(params, batch, &mut direction);
            self.step(params, plan, &start, &direction);
        }
        if !plan.keep_momentum {
            self.velocity = Vec::new();
        }
        TrainReport { steps: plan.steps, samples, loss: loss / plan.steps.max(1) as f32 }
    }

    fn step(&mut self, params: &mut [f32], plan: &TrainPlan<'_>, start: &[f32], gradient: &[f32]) {
        let scale = if plan.clip_norm > 0.0 { clip_scale(norm(gradient) as f32, plan.clip_norm) } else { 1.0 };
        for (at, value) in params.iter_mut().enumerate() {
            let mut direction = scale * gradient[at] + plan.weight_decay * *value;
            direction += plan.correction.map_or(0.0, |correction| correction[at]);
            if plan.proximal > 0.0 {
                direction += plan.proximal * (*value - start[at]);
            }
            if plan.momentum > 0.0 {
                self.velocity[at] = plan.momentum * self.velocity[at] + direction;
                direction = self.velocity[at];
            }
            *value -= plan.learning_rate * direction;
        }
    }
}

/// Euclidean norm.
pub fn norm(values: &[f32]) -> f64 {
    const LANES: usize = 8;
    // Several sums side by side: the compiler must not reorder one, but may add eight at a time.
    let mut sums = [0.0f64; LANES];
    let (chunks, rest) = values.as_chunks::<LANES>();
    for chunk in chunks {
        sums.iter_mut().zip(chunk).for_each(|(sum, value)| *sum += f64::from(*value).powi(2));
    }
    let rest: f64 = rest.iter().map(|value| f64::from(*value).powi(2)).sum();
    (sums.iter().sum::<f64>() + rest).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::{BatchOrder, Training};

    /// The loss |x|^2 / 2, whose gradient is x.
    fn bowl(params: &[f32], _: &[usize], gradient: &mut [f32]) -> f32 {
        gradient.copy_from_slice(params);
        0.5 * norm(params).powi(2) as f32
    }

    fn trained(training: &Training, calls: u64, correction: Option<&[f32]>) -> Vec<f32> {
        let (mut params, mut descent) = (vec![3.0, 4.0], Descent::default());
        let mut batches = Batches::new(4, 2, BatchOrder::Repeated, 0);
        for call in 1..=calls {
            let plan = TrainPlan::new(training, call, 0, correction, 0);
            let report = descent.train(&mut params, &plan, &mut batches, bowl);
            assert_eq!((report.steps, report.samples), (training.steps, 2 * u64::from(training.steps)));
        }
        params
    }

    #[test]
    fn each_term_of_the_step_by_hand() {
        let base = Training { learning_rate: 0.5, ..Training::default() };
        assert_eq!(trained(&base, 1, None), [1.5, 2.0]);
        assert_eq!(trained(&base, 1, Some(&[1.0, -1.0])), [1.0, 2.5]);
        // The gradient is 5 long, so it is scaled to a fifth.
        assert_eq!(trained(&Training { clip_norm: 1.0, ..base.clone() }, 1, None), [2.7, 3.6]);
        assert_eq!(trained(&Training { weight_decay: 1.0, ..base.clone() }, 1, None), [0.0, 0.0]);
        // Second step from 1.5: back by 0.5 (1.5 + 2 (1.5 - 3)) = -0.75.
        let proximal = Training { proximal: 2.0, steps: 2, ..base.clone() };
        assert_eq!(trained(&proximal, 1, None)[0], 2.25);
        // Second step: v = 0.5 3 + 1.5 = 3, so x = 1.5 - 1.5.
        let momentum = Training { momentum: 0.5, steps: 2, ..base };
        assert_eq!(trained(&momentum, 1, None)[0], 0.0);
    }

    #[test]
    fn momentum_lives_on_only_where_it_is_told_to() {
        let once = Training { learning_rate: 0.5, momentum: 0.5, steps: 1, ..Training::default() };
        assert_eq!(trained(&once, 2, None)[0], 0.75, "two plain steps");
        assert_eq!(trained(&Training { keep_momentum: true, ..once }, 2, None)[0], 0.0, "as two steps of one call");
    }

    #[test]
    fn norms_of_any_length() {
        for length in [0, 1, 7, 8, 9, 100] {
            let values: Vec<f32> = (0..length).map(|value| value as f32).collect();
            let plain: f64 = values.iter().map(|value| f64::from(*value).powi(2)).sum();
            assert!((norm(&values) - plain.sqrt()).abs() < 1e-9);
        }
    }
}
