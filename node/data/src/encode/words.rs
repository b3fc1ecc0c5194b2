//! The place of a word in a list of values.

use std::collections::HashMap;

use crate::mapping::MappedColumn;
use crate::records::{Cell, number};

/// Words and which value of a list each of them is: the values themselves, other words that the task or the user accept, and
/// the same in lower case where no two values differ in nothing but case. Numbers are compared as numbers.
#[derive(Debug, Default)]
pub(super) struct Words {
    exact: HashMap<String, usize>,
    folded: HashMap<String, usize>,
}

impl Words {
    pub(super) fn new(values: &[String], source: &MappedColumn) -> Self {
        let mut words = Self::default();
        for (at, value) in values.iter().enumerate() {
            words.exact.insert(value.clone(), at);
            words.exact.insert(in_short(value), at);
        }
        let place = |value: &String| values.iter().position(|other| other == value);
        for (value, others) in &source.accepted.values {
            if let Some(at) = place(value) {
                for other in others {
                    words.exact.entry(other.clone()).or_insert(at);
                }
            }
        }
        // What the user says is stronger than what the task accepts.
        for (word, value) in &source.entry.values {
            if let Some(at) = place(value) {
                words.exact.insert(word.clone(), at);
            }
        }
        let mut clashes = Vec::new();
        for (word, at) in &words.exact {
            if words.folded.insert(word.to_lowercase(), *at).is_some_and(|before| before != *at) {
                clashes.push(word.to_lowercase());
            }
        }
        clashes.iter().for_each(|word| {
            words.folded.remove(word);
        });
        words
    }

    /// The place in the list of what a cell holds.
    pub(super) fn find(&self, cell: Cell<'_>) -> Option<usize> {
        match cell {
            Cell::Missing => None,
            Cell::Boolean(value) => self.word(if value { "true" } else { "false" }),
            Cell::Number(value) => self.exact.get(&value.to_string()).copied(),
            Cell::Text(text) => self.word(text),
        }
    }

    fn word(&self, text: &str) -> Option<usize> {
        let found = self.exact.get(text).or_else(|| self.exact.get(&in_short(text)));
        found.or_else(|| self.folded.get(&text.to_lowercase())).copied()
    }
}

/// A number in its shortest form; other words as they are.
fn in_short(word: &str) -> String {
    number(word, false).map_or_else(|| word.to_owned(), |value| value.to_string())
}
