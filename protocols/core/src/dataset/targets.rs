//! What rows are trained towards beside labels: numbers, weights of classes, the loss.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Dataset, DatasetError, Values, pick};

/// What training makes small. Its text form, in files and in words, is `cross-entropy`, `mse` or `mae`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Loss {
    /// Of classes: less the logarithm of the probability of the label, after a softmax.
    #[default]
    CrossEntropy,
    /// Of numbers: the squared error.
    Mse,
    /// Of numbers: the absolute error, on which rows far off weigh less.
    Mae,
}

impl Loss {
    /// Its text form.
    pub fn name(self) -> &'static str {
        match self {
            Self::CrossEntropy => "cross-entropy",
            Self::Mse => "mse",
            Self::Mae => "mae",
        }
    }
}

impl std::fmt::Display for Loss {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// Targets that are numbers.
#[derive(Debug, Clone)]
pub(super) struct Numbers {
    values: Arc<Vec<f32>>,
    unit: f32,
    loss: Loss,
}

impl Numbers {
    pub fn select(&self, indices: &[usize]) -> Self {
        Self { values: Arc::new(pick(&self.values, 1, indices)), ..self.clone() }
    }

    pub fn negated(&self) -> Self {
        Self { values: Arc::new(self.values.iter().map(|value| -value).collect()), ..self.clone() }
    }
}

/// Rows whose target is a number, and how classes are weighted.
impl Dataset {
    /// Checks and wraps rows whose target is a number. They count as rows of one class: [`Dataset::classes`] is 1, which
    /// is the number of outputs of their model, and all labels are 0.
    ///
    /// Numbers are best scaled to mean 0 and standard deviation 1, as learning rates are made for that;
    /// [`Dataset::with_number_unit`] takes the deviation. The loss is [`Loss::Mse`] unless [`Dataset::with_loss`] says
    /// otherwise. Shapes: `features: [rows, width]`, `numbers: [rows]`.
    ///
    /// # Errors
    /// The lengths contradict each other, or a feature or a number is not finite.
    pub fn with_numbers(input: Vec<usize>, features: Vec<f32>, numbers: Vec<f32>) -> Result<Self, DatasetError> {
        Self::numbers_in_units(input, Values::Floats(Arc::new(features)), 1.0, numbers)
    }

    /// The same of rows whose features are `values` divided by `unit`.
    ///
    /// # Errors
    /// The lengths contradict each other, or a feature or a number is not finite.
    pub fn numbers_in_units(
        input: Vec<usize>,
        values: Values,
        unit: f32,
        numbers: Vec<f32>,
    ) -> Result<Self, DatasetError> {
        if let Some(row) = numbers.iter().position(|number| !number.is_finite()) {
            return Err(DatasetError::Number { row, value: numbers[row] });
        }
        let mut rows = Self::in_units(input, 1, values, unit, vec![0; numbers.len()])?;
        rows.numbers = Some(Numbers { values: Arc::new(numbers), unit: 1.0, loss: Loss::Mse });
        Ok(rows)
    }

    /// The same rows, with what one unit of their numbers is worth: errors are told times this.
    ///
    /// # Errors
    /// It is not a finite number above 0.
    pub fn with_number_unit(mut self, unit: f32) -> Result<Self, DatasetError> {
        if !(unit.is_finite() && unit > 0.0) {
            return Err(DatasetError::Unit { value: unit });
        }
        self.numbers.iter_mut().for_each(|numbers| numbers.unit = unit);
        Ok(self)
    }

    /// The same rows, to be trained on with this loss.
    ///
    /// # Errors
    /// It is one of classes and the rows have numbers, or the other way round.
    pub fn with_loss(mut self, loss: Loss) -> Result<Self, DatasetError> {
        match (&mut self.numbers, loss) {
            (Some(numbers), Loss::Mse | Loss::Mae) => numbers.loss = loss,
            (None, Loss::CrossEntropy) => {}
            (Some(_), Loss::CrossEntropy) | (None, Loss::Mse | Loss::Mae) => return Err(DatasetError::Loss { loss }),
        }
        Ok(self)
    }

    /// The same rows, with what a row of each class weighs in training, for classes with few rows or errors that cost
    /// more. Only the ratios count, because a batch is divided by the sum of its weights. Shapes: `weights: [classes]`.
    ///
    /// # Errors
    /// Not one weight a class, one that is not a finite number above 0, or the rows have numbers.
    pub fn with_class_weights(mut self, weights: Vec<f32>) -> Result<Self, DatasetError> {
        if weights.len() != self.classes || self.numbers.is_some() {
            let want = if self.numbers.is_some() { 0 } else { self.classes };
            return Err(DatasetError::Weights { got: weights.len(), want });
        }
        if let Some(class) = weights.iter().position(|weight| !(weight.is_finite() && *weight > 0.0)) {
            return Err(DatasetError::Weight { class, value: weights[class] });
        }
        self.class_weights = Some(weights.into());
        Ok(self)
    }

    /// The same rows, all of which weigh alike.
    pub fn without_class_weights(self) -> Self {
        Self { class_weights: None, ..self }
    }

    /// The targets of rows that have numbers, `[rows]`.
    pub fn numbers(&self) -> Option<&[f32]> {
        self.numbers.as_ref().map(|numbers| &numbers.values[..])
    }

    /// What one unit of the numbers is worth; 1 for rows of classes.
    pub fn number_unit(&self) -> f32 {
        self.numbers.as_ref().map_or(1.0, |numbers| numbers.unit)
    }

    /// What training on these rows makes small.
    pub fn loss(&self) -> Loss {
        self.numbers.as_ref().map_or(Loss::CrossEntropy, |numbers| numbers.loss)
    }

    /// What a row of each class weighs in training, `[classes]`; `None` where all weigh alike.
    pub fn class_weights(&self) -> Option<&[f32]> {
        self.class_weights.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers() -> Dataset {
        Dataset::with_numbers(vec![1], vec![1.0, 2.0, 3.0], vec![-1.0, 0.0, 1.5]).unwrap()
    }

    #[test]
    fn numbers_go_where_their_rows_go() {
        let rows = numbers().with_number_unit(20.0).unwrap().with_loss(Loss::Mae).unwrap();
        assert_eq!((rows.classes(), rows.labels(), rows.class_counts()), (1, &[0, 0, 0][..], vec![3]));
        let some = rows.select(&[2, 0]);
        assert_eq!((some.numbers(), some.number_unit(), some.loss()), (Some(&[1.5, -1.0][..]), 20.0, Loss::Mae));
        let other = rows.with_features(vec![7.0, 8.0, 9.0]).unwrap();
        assert_eq!((other.numbers(), other.number_unit(), other.loss()), (rows.numbers(), 20.0, Loss::Mae));
        assert_eq!(rows.with_flipped_labels().numbers(), Some(&[1.0, 0.0, -1.5][..]));
        assert_eq!(rows.with_labels(vec![0; 3]).unwrap().numbers(), rows.numbers());
        // Rows that differ only in their numbers are other rows.
        assert_ne!(rows.digest(), rows.with_flipped_labels().digest());
        assert_eq!(rows.digest(), numbers().digest());
    }

    #[test]
    fn what_contradicts_itself_is_named() {
        let wrong = Dataset::with_numbers(vec![1], vec![1.0], vec![f32::NAN]).unwrap_err();
        assert!(matches!(wrong, DatasetError::Number { row: 0, .. }), "{wrong}");
        let wrong = Dataset::with_numbers(vec![2], vec![1.0], vec![1.0]).unwrap_err();
        assert!(matches!(wrong, DatasetError::Shape { rows: 1, .. }), "{wrong}");
        for unit in [0.0, -1.0, f32::INFINITY, f32::NAN] {
            assert!(matches!(numbers().with_number_unit(unit), Err(DatasetError::Unit { .. })));
        }
        let classes = Dataset::new(vec![1], 2, vec![0.0; 2], vec![0, 1]).unwrap();
        assert!(numbers().with_loss(Loss::CrossEntropy).is_err() && classes.clone().with_loss(Loss::Mse).is_err());
        assert!(matches!(numbers().with_class_weights(vec![1.0]), Err(DatasetError::Weights { want: 0, .. })));
        for weights in [vec![1.0], vec![1.0; 3]] {
            assert!(matches!(classes.clone().with_class_weights(weights), Err(DatasetError::Weights { .. })));
        }
        for weight in [0.0, -1.0, f32::NAN, f32::INFINITY] {
            let error = classes.clone().with_class_weights(vec![1.0, weight]).unwrap_err();
            assert!(matches!(error, DatasetError::Weight { class: 1, .. }), "{error}");
        }
    }

    #[test]
    fn weights_stay_with_the_rows_and_are_none_of_them() {
        let plain = Dataset::new(vec![1], 2, vec![0.0; 2], vec![0, 1]).unwrap();
        let weighted = plain.clone().with_class_weights(vec![1.0, 9.0]).unwrap();
        assert_eq!(weighted.select(&[1]).class_weights(), Some(&[1.0, 9.0][..]));
        assert_eq!(weighted.with_features(vec![5.0; 2]).unwrap().class_weights(), Some(&[1.0, 9.0][..]));
        assert_eq!((weighted.digest(), plain.class_weights()), (plain.digest(), None));
    }

    #[test]
    fn losses_have_names() {
        for loss in [Loss::CrossEntropy, Loss::Mse, Loss::Mae] {
            assert_eq!(serde_json::to_value(loss).unwrap(), loss.to_string());
        }
    }
}
