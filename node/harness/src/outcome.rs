//! What came of a demo: the closing table, and the same as one JSON object.

use std::fmt::Write;

use serde::{Deserialize, Serialize};

use super::{Baselines, Board, accuracy_table, percent};

/// What came of a demo. Field names are stable; new fields may be added. Accuracies are fractions of the test rows.
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
    /// Accuracy of the same model trained alone on the same rows.
    pub alone: f32,
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
                accuracy: line.test.unwrap_or(0.0),
                alone: *alone,
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
            pooled: baselines.pooled,
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

    /// The closing table.
    pub fn table(&self) -> String {
        let cell = |fraction: f32| percent(f64::from(fraction));
        let alone = || self.peers.iter().map(|peer| peer.alone);
        let (least, most) = (alone().reduce(f32::min).unwrap_or(0.0), alone().reduce(f32::max).unwrap_or(0.0));
        let peers = self.peers.len();
        let rows = [
            (format!("{peers} peers together"), [self.worst, self.mean, self.best].map(cell)),
            ("each alone".to_owned(), [least, self.alone_mean, most].map(cell)),
            ("all rows pooled".to_owned(), [String::new(), cell(self.pooled), String::new()]),
        ];
        let mut text = accuracy_table(&format!("accuracy on {} test rows", self.test_rows), &rows);
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

/// A number of bytes for people.
pub fn bytes(count: u64) -> String {
    match count {
        0..=999 => format!("{count} B"),
        1_000..=999_999 => format!("{:.1} kB", count as f64 / 1e3),
        1_000_000..=999_999_999 => format!("{:.1} MB", count as f64 / 1e6),
        _ => format!("{:.2} GB", count as f64 / 1e9),
    }
}
