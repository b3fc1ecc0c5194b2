//! Measuring models: accuracy, and how far apart a set of models is.

use peerlearn_protocols::dataset::Dataset;

use super::Model;

/// Rows scored at a time.
const BATCH: usize = 256;

/// What a model does on some rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measured {
    /// Fraction of rows whose best score is their label.
    pub accuracy: f64,
    /// Area under the receiver operating curve of class 1 against the rest, by score difference to class 0; 0.5 where
    /// there is only one kind.
    pub auc: f64,
}

/// Measures a model. Shapes: `params: [layout.len()]`. Without rows both numbers are zero.
pub fn measure(model: &dyn Model, params: &[f32], rows: &Dataset) -> Measured {
    if rows.is_empty() {
        return Measured { accuracy: 0.0, auc: 0.0 };
    }
    let indices: Vec<usize> = (0..rows.len()).collect();
    let (mut hits, mut ranked) = (0usize, Vec::with_capacity(rows.len()));
    for batch in indices.chunks(BATCH) {
        let scores = model.scores(params, rows, batch);
        for (scores, &index) in scores.chunks_exact(rows.classes()).zip(batch) {
            let best = (1..scores.len()).fold(0, |best, class| if scores[class] > scores[best] { class } else { best });
            hits += usize::from(best as u32 == rows.labels()[index]);
            ranked.push((scores.get(1).copied().unwrap_or(0.0) - scores[0], rows.labels()[index] == 1));
        }
    }
    Measured { accuracy: hits as f64 / rows.len() as f64, auc: auc(&mut ranked) }
}

/// Mann-Whitney: ties count half.
fn auc(ranked: &mut [(f32, bool)]) -> f64 {
    ranked.sort_by(|one, other| one.0.total_cmp(&other.0));
    let (mut below, mut pairs, mut positives) = (0.0f64, 0.0f64, 0.0f64);
    for tied in ranked.chunk_by(|one, other| one.0 == other.0) {
        let positive = tied.iter().filter(|(_, positive)| *positive).count() as f64;
        let negative = tied.len() as f64 - positive;
        pairs += positive * (below + negative / 2.0);
        below += negative;
        positives += positive;
    }
    if positives * below > 0.0 { pairs / (positives * below) } else { 0.5 }
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
    fn auc_by_hand() {
        // Of 2 x 2 pairs, three are in order and one is tied.
        let mut ranked = vec![(0.1, false), (0.5, true), (0.5, false), (0.9, true)];
        assert_eq!(auc(&mut ranked), 3.5 / 4.0);
        assert_eq!(auc(&mut [(0.1, true), (0.2, true)]), 0.5);
    }

    #[test]
    fn disagreement_by_hand() {
        let models = [[1.0f32, 0.0], [-1.0, 0.0], [0.0, 2.0], [0.0, -2.0]];
        assert_eq!(mean_model(models.iter().map(|model| &model[..])), [0.0, 0.0]);
        let want = ((1.0f64 + 1.0 + 4.0 + 4.0) / 4.0).sqrt();
        assert!((disagreement(models.iter().map(|model| &model[..])) - want).abs() < 1e-12);
    }
}
