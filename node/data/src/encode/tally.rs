//! What was done to the cells of a file.

use super::Done;

/// Lines that are kept as examples.
const EXAMPLES: usize = 4;

/// What was done to the cells of one column.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ColumnTally {
    /// Name in the task.
    pub column: String,
    /// Missing cells that were filled.
    pub filled: u64,
    /// Invalid cells that were taken as missing.
    pub invalid: u64,
    /// Numbers far from the mean that were brought nearer.
    pub clamped: u64,
    /// Values that are not listed.
    pub other: u64,
    /// Rows left out for it.
    pub quarantined: u64,
    /// The first lines of these.
    pub lines: Vec<u64>,
}

/// What was done to the cells of a file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tally {
    /// Rows read.
    pub rows: u64,
    /// Rows learnt from.
    pub learnt: u64,
    /// Rows without an answer.
    pub no_label: u64,
    /// Rows that the user leaves out.
    pub dropped: u64,
    /// By column, in the order of the task.
    pub columns: Vec<ColumnTally>,
}

impl Tally {
    pub(super) fn new(columns: Vec<String>) -> Self {
        let columns = columns.into_iter().map(|column| ColumnTally { column, ..ColumnTally::default() }).collect();
        Self { columns, ..Self::default() }
    }

    pub(super) fn note(&mut self, column: usize, done: Done, line: u64) {
        let tally = &mut self.columns[column];
        let count = match done {
            Done::Plain => return,
            Done::Filled => &mut tally.filled,
            Done::Invalid => &mut tally.invalid,
            Done::Clamped => &mut tally.clamped,
            Done::Other => &mut tally.other,
            Done::Quarantined => &mut tally.quarantined,
        };
        *count += 1;
        if !matches!(done, Done::Filled) && tally.lines.len() < EXAMPLES {
            tally.lines.push(line);
        }
    }

    /// What somebody should know, one sentence each.
    pub fn sentences(&self) -> Vec<String> {
        let mut said = Vec::new();
        if self.no_label > 0 {
            said.push(format!("{} rows have no label and are not learnt from", self.no_label));
        }
        if self.dropped > 0 {
            said.push(format!("{} rows are left out as data.map says", self.dropped));
        }
        for tally in &self.columns {
            let lines: Vec<String> = tally.lines.iter().map(u64::to_string).collect();
            let lines = format!("lines {} …", lines.join(", "));
            let name = &tally.column;
            let share = tally.clamped as f64 / self.rows.max(1) as f64 * 100.0;
            for (count, words) in [
                (tally.quarantined, format!("rows left out: {name} is not plausible there ({lines})")),
                (tally.invalid, format!("cells of {name} are no values and taken as missing ({lines})")),
                (
                    tally.clamped,
                    format!(
                        "numbers of {name} ({share:.1} %) are far from the task's mean and brought nearer ({lines}); another unit?"
                    ),
                ),
                (tally.other, format!("values of {name} are not in the task's list and count as other ({lines})")),
            ] {
                if count > 0 {
                    said.push(format!("{count} {words}"));
                }
            }
        }
        said
    }
}
