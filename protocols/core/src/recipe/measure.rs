//! Measuring a model: what comes out, on which rows models of others are tried, and how often a peer measures itself.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::dataset::Dataset;

/// Most rows on which models of others are tried: losses of 128 rows tell models apart that differ by a few points, and
/// cost less than a round of training.
const MOST_PROBES: usize = 128;

/// What a model scores on a data set. Cloning is cheap. Definitions are in [`super::ClassTally`] and
/// [`super::NumberTally`], which make it; what does not apply, or was not measured, is `None`.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Evaluation {
    /// Mean loss a row, without class weights.
    pub loss: f32,
    /// Fraction of rows whose most probable class is their label. Of numbers: the part of their variance that the model
    /// explains, [`Evaluation::r2`] from 0 to 1, so that what waits for a fraction to be reached has one; nobody is
    /// shown it as an accuracy.
    pub accuracy: f32,
    /// Rows measured.
    pub rows: usize,
    /// Of classes: mean recall of the classes that have rows, from 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub balanced: Option<f32>,
    /// Of classes: mean F1 of the classes that have rows or answers, from 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub macro_f1: Option<f32>,
    /// Of two classes: area under the receiver operating curve, from 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auc: Option<f32>,
    /// Of numbers: root of the mean squared error, in the unit of the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rmse: Option<f32>,
    /// Of numbers: mean absolute error, in the unit of the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mae: Option<f32>,
    /// Of numbers: part of the variance explained, at most 1; below 0 for what is worse than the mean.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub r2: Option<f32>,
    /// Of at most 64 classes: which were taken for which.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confusion: Option<Confusion>,
}

impl Evaluation {
    /// For learners that measure nothing else.
    pub fn new(loss: f32, accuracy: f32, rows: usize) -> Self {
        Self { loss, accuracy, rows, ..Self::default() }
    }

    /// Whether numbers were measured, not classes.
    pub fn is_of_numbers(&self) -> bool {
        self.rmse.is_some()
    }

    /// Every score beside loss and accuracy that applies, by the name of its field.
    pub fn scores(&self) -> impl Iterator<Item = (&'static str, f32)> {
        let scores = [
            ("balanced", self.balanced),
            ("macro_f1", self.macro_f1),
            ("auc", self.auc),
            ("rmse", self.rmse),
            ("mae", self.mae),
            ("r2", self.r2),
        ];
        scores.into_iter().filter_map(|(name, score)| Some((name, score?)))
    }

    /// Without the confusion matrix, for files that take one of these a round.
    pub fn without_confusion(self) -> Self {
        Self { confusion: None, ..self }
    }
}

/// What applies, and no matrix: logs have one of these a round.
impl std::fmt::Debug for Evaluation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut text = f.debug_struct("Evaluation");
        text.field("loss", &self.loss).field("accuracy", &self.accuracy).field("rows", &self.rows);
        for (name, score) in self.scores() {
            text.field(name, &score);
        }
        text.finish()
    }
}

/// How many rows of each class were answered with which class. Cloning is cheap. As JSON it is a list of rows, one for
/// each true class, with one count for each answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Vec<u32>>", into = "Vec<Vec<u32>>")]
pub struct Confusion {
    classes: usize,
    /// `[true, answered]`, row by row.
    counts: Arc<[u32]>,
}

/// Counts of one class.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClassFigures {
    /// Rows of this class.
    pub rows: u64,
    /// Rows answered with this class.
    pub answered: u64,
    /// Fraction of its rows that were answered right; `None` without rows.
    pub recall: Option<f32>,
    /// Fraction of its answers that were right; `None` without answers.
    pub precision: Option<f32>,
    /// Harmonic mean of both, 2 right / (rows + answered); `None` with neither.
    pub f1: Option<f32>,
}

impl Confusion {
    /// Of counts `[true, answered]`, row by row; `None` for no classes, or where it is no square.
    pub fn new(classes: usize, counts: &[u32]) -> Option<Self> {
        (classes > 0 && classes.checked_mul(classes) == Some(counts.len()))
            .then(|| Self { classes, counts: counts.into() })
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Rows of class `label` that were answered with `answer`; 0 beyond the classes.
    pub fn at(&self, label: usize, answer: usize) -> u32 {
        let is_inside = label < self.classes && answer < self.classes;
        if is_inside { self.counts[label * self.classes + answer] } else { 0 }
    }

    /// Rows, recall, precision and F1 of one class.
    pub fn of_class(&self, class: usize) -> ClassFigures {
        let right = u64::from(self.at(class, class));
        let rows: u64 = (0..self.classes).map(|answer| u64::from(self.at(class, answer))).sum();
        let answered: u64 = (0..self.classes).map(|label| u64::from(self.at(label, class))).sum();
        let part = |right: u64, of: u64| (of > 0).then(|| (right as f64 / of as f64) as f32);
        let (recall, precision) = (part(right, rows), part(right, answered));
        ClassFigures { rows, answered, recall, precision, f1: part(2 * right, rows + answered) }
    }
}

impl From<Confusion> for Vec<Vec<u32>> {
    fn from(confusion: Confusion) -> Self {
        confusion.counts.chunks(confusion.classes.max(1)).map(<[u32]>::to_vec).collect()
    }
}

impl TryFrom<Vec<Vec<u32>>> for Confusion {
    type Error = &'static str;

    fn try_from(rows: Vec<Vec<u32>>) -> Result<Self, Self::Error> {
        let is_square = rows.iter().all(|row| row.len() == rows.len());
        let found = is_square.then(|| Self::new(rows.len(), &rows.concat())).flatten();
        found.ok_or("a confusion matrix has as many columns as rows, and at least one")
    }
}

/// A small fixed choice of own rows on which models of others are tried: of those kept apart, or else of those trained
/// on, spread evenly because rows may be sorted by class. Class weights are for training and stay behind.
pub fn probe_rows(train: &Dataset, validation: Option<&Dataset>) -> Dataset {
    let rows = validation.filter(|rows| !rows.is_empty()).unwrap_or(train);
    let count = rows.len().min(MOST_PROBES);
    rows.select(&(0..count).map(|index| index * rows.len() / count).collect::<Vec<_>>()).without_class_weights()
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

    #[test]
    fn what_was_written_before_there_was_more_than_accuracy_still_reads() {
        let old: Evaluation = serde_json::from_str(r#"{"loss":0.5,"accuracy":0.75,"rows":8}"#).unwrap();
        assert_eq!(old, Evaluation::new(0.5, 0.75, 8));
        assert_eq!(serde_json::to_string(&old).unwrap(), r#"{"loss":0.5,"accuracy":0.75,"rows":8}"#);
        assert!(!old.is_of_numbers());
    }

    #[test]
    fn a_confusion_matrix_is_a_list_of_rows() {
        let confusion = Confusion::new(2, &[98, 1, 1, 0]).unwrap();
        let whole = Evaluation { confusion: Some(confusion.clone()), ..Evaluation::new(0.5, 0.75, 8) };
        let json = serde_json::to_string(&whole).unwrap();
        assert!(json.ends_with(r#""confusion":[[98,1],[1,0]]}"#), "{json}");
        assert_eq!(serde_json::from_str::<Evaluation>(&json).unwrap(), whole);
        assert_eq!(whole.without_confusion(), Evaluation::new(0.5, 0.75, 8));
        let numbers = Evaluation { rmse: Some(2.0), ..Evaluation::new(0.5, 0.75, 8) };
        assert_eq!(format!("{numbers:?}"), "Evaluation { loss: 0.5, accuracy: 0.75, rows: 8, rmse: 2.0 }");
        let figures = confusion.of_class(0);
        assert_eq!((figures.rows, figures.answered, figures.recall), (99, 99, Some(98.0 / 99.0)));
        let missed = confusion.of_class(1);
        assert_eq!((missed.rows, missed.recall, missed.precision, missed.f1), (1, Some(0.0), Some(0.0), Some(0.0)));
        assert_eq!((confusion.at(2, 0), confusion.of_class(2).f1), (0, None));
        for wrong in ["[]", "[[1,2]]", "[[1],[2,3]]"] {
            assert!(serde_json::from_str::<Confusion>(wrong).is_err(), "{wrong}");
        }
    }
}
