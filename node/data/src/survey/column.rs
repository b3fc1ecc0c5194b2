//! What one column of a file holds.

use std::collections::HashMap;

use peerlearn_task::Moments;

use crate::records::{Cell, DateError, boolean, date, number};

/// Different values of a column that are counted one by one; beyond that only that there are more.
const MAX_VALUES: usize = 10_000;
/// Different values of a column of numbers that are counted.
const MAX_NUMBERS: usize = 200;
/// Most different values of a category.
const MAX_CATEGORIES: usize = 100;
/// Bytes of different values that are kept, of all columns together, and of one column at least and at most.
const VALUE_BYTES: usize = 256 << 20;
const COLUMN_BYTES: std::ops::RangeInclusive<usize> = 16 << 10..=4 << 20;
/// What a value takes beside its text.
const VALUE_OVERHEAD: usize = 64;

/// What a column of a file holds.
#[derive(Debug, Clone)]
pub struct ColumnSurvey {
    /// Its name; made up where the file gives none.
    pub name: String,
    /// Whether the header gives it no name.
    pub nameless: bool,
    /// Cells without a value.
    pub missing: u64,
    /// Cells that are numbers.
    pub numbers: u64,
    /// Cells that are whole numbers.
    pub integers: u64,
    /// Cells that are truth values: true, no, …
    pub booleans: u64,
    /// Cells that are dates.
    pub dates: u64,
    /// Cells that are dates in two ways, as 01/02/2024.
    pub ambiguous_dates: u64,
    /// All cells with a value.
    pub count: u64,
    /// Of the numbers; of the dates, in days since 1970-01-01, where there are no numbers.
    pub moments: Moments,
    /// Least number.
    pub minimum: f64,
    /// Greatest number.
    pub maximum: f64,
    /// How often each value is there; `None` where there are too many different ones.
    pub values: Option<HashMap<String, u64>>,
    /// The first cell that is no number: its line and text.
    pub first_word: Option<(u64, String)>,
    /// The first cell without a value: its line.
    pub first_missing: Option<u64>,
    /// Whether every number is the one before and 1.
    pub counts_up: bool,
    last: Option<f64>,
    /// Bytes that different values may still take.
    room: usize,
}

/// What a column seems to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guess {
    /// No cell has a value.
    Empty,
    /// All values are the same.
    Constant,
    /// Numbers the rows.
    Index,
    /// Whole numbers.
    Integer,
    /// Numbers.
    Number,
    /// Truth values.
    Boolean,
    /// Dates.
    Date,
    /// A few words.
    Category,
    /// Many different words.
    Text,
}

impl ColumnSurvey {
    /// A column of a table that has so many.
    pub(super) fn new(name: &str, columns: usize) -> Self {
        Self {
            room: (VALUE_BYTES / columns.max(1)).clamp(*COLUMN_BYTES.start(), *COLUMN_BYTES.end()),
            name: name.to_owned(),
            nameless: false,
            missing: 0,
            numbers: 0,
            integers: 0,
            booleans: 0,
            dates: 0,
            ambiguous_dates: 0,
            count: 0,
            moments: Moments::default(),
            minimum: f64::INFINITY,
            maximum: f64::NEG_INFINITY,
            values: Some(HashMap::new()),
            first_word: None,
            first_missing: None,
            counts_up: true,
            last: None,
        }
    }

    pub(super) fn take(&mut self, cell: Cell<'_>, line: u64) {
        match cell {
            Cell::Missing => {
                self.missing += 1;
                self.first_missing.get_or_insert(line);
                return;
            }
            Cell::Number(value) => self.take_number(value),
            Cell::Boolean(value) => {
                self.booleans += 1;
                self.note(if value { "true" } else { "false" });
            }
            Cell::Text(text) => match number(text, false) {
                Some(value) => self.take_number(value),
                None => self.take_word(text, line),
            },
        }
        self.count += 1;
    }

    fn take_number(&mut self, value: f64) {
        self.numbers += 1;
        self.integers += u64::from(value.fract() == 0.0);
        self.moments.push(value);
        self.minimum = self.minimum.min(value);
        self.maximum = self.maximum.max(value);
        self.counts_up &= self.last.is_none_or(|last| value == last + 1.0);
        self.last = Some(value);
        if self.values.as_ref().is_some_and(|values| values.len() <= MAX_NUMBERS) {
            self.note(&value.to_string());
        } else if self.count == self.numbers - 1 {
            // Numbers only, so far: their values need not be counted any more.
            self.values = None;
        }
    }

    fn take_word(&mut self, text: &str, line: u64) {
        self.counts_up = false;
        if self.first_word.is_none() {
            self.first_word = Some((line, text.chars().take(40).collect()));
        }
        if boolean(text).is_some() {
            self.booleans += 1;
        } else {
            match date(text, None) {
                Ok(days) => {
                    self.dates += 1;
                    if self.numbers == 0 {
                        self.moments.push(days);
                    }
                }
                Err(DateError::Ambiguous { .. }) => self.ambiguous_dates += 1,
                Err(DateError::NotADate) => {}
            }
        }
        self.note(text);
    }

    fn note(&mut self, value: &str) {
        let Some(values) = &mut self.values else { return };
        if let Some(count) = values.get_mut(value) {
            *count += 1;
        } else if values.len() < MAX_VALUES && value.len() + VALUE_OVERHEAD <= self.room {
            self.room -= value.len() + VALUE_OVERHEAD;
            values.insert(value.to_owned(), 1);
        } else {
            self.values = None;
        }
    }

    /// Different values; `None` where there are too many to count.
    pub fn distinct(&self) -> Option<usize> {
        self.values.as_ref().map(HashMap::len)
    }

    /// What it seems to be.
    pub fn guess(&self) -> Guess {
        let distinct = self.distinct();
        let all_different =
            self.integers == self.count && (self.counts_up || distinct.is_none_or(|d| d as u64 == self.count));
        match self.count {
            0 => Guess::Empty,
            count if distinct == Some(1) && count > 1 => Guess::Constant,
            count if count > 2 && all_different && (self.nameless || is_index_name(&self.name)) => Guess::Index,
            count if self.integers == count => Guess::Integer,
            // A few words among many numbers are slips of the pen.
            count if self.numbers * 100 >= count * 95 && self.numbers > 0 => Guess::Number,
            count if self.booleans == count => Guess::Boolean,
            count if self.dates == count => Guess::Date,
            count => match distinct {
                Some(distinct) if distinct <= MAX_CATEGORIES && (distinct as u64 * 2 <= count || distinct <= 3) => {
                    Guess::Category
                }
                _ => Guess::Text,
            },
        }
    }

    /// Its values, the most frequent first; those that are equally frequent by name.
    pub fn by_frequency(&self) -> Vec<(String, u64)> {
        let values = self.values.iter().flatten();
        let mut values: Vec<(String, u64)> = values.map(|(value, count)| (value.clone(), *count)).collect();
        values.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
        values
    }
}

/// Whether a column of such a name numbers rows or people, where its values are all different.
fn is_index_name(name: &str) -> bool {
    let lower = name.to_lowercase();
    let last_word = |word: &str| {
        lower.strip_suffix(word).is_some_and(|rest| {
            rest.is_empty()
                || rest.ends_with(['_', ' ', '-', '.'])
                || name.ends_with(&word.to_uppercase())
                || name.ends_with("Id")
                || name.ends_with("Nr")
        })
    };
    lower.is_empty() || lower.starts_with("unnamed: ") || ["id", "index", "row", "nr"].into_iter().any(last_word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_indices() {
        for name in ["", "id", "ID", "row_id", "PatientId", "PatNr", "index", "Unnamed: 0", "customer id"] {
            assert!(is_index_name(name), "{name}");
        }
        for name in ["x", "valid", "arrow", "humidity", "grid"] {
            assert!(!is_index_name(name), "{name}");
        }
    }
}
