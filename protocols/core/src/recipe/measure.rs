//! Measuring a model: what comes out, on which rows models of others are tried, and how often a peer measures itself.

use serde::{Deserialize, Serialize};

use crate::dataset::Dataset;

/// Most rows on which models of others are tried: losses of 128 rows tell models apart that differ by a few points, and
/// cost less than a round of training.
const MOST_PROBES: usize = 128;

/// Loss and accuracy on a data set.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Mean loss a row.
    pub loss: f32,
    /// Fraction of rows whose most probable class is their label.
    pub accuracy: f32,
    /// Rows measured.
    pub rows: usize,
}

/// A small fixed choice of own rows on which models of others are tried: of those kept apart, or else of those trained
/// on, spread evenly because rows may be sorted by class.
pub fn probe_rows(train: &Dataset, validation: Option<&Dataset>) -> Dataset {
    let rows = validation.filter(|rows| !rows.is_empty()).unwrap_or(train);
    let count = rows.len().min(MOST_PROBES);
    rows.select(&(0..count).map(|index| index * rows.len() / count).collect::<Vec<_>>())
}

/// Rounds from one measurement of `measured` rows to the next, when a round trains on `trained` rows: so many that
/// measuring takes at most a fifth of the time of training. A setting above 0 overrules it.
pub fn measure_every(setting: u64, measured: usize, trained: u64) -> u64 {
    // A step passes its rows through the model forwards and backwards, which costs three times as much as forwards.
    let rounds = (5 * measured as u64).div_ceil(3 * trained.max(1));
    if setting > 0 { setting } else { rounds.max(1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(count: usize) -> Dataset {
        let features = (0..count).map(|row| row as f32).collect();
        Dataset::new(vec![1], 2, features, (0..count).map(|row| u32::from(row >= count / 2)).collect()).unwrap()
    }

    #[test]
    fn probes_are_few_and_of_every_class_of_sorted_rows() {
        let (train, apart) = (rows(1000), rows(50));
        let probes = probe_rows(&train, None);
        assert_eq!((probes.len(), probes.class_counts()), (128, vec![64, 64]));
        assert_eq!(probe_rows(&train, Some(&apart)).digest(), apart.digest(), "rows kept apart come first");
        assert_eq!(probe_rows(&train, Some(&rows(0))).len(), 128);
        assert!(probe_rows(&rows(0), None).is_empty());
    }

    #[test]
    fn measuring_takes_a_fifth_of_the_time_at_most() {
        // 600 rows forwards cost as much as training on 200; five times that is 1000, two rounds of 640.
        assert_eq!(measure_every(0, 600, 640), 2);
        assert_eq!(measure_every(0, 0, 0), 1);
        assert_eq!(measure_every(7, 600, 640), 7);
    }
}
