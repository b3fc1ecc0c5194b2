//! What a model scores on rows whose answers are known: of classes and of numbers.
//!
//! Pure sums, filled row by row, so that no scores need be kept. Definitions are those of scikit-learn
//! (`sklearn.metrics`), whose names are given; where it would warn and answer something, here is nothing.

use super::measure::{Confusion, Evaluation};
use crate::dataset::Loss;

/// Most classes of which a confusion matrix is kept: 64 x 64 counts are 16 KiB.
const MOST_CONFUSED: usize = 64;

/// Index of the largest score, the first of equal ones. Shapes: `scores: [classes]`.
pub fn best_class(scores: &[f32]) -> usize {
    let better = |best: usize, index: usize| if scores[index] > scores[best] { index } else { best };
    (0..scores.len()).fold(0, better)
}

/// Counts answers of a classifier.
#[derive(Debug, Clone)]
pub struct ClassTally {
    rows: usize,
    loss: f64,
    /// Per class: right answers, rows with this label, rows with this answer.
    right: Vec<usize>,
    labelled: Vec<usize>,
    answered: Vec<usize>,
    /// `[true, answered]`, row by row; empty for too many classes.
    confusion: Vec<u32>,
    /// Of two classes: how much more likely the second is than the first, of rows of the first and of the second.
    ranked: [Vec<f32>; 2],
}

impl ClassTally {
    /// For so many classes.
    pub fn new(classes: usize) -> Self {
        let counts = || vec![0; classes];
        let confusion = if classes <= MOST_CONFUSED { vec![0; classes * classes] } else { Vec::new() };
        let (right, labelled, answered) = (counts(), counts(), counts());
        Self { rows: 0, loss: 0.0, right, labelled, answered, confusion, ranked: Default::default() }
    }

    /// Takes one row: its scores, its label and its loss. Scores are anything that grows with the probability of a
    /// class: probabilities, their logarithms, or values before the softmax. A label beyond the classes is no row.
    ///
    /// Shapes: `scores: [classes]`.
    pub fn add(&mut self, scores: &[f32], label: u32, loss: f64) {
        let (classes, label, best) = (self.right.len(), label as usize, best_class(scores));
        if label >= classes || best >= classes {
            return;
        }
        self.rows += 1;
        self.loss += loss;
        self.right[label] += usize::from(best == label);
        self.labelled[label] += 1;
        self.answered[best] += 1;
        if let Some(count) = self.confusion.get_mut(label * classes + best) {
            *count = count.saturating_add(1);
        }
        if let (2, [first, second]) = (classes, scores) {
            self.ranked[label].push(second - first);
        }
    }

    /// Fraction of rows whose answer is their label (`accuracy_score`); 0 without rows.
    pub fn accuracy(&self) -> f64 {
        self.right.iter().sum::<usize>() as f64 / self.rows.max(1) as f64
    }

    /// Mean over the classes that have rows of the fraction of their rows that is answered right
    /// (`balanced_accuracy_score`).
    pub fn balanced(&self) -> Option<f64> {
        let counts = self.right.iter().zip(&self.labelled).filter(|(_, labelled)| **labelled > 0);
        mean(counts.map(|(right, labelled)| *right as f64 / *labelled as f64))
    }

    /// Mean over the classes that have rows or answers of F1, the harmonic mean of precision and recall
    /// (`f1_score(average="macro")`).
    pub fn macro_f1(&self) -> Option<f64> {
        let sums = self.labelled.iter().zip(&self.answered).map(|(labelled, answered)| labelled + answered);
        let counts = self.right.iter().zip(sums).filter(|(_, sum)| *sum > 0);
        mean(counts.map(|(right, sum)| 2.0 * *right as f64 / sum as f64))
    }

    /// Of two classes: the probability that a row of the second scores higher for it than a row of the first, ties
    /// counting half (`roc_auc_score`). Nothing for other numbers of classes, or where one of the two has no rows.
    pub fn auc(&self) -> Option<f64> {
        auc(&self.ranked[0], &self.ranked[1])
    }

    /// Everything that was counted.
    pub fn evaluation(self) -> Evaluation {
        let single = |value: Option<f64>| value.map(|value| value as f32);
        Evaluation {
            balanced: single(self.balanced()),
            macro_f1: single(self.macro_f1()),
            auc: single(self.auc()),
            confusion: Confusion::new(self.right.len(), &self.confusion),
            ..Evaluation::new((self.loss / self.rows.max(1) as f64) as f32, self.accuracy() as f32, self.rows)
        }
    }
}

/// The Mann-Whitney statistic as a fraction of all pairs of a positive and a negative: the area under the receiver
/// operating curve (Hanley and McNeil 1982). Pairs of equal scores count half. `None` where one of the two is empty.
///
/// Shapes: scores of the rows that are not it, and of those that are, `[negatives]`, `[positives]`.
pub fn auc(negatives: &[f32], positives: &[f32]) -> Option<f64> {
    let (negatives, positives) = (rising(negatives), rising(positives));
    let (mut below, mut reached, mut pairs) = (0, 0, 0.0f64);
    for positive in &positives {
        below += negatives[below..].iter().take_while(|negative| *negative < positive).count();
        reached = reached.max(below);
        reached += negatives[reached..].iter().take_while(|negative| *negative == positive).count();
        pairs += (below + reached) as f64 / 2.0;
    }
    let all = negatives.len() as f64 * positives.len() as f64;
    (all > 0.0).then(|| pairs / all)
}

/// Scores as numbers of the same order, sorted: by their digits of eleven bits, which takes a quarter of the time that
/// comparing them does.
fn rising(scores: &[f32]) -> Vec<u32> {
    const DIGITS: [u32; 3] = [0, 11, 22];
    const FEW: usize = 512;
    // The bits of positive floats rise with them, those of negative ones fall; 0 is added for the zero with a sign.
    let key = |score: &f32| {
        let bits = (score + 0.0).to_bits();
        if bits >> 31 == 1 { !bits } else { bits | 1 << 31 }
    };
    let mut keys: Vec<u32> = scores.iter().map(key).collect();
    if keys.len() < FEW {
        keys.sort_unstable();
        return keys;
    }
    let mut sorted = vec![0; keys.len()];
    for shift in DIGITS {
        let digit = |key: u32| (key >> shift & 2047) as usize;
        let mut places = [0usize; 2048];
        keys.iter().for_each(|key| places[digit(*key)] += 1);
        let mut next = 0;
        places.iter_mut().for_each(|place| next += std::mem::replace(place, next));
        for &key in &keys {
            sorted[places[digit(key)]] = key;
            places[digit(key)] += 1;
        }
        std::mem::swap(&mut keys, &mut sorted);
    }
    keys
}

/// Sums errors of a model that answers with a number.
#[derive(Debug, Clone)]
pub struct NumberTally {
    loss: Loss,
    unit: f64,
    rows: usize,
    squares: f64,
    absolute: f64,
    /// Mean of the targets so far, and the sum of their squared distances to it (Welford 1962).
    mean: f64,
    spread: f64,
}

impl NumberTally {
    /// For targets in parts of `unit`; the loss is in parts of it too, errors are told in what it is measured in.
    pub fn new(loss: Loss, unit: f32) -> Self {
        Self { loss, unit: f64::from(unit), rows: 0, squares: 0.0, absolute: 0.0, mean: 0.0, spread: 0.0 }
    }

    /// Takes one row: what the model says and what is true.
    pub fn add(&mut self, value: f32, target: f32) {
        let (error, target) = (f64::from(value) - f64::from(target), f64::from(target));
        self.rows += 1;
        self.squares += error * error;
        self.absolute += error.abs();
        let before = target - self.mean;
        self.mean += before / self.rows as f64;
        self.spread += before * (target - self.mean);
    }

    /// 1 less the squared errors over those of the mean of the targets (`r2_score`). Nothing where all targets are
    /// equal.
    pub fn r2(&self) -> Option<f64> {
        (self.spread > 0.0).then(|| 1.0 - self.squares / self.spread)
    }

    /// Everything that was summed. The loss is the mean absolute error under [`Loss::Mae`] and the mean squared error
    /// under every other.
    pub fn evaluation(self) -> Evaluation {
        let (rows, r2) = (self.rows.max(1) as f64, self.r2());
        let (squared, absolute) = (self.squares / rows, self.absolute / rows);
        let loss = if self.loss == Loss::Mae { absolute } else { squared };
        // NaN stays NaN under clamp; a model that says NaN explains nothing.
        let explained = r2.filter(|r2| r2.is_finite()).map_or(0.0, |r2| r2.clamp(0.0, 1.0));
        Evaluation {
            rmse: Some((self.unit * squared.sqrt()) as f32),
            mae: Some((self.unit * absolute) as f32),
            r2: r2.map(|r2| r2 as f32),
            ..Evaluation::new(loss as f32, explained as f32, self.rows)
        }
    }
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0usize), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / count as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(classes: usize, rows: &[(&[f32], u32)]) -> ClassTally {
        let mut tally = ClassTally::new(classes);
        rows.iter().for_each(|(scores, label)| tally.add(scores, *label, 0.5));
        tally
    }

    fn close(got: Option<f32>, want: f32) -> bool {
        got.is_some_and(|got| (got - want).abs() < 1e-6)
    }

    /// Labels 0 0 0 0 1 1 2, answers 0 0 0 1 1 2 2 of four classes: recalls 3/4, 1/2, 1; precisions 1, 1/2, 1/2; F1 6/7,
    /// 1/2, 2/3. The fourth class has neither rows nor answers and counts nowhere.
    #[test]
    fn classes_by_hand() {
        let scores = |class: usize| -> [f32; 4] { std::array::from_fn(|at| f32::from(at == class)) };
        let mut tally = ClassTally::new(4);
        for (label, answer) in [(0, 0), (0, 0), (0, 0), (0, 1), (1, 1), (1, 2), (2, 2)] {
            tally.add(&scores(answer), label, 2.0);
        }
        tally.add(&scores(0), 9, 2.0);
        let found = tally.evaluation();
        assert_eq!((found.rows, found.loss), (7, 2.0));
        assert!((found.accuracy - 5.0 / 7.0).abs() < 1e-6);
        assert!(close(found.balanced, (0.75 + 0.5 + 1.0) / 3.0), "{found:?}");
        assert!(close(found.macro_f1, (6.0 / 7.0 + 0.5 + 2.0 / 3.0) / 3.0), "{found:?}");
        assert_eq!((found.auc, found.rmse, found.r2), (None, None, None));
        let confusion = found.confusion.unwrap();
        assert_eq!((confusion.at(0, 0), confusion.at(0, 1), confusion.at(1, 2), confusion.at(3, 3)), (3, 1, 1, 0));
    }

    /// scikit-learn counts a class that was answered and has no rows in macro-F1, with 0, and not in balanced accuracy.
    #[test]
    fn a_class_without_rows_counts_where_it_was_answered() {
        let found = tally(2, &[(&[0.2, 0.8], 0), (&[0.9, 0.1], 0)]).evaluation();
        assert!(close(found.balanced, 0.5) && close(found.macro_f1, (2.0 / 3.0 + 0.0) / 2.0), "{found:?}");
        assert_eq!(found.auc, None, "there is no row of the second class");
    }

    #[test]
    fn a_model_that_never_finds_the_rare_class_has_half() {
        let rows: Vec<(&[f32], u32)> = (0..100).map(|row| (&[0.9f32, 0.1][..], u32::from(row == 0))).collect();
        let found = tally(2, &rows).evaluation();
        assert!((found.accuracy - 0.99).abs() < 1e-6 && close(found.balanced, 0.5) && close(found.auc, 0.5));
        // F1 of the frequent class is 2 * 99 / (99 + 100).
        assert!(close(found.macro_f1, 99.0 / 199.0), "{found:?}");
    }

    #[test]
    fn auc_by_hand() {
        // Of 2 x 2 pairs, three are in order and one is tied.
        assert_eq!(auc(&[0.5, 0.1], &[0.9, 0.5]), Some(3.5 / 4.0));
        assert_eq!((auc(&[], &[0.1, 0.2]), auc(&[0.1], &[]), auc(&[0.0], &[-0.0])), (None, None, Some(0.5)));
        // roc_auc_score([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]) is 0.75, in scikit-learn's documentation.
        let rows: [(&[f32], u32); 4] = [(&[0.9, 0.1], 0), (&[0.6, 0.4], 0), (&[0.65, 0.35], 1), (&[0.2, 0.8], 1)];
        assert_eq!((tally(2, &rows).auc(), tally(2, &rows).evaluation().auc), (Some(0.75), Some(0.75)));
    }

    /// Enough scores of both signs, many of them equal, for the sort by digits.
    #[test]
    fn auc_counts_all_pairs() {
        let score = |at: usize| ((at * 7919 % 601) as f32 - 300.0) * [1e-30, 0.01, 1e20][at % 3];
        let (negatives, positives): (Vec<f32>, Vec<f32>) =
            ((0..900).map(score).collect(), (0..700).map(|at| score(at * 3 + 1) + 1.0).collect());
        let pair = |negative: f32, positive: f32| match negative.total_cmp(&positive) {
            _ if negative == positive => 0.5,
            order => f64::from(u8::from(order.is_lt())),
        };
        let pairs = negatives.iter().flat_map(|one| positives.iter().map(move |other| pair(*one, *other)));
        assert_eq!(auc(&negatives, &positives), Some(pairs.sum::<f64>() / (900.0 * 700.0)));
        assert!(rising(&negatives).is_sorted() && rising(&negatives[..100]).is_sorted());
    }

    #[test]
    fn many_classes_have_no_matrix() {
        let rows = [([0.0; 65], 64)];
        let rows: Vec<(&[f32], u32)> = rows.iter().map(|(scores, label)| (&scores[..], *label)).collect();
        let found = tally(65, &rows).evaluation();
        assert_eq!((found.confusion, found.balanced, found.macro_f1), (None, Some(0.0), Some(0.0)));
        let nothing = ClassTally::new(3).evaluation();
        assert_eq!((nothing.rows, nothing.accuracy, nothing.balanced, nothing.loss), (0, 0.0, None, 0.0));
    }

    /// r2_score([3, -0.5, 2, 7], [2.5, 0.0, 2, 8]) is 0.9486081370449679, in scikit-learn's documentation, where the mean
    /// squared error is 0.375 and the mean absolute error 0.5.
    #[test]
    fn numbers_by_hand() {
        let of = |loss: Loss, unit: f32| {
            let mut tally = NumberTally::new(loss, unit);
            [(2.5, 3.0), (0.0, -0.5), (2.0, 2.0), (8.0, 7.0)].into_iter().for_each(|(v, t)| tally.add(v, t));
            tally.evaluation()
        };
        let found = of(Loss::Mse, 10.0);
        assert!(close(found.rmse, 10.0 * 0.375f32.sqrt()) && close(found.mae, 5.0) && close(found.r2, 0.948_608_14));
        assert!((found.loss, found.rows, found.balanced) == (0.375, 4, None) && close(found.r2, found.accuracy));
        assert_eq!(of(Loss::Mae, 1.0).loss, 0.5);
    }

    #[test]
    fn what_explains_nothing_is_no_accuracy() {
        let of = |pairs: &[(f32, f32)]| {
            let mut tally = NumberTally::new(Loss::Mse, 1.0);
            pairs.iter().for_each(|(value, target)| tally.add(*value, *target));
            tally.evaluation()
        };
        let worse_than_the_mean = of(&[(5.0, 0.0), (-5.0, 1.0)]);
        assert!(worse_than_the_mean.r2.unwrap() < 0.0 && worse_than_the_mean.accuracy == 0.0);
        assert_eq!((of(&[(1.0, 1.0), (1.0, 1.0)]).r2, of(&[(1.0, 2.0)]).r2, of(&[]).r2), (None, None, None));
        assert_eq!(of(&[(f32::NAN, 2.0), (1.0, 1.0)]).accuracy, 0.0);
    }
}
