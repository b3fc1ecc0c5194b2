//! What the columns of a file hold: counted in one pass, with bounded memory.

mod column;
mod leak;

use std::path::Path;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

pub use column::{ColumnSurvey, Guess};
pub use leak::Leak;

use super::DataError;
use super::records::{Cell, Dialect, Row, Understood, open};

/// Rows of the sample on which columns are compared with the label, of tables that are not wide.
const SAMPLE: usize = 4_000;
/// Cells of the sample; wide tables have fewer rows in it, but not fewer than so many.
const SAMPLE_CELLS: usize = 4_000_000;
const LEAST_SAMPLE: usize = 60;
/// Characters that are kept of a cell of the sample.
const SAMPLE_WORD: usize = 200;

/// What the columns of a file hold.
#[derive(Debug, Clone)]
pub struct Survey {
    /// What the reader made of the file.
    pub understood: Understood,
    /// Rows.
    pub rows: u64,
    /// Columns, in the order of the file.
    pub columns: Vec<ColumnSurvey>,
    /// Rows chosen at random, in words, long ones cut: `[rows][columns]`.
    pub sample: Vec<Vec<String>>,
}

/// A cell in words: numbers in their shortest form, so that `1.0` in one file is `1` in another.
pub(super) fn word(cell: Cell<'_>) -> Option<String> {
    match cell {
        Cell::Missing => None,
        Cell::Text(text) => Some(text.to_owned()),
        Cell::Number(number) => Some(number.to_string()),
        Cell::Boolean(value) => Some(value.to_string()),
    }
}

/// The beginning of a long word, so that a sample of long texts is not large.
fn cut(mut word: String) -> String {
    if let Some((end, _)) = word.char_indices().nth(SAMPLE_WORD) {
        word.truncate(end);
        word.shrink_to_fit();
    }
    word
}

impl Survey {
    /// Reads a whole table.
    ///
    /// # Errors
    /// It cannot be read, or has no rows.
    pub fn of(path: &Path, dialect: &Dialect) -> Result<Self, DataError> {
        let (mut rows, understood) = open(path, dialect)?;
        let width = rows.columns().len();
        let mut columns: Vec<ColumnSurvey> = rows.columns().iter().map(|name| ColumnSurvey::new(name, width)).collect();
        let most = (SAMPLE_CELLS / width.max(1)).clamp(LEAST_SAMPLE, SAMPLE);
        for &place in &understood.nameless {
            columns.get_mut(place).into_iter().for_each(|column| column.nameless = true);
        }
        let (mut row, mut count, mut sample) = (Row::new(), 0u64, Vec::new());
        // Any seed: the sample is only looked at here.
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        while rows.read(&mut row)? {
            count += 1;
            for (column, cell) in columns.iter_mut().zip(row.cells()) {
                column.take(cell, row.line());
            }
            // Reservoir sampling (Vitter 1985, algorithm R).
            let place = if sample.len() < most { sample.len() as u64 } else { rng.random_range(0..count) };
            if (place as usize) < most {
                let words = row.cells().map(|cell| cut(word(cell).unwrap_or_default())).collect();
                match sample.get_mut(place as usize) {
                    Some(kept) => *kept = words,
                    None => sample.push(words),
                }
            }
        }
        if count == 0 {
            let reason = "it has a header but no rows".to_owned();
            return Err(DataError::File { path: path.to_owned(), reason });
        }
        Ok(Self { understood, rows: count, columns, sample })
    }

    /// A column by name.
    pub fn column(&self, name: &str) -> Option<&ColumnSurvey> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// The columns that tell the label nearly always, by the sample.
    pub fn leaks(&self, label: &str) -> Vec<Leak> {
        let Some(place) = self.columns.iter().position(|column| column.name == label) else { return Vec::new() };
        let others = (0..self.columns.len()).filter(|&other| other != place);
        others.filter_map(|other| leak::leak(&self.sample, other, place, &self.columns[other].name)).collect()
    }
}
