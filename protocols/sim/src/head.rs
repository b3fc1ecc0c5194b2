//! The last step of a classifier: from outputs to loss and scores.

/// How outputs become class probabilities.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Head {
    /// Softmax and cross-entropy.
    Softmax,
    /// A sigmoid on every output, then softmax and cross-entropy of the results: a quirk of gossipy's logistic
    /// regression, kept to compare with its runs.
    SigmoidSoftmax,
    /// One output, sigmoid and binary cross-entropy; two classes.
    Logistic,
}

impl Head {
    /// Outputs for that many classes.
    pub fn outputs(self, classes: usize) -> usize {
        if self == Head::Logistic { 1 } else { classes }
    }

    /// The loss of one row, and its derivative by every output. Shapes: `outputs`, `errors`: `[outputs]`.
    pub(super) fn loss(self, outputs: &[f32], label: u32, errors: &mut [f32]) -> f32 {
        match self {
            Head::Softmax => cross_entropy(outputs, label as usize, errors),
            Head::SigmoidSoftmax => {
                let squashed: Vec<f32> = outputs.iter().map(|value| sigmoid(*value)).collect();
                let loss = cross_entropy(&squashed, label as usize, errors);
                errors.iter_mut().zip(squashed).for_each(|(error, s)| *error *= s * (1.0 - s));
                loss
            }
            Head::Logistic => {
                let (output, target) = (outputs[0], label as f32);
                errors[0] = sigmoid(output) - target;
                // log(1 + e^-|x|) + max(x, 0) - x y, which never overflows.
                (-output.abs()).exp().ln_1p() + output.max(0.0) - output * target
            }
        }
    }

    /// Appends the score of every class.
    pub(super) fn scores(self, outputs: &[f32], scores: &mut Vec<f32>) {
        match self {
            Head::Softmax | Head::SigmoidSoftmax => scores.extend_from_slice(outputs),
            Head::Logistic => scores.extend([0.0, outputs[0]]),
        }
    }
}

fn sigmoid(value: f32) -> f32 {
    1.0 / (1.0 + (-value).exp())
}

fn cross_entropy(outputs: &[f32], label: usize, errors: &mut [f32]) -> f32 {
    let most = outputs.iter().fold(f32::MIN, |most, value| most.max(*value));
    errors.iter_mut().zip(outputs).for_each(|(error, output)| *error = (output - most).exp());
    let total: f32 = errors.iter().sum();
    errors.iter_mut().for_each(|error| *error /= total);
    errors[label] -= 1.0;
    total.ln() - (outputs[label] - most)
}
