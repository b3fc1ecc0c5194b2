//! The samples of the whole network as columns, which take half the bytes of rows.

use serde::Serialize;

use super::thin::{brief, picked};
use crate::record::NetworkRow;

/// Shapes: every column has the same length. Units as in [`NetworkRow`].
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct NetworkColumns {
    /// Milliseconds.
    pub t: Vec<u64>,
    /// Peers up.
    pub up: Vec<u64>,
    /// Rounds of the slowest.
    pub rounds_min: Vec<u64>,
    /// Mean rounds.
    pub rounds: Vec<f64>,
    /// Accuracy of the worst.
    pub worst: Vec<Option<f64>>,
    /// Mean accuracy.
    pub mean: Vec<Option<f64>>,
    /// Accuracy of the best.
    pub best: Vec<Option<f64>>,
    /// Disagreement.
    pub disagreement: Vec<Option<f64>>,
    /// Bytes received by all.
    pub bytes: Vec<u64>,
    /// CPU seconds of all.
    pub cpu: Vec<f64>,
    /// Resident megabytes of all.
    pub rss: Vec<Option<f64>>,
}

impl NetworkColumns {
    /// At most `most` of the rows.
    pub fn new(rows: &[NetworkRow], most: usize) -> Self {
        let mut columns = Self::default();
        let brief_option = |value: Option<f64>| value.filter(|value| value.is_finite()).map(brief);
        for row in picked(rows.len(), most).map(|index| &rows[index]) {
            columns.t.push(row.t_ms);
            columns.up.push(row.up);
            columns.rounds_min.push(row.rounds_min);
            columns.rounds.push(brief(row.rounds_mean));
            columns.worst.push(brief_option(row.worst));
            columns.mean.push(brief_option(row.mean));
            columns.best.push(brief_option(row.best));
            columns.disagreement.push(brief_option(row.disagreement));
            columns.bytes.push(row.bytes_in);
            columns.cpu.push(brief(row.cpu_s));
            columns.rss.push(brief_option(row.rss_mb));
        }
        columns
    }
}
