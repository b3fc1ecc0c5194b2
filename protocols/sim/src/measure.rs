//! Measuring models: accuracy, and how far apart a set of models is.

use peerlearn_protocols::dataset::Dataset;
use peerlearn_protocols::recipe::ClassTally;

use super::Model;

/// Rows scored at a time.
const BATCH: usize = 256;

/// What a model does on some rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measured {
    /// Fraction of rows whose best score is their label.
    pub accuracy: f64,
    /// Mean recall of the classes that have rows.
    pub balanced: f64,
    /// Of two classes: area under the receiver operating curve, by score difference; 0.5 for other numbers of classes, or
    /// where there is only one kind.
    pub auc: f64,
}

/// Measures a model. Shapes: `params: [layout.len()]`. Without rows all numbers are zero.
pub fn measure(model: &dyn Model, params: &[f32], rows: &Dataset) -> Measured {
    if rows.is_empty() {
        return Measured { accuracy: 0.0, balanced: 0.0, auc: 0.0 };
    }
    let indices: Vec<usize> = (0..rows.len()).collect();
    let mut tally = ClassTally::new(rows.classes());
    for batch in indices.chunks(BATCH) {
        let scores = model.scores(params, rows, batch);
        for (scores, &index) in scores.chunks_exact(rows.classes()).zip(batch) {
            // The loss is not among these scores.
            tally.add(scores, rows.labels()[index], 0.0);
        }
    }
    Measured { accuracy: tally.accuracy(), balanced: tally.balanced().unwrap_or(0.0), auc: tally.auc().unwrap_or(0.5) }
}

/// The mean of models. Shapes: each `[parameters]`; no models give an empty mean.
pub fn mean_model<'a>(models: impl Iterator<Item = &'a [f32]>) -> Vec<f32> {
    let (mut sum, mut count) = (Vec::<f64>::new(), 0usize);
    for model in models {
        sum.resize(model.len(), 0.0);
        sum.iter_mut().zip(model).for_each(|(sum, value)| *sum += f64::from(*value));
        count += 1;
    }
    sum.into_iter().map(|sum| (sum / count as f64) as f32).collect()
}

/// Root mean square distance of models to their mean.
pub fn disagreement<'a>(models: impl Iterator<Item = &'a [f32]> + Clone) -> f64 {
    let mean = mean_model(models.clone());
    let (mut sum, mut count) = (0.0f64, 0usize);
    for model in models {
        sum += model.iter().zip(&mean).map(|(x, m)| f64::from(x - m).powi(2)).sum::<f64>();
        count += 1;
    }
    if count == 0 { 0.0 } else { (sum / count as f64).sqrt() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disagreement_by_hand() {
        let models = [[1.0f32, 0.0], [-1.0, 0.0], [0.0, 2.0], [0.0, -2.0]];
        assert_eq!(mean_model(models.iter().map(|model| &model[..])), [0.0, 0.0]);
        let want = ((1.0f64 + 1.0 + 4.0 + 4.0) / 4.0).sqrt();
        assert!((disagreement(models.iter().map(|model| &model[..])) - want).abs() < 1e-12);
    }
}
