//! What came of a demo: the closing table, and the same as one JSON object.

use std::fmt::Write;

use peerlearn::learner::Evaluation;
use serde::{Deserialize, Serialize};

use super::{AccuracyRow, Baselines, Board, accuracy_table, percent, significant};

/// What came of a demo. Field names are stable; new fields may be added. Accuracies are fractions of the test rows; where
/// targets are numbers, they are R2 from 0 to 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Accuracy of the worst peer.
    pub worst: f32,
    /// Mean accuracy of the peers.
    pub mean: f32,
    /// Accuracy of the best peer.
    pub best: f32,
    /// Mean accuracy of the same model trained alone on each slice.
    pub alone_mean: f32,
    /// Accuracy of the same model trained on all rows pooled.
    pub pooled: f32,
    /// Its other scores.
    #[serde(default, skip_serializing_if = "Scores::is_empty")]
    pub pooled_scores: Scores,
    /// Wall seconds of learning together: from the first node started to the last round closed.
    pub seconds: f64,
    /// CPU seconds of the whole process in that time, both kinds.
    pub cpu_seconds: f64,
    /// Wall seconds of training the baselines afterwards.
    #[serde(default)]
    pub baseline_seconds: f64,
    /// Bytes received by all peers.
    pub bytes_in: u64,
    /// Bytes sent by all peers.
    pub bytes_out: u64,
    /// Rounds closed by the slowest peer.
    pub rounds: u64,
    /// Rows to measure on.
    pub test_rows: usize,
    /// The model.
    pub model: String,
    /// How rows were partitioned.
    pub partition: String,
    /// The seed.
    pub seed: u64,
    /// Version of the program.
    pub version: String,
    /// Each peer.
    pub peers: Vec<PeerOutcome>,
}

/// One peer of a demo.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PeerOutcome {
    /// Its name in the demo.
    pub name: String,
    /// Its id, 64 hexadecimal digits.
    pub peer: String,
    /// Rows it trained on.
    pub rows: usize,
    /// Classes among them.
    pub classes: usize,
    /// Accuracy after learning together.
    pub accuracy: f32,
    /// Its other scores.
    #[serde(flatten)]
    pub scores: Scores,
    /// Accuracy of the same model trained alone on the same rows.
    pub alone: f32,
    /// Its other scores.
    #[serde(default, skip_serializing_if = "Scores::is_empty")]
    pub alone_scores: Scores,
    /// Rounds closed.
    pub rounds: u64,
    /// Other peers it knew.
    pub known: usize,
    /// Bytes received.
    pub bytes_in: u64,
    /// Bytes sent.
    pub bytes_out: u64,
    /// CPU seconds of its learner.
    pub cpu_seconds: f64,
}

/// What was measured beside accuracy, on the test rows. As in [`Evaluation`]: what does not apply is not there.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Scores {
    /// Of classes: mean recall.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub balanced: Option<f32>,
    /// Of classes: mean F1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub macro_f1: Option<f32>,
    /// Of two classes: area under the receiver operating curve.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auc: Option<f32>,
    /// Of numbers: root of the mean squared error, in the unit of the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rmse: Option<f32>,
    /// Of numbers: mean absolute error, in the unit of the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mae: Option<f32>,
    /// Of numbers: part of the variance explained.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub r2: Option<f32>,
}

impl Scores {
    /// Whether nothing was measured beside accuracy.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl From<&Evaluation> for Scores {
    fn from(found: &Evaluation) -> Self {
        let Evaluation { balanced, macro_f1, auc, rmse, mae, r2, .. } = found;
        Self { balanced: *balanced, macro_f1: *macro_f1, auc: *auc, rmse: *rmse, mae: *mae, r2: *r2 }
    }
}

/// What the outcome needs besides board and baselines.
pub(super) struct Facts {
    pub seconds: f64,
    pub cpu_seconds: f64,
    pub baseline_seconds: f64,
    pub test_rows: usize,
    pub model: String,
    pub partition: String,
    pub seed: u64,
    /// Id, rows and classes of each peer.
    pub peers: Vec<(String, usize, usize)>,
}

impl Outcome {
    pub(super) fn new(board: &Board, baselines: &Baselines, facts: Facts) -> Self {
        let peers: Vec<PeerOutcome> = board
            .lines()
            .iter()
            .zip(&baselines.alone)
            .zip(facts.peers)
            .map(|((line, alone), (peer, rows, classes))| PeerOutcome {
                name: line.name.clone(),
                peer,
                rows,
                classes,
                accuracy: line.test.as_ref().map_or(0.0, |test| test.accuracy),
                scores: line.test.as_ref().map(Scores::from).unwrap_or_default(),
                alone: alone.accuracy,
                alone_scores: alone.into(),
                rounds: line.round,
                known: line.known,
                bytes_in: line.bytes_in,
                bytes_out: line.bytes_out,
                cpu_seconds: line.cpu.as_secs_f64(),
            })
            .collect();
        let accuracies = || peers.iter().map(|peer| peer.accuracy);
        let count = peers.len().max(1) as f32;
        Self {
            worst: accuracies().reduce(f32::min).unwrap_or(0.0),
            mean: accuracies().sum::<f32>() / count,
            best: accuracies().reduce(f32::max).unwrap_or(0.0),
            alone_mean: peers.iter().map(|peer| peer.alone).sum::<f32>() / count,
            pooled: baselines.pooled.accuracy,
            pooled_scores: (&baselines.pooled).into(),
            seconds: facts.seconds,
            cpu_seconds: facts.cpu_seconds,
            baseline_seconds: facts.baseline_seconds,
            bytes_in: peers.iter().map(|peer| peer.bytes_in).sum(),
            bytes_out: peers.iter().map(|peer| peer.bytes_out).sum(),
            rounds: board.least_round(),
            test_rows: facts.test_rows,
            model: facts.model,
            partition: facts.partition,
            seed: facts.seed,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            peers,
        }
    }

    /// Whether targets are numbers and not classes.
    fn is_of_numbers(&self) -> bool {
        self.pooled_scores.rmse.is_some() || self.peers.iter().any(|peer| peer.scores.rmse.is_some())
    }

    /// The closing table.
    pub fn table(&self) -> String {
        let peers = self.peers.len();
        let together: Vec<(f32, Scores)> = self.peers.iter().map(|peer| (peer.accuracy, peer.scores)).collect();
        let alone: Vec<(f32, Scores)> = self.peers.iter().map(|peer| (peer.alone, peer.alone_scores)).collect();
        let mut rows = self.rows_of(format!("{peers} peers together"), &together);
        rows.extend(self.rows_of("each alone".to_owned(), &alone));
        let pooled = self.rows_of("all rows pooled".to_owned(), &[(self.pooled, self.pooled_scores)]);
        // A single model is neither the worst nor the best.
        let alone_in_its_row = |(name, [_, mean, _]): AccuracyRow| (name, [String::new(), mean, String::new()]);
        rows.extend(pooled.into_iter().map(alone_in_its_row));
        let what = if self.is_of_numbers() { "R2" } else { "accuracy" };
        let mut text = accuracy_table(&format!("{what} on {} test rows", self.test_rows), &rows);
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{} rounds of {}, {}, seed {}: {:.1} s, {:.1} CPU s (baselines: {:.1} s more); {} in, {} out, {} a peer and round",
            self.rounds,
            self.model,
            self.partition,
            self.seed,
            self.seconds,
            self.cpu_seconds,
            self.baseline_seconds,
            bytes(self.bytes_in),
            bytes(self.bytes_out),
            bytes(self.bytes_in / (self.rounds.max(1) * peers.max(1) as u64)),
        );
        text
    }
}

impl Outcome {
    /// A row of accuracies or of R2, and below it one each of what else all models have.
    fn rows_of(&self, name: String, models: &[(f32, Scores)]) -> Vec<AccuracyRow> {
        let share: fn(f32) -> String = |value| percent(f64::from(value));
        let plain: fn(f32) -> String = |value| format!("{value:.3}");
        let accuracies: Vec<f32> = models.iter().map(|(accuracy, _)| *accuracy).collect();
        let mut rows = vec![(name, cells(&accuracies, true, if self.is_of_numbers() { plain } else { share }))];
        type Pick = fn(&Scores) -> Option<f32>;
        type Show = fn(f32) -> String;
        let more: [(&str, Pick, bool, Show); 3] = [
            ("balanced accuracy", |scores| scores.balanced, true, share),
            ("RMSE", |scores| scores.rmse, false, significant),
            ("MAE", |scores| scores.mae, false, significant),
        ];
        for (name, pick, more_is_better, show) in more {
            let values: Option<Vec<f32>> = models.iter().map(|(_, scores)| pick(scores)).collect();
            if let Some(values) = values.filter(|values| !values.is_empty()) {
                rows.push((format!("  {name}"), cells(&values, more_is_better, show)));
            }
        }
        rows
    }
}

/// Worst, mean and best.
fn cells(values: &[f32], more_is_better: bool, show: fn(f32) -> String) -> [String; 3] {
    let least = values.iter().copied().reduce(f32::min).unwrap_or(0.0);
    let most = values.iter().copied().reduce(f32::max).unwrap_or(0.0);
    let (worst, best) = if more_is_better { (least, most) } else { (most, least) };
    [worst, values.iter().sum::<f32>() / values.len().max(1) as f32, best].map(show)
}

/// A number of bytes for people.
pub fn bytes(count: u64) -> String {
    match count {
        0..=999 => format!("{count} B"),
        1_000..=999_999 => format!("{:.1} kB", count as f64 / 1e3),
        1_000_000..=999_999_999 => format!("{:.1} MB", count as f64 / 1e6),
        _ => format!("{:.2} GB", count as f64 / 1e9),
    }
}
