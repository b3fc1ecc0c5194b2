//! When a peer takes new numbers.

use serde::{Deserialize, Serialize};

use super::Summaries;
use crate::numbers::{Numbers, Scale};
use crate::schema::Schema;

/// Deviations by which a mean moves much.
const FAR: f64 = 0.5;
/// Factor by which a deviation changes much.
const UNLIKE: f64 = 2.0;

/// The numbers that a peer trains in, and how many peers they are from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Frame {
    /// How many peers had a voice.
    pub voices: usize,
    /// What columns are scaled by.
    pub numbers: Numbers,
}

/// The least number of voices in the same lot: 1, 2, 3, 4-5, 6-8, 9-12, 13-18 and so on, each beginning half as high again as the one
/// before, so that a network that grows changes its numbers a few times and no more.
pub fn bucket(voices: usize) -> usize {
    if voices < 2 {
        return voices;
    }
    let mut least = 2;
    while least + least / 2 <= voices {
        least += least / 2;
    }
    least
}

impl Frame {
    /// The numbers of the task.
    pub fn declared(schema: &Schema) -> Self {
        Self { voices: 0, numbers: Numbers::declared(schema) }
    }

    /// What is to be taken in place of this one: numbers of enough voices more ([`bucket`]), or of as many voices that have
    /// moved much.
    pub fn next(&self, summaries: &Summaries) -> Option<Self> {
        let voices = summaries.voices();
        if bucket(voices) < bucket(self.voices) || voices == 0 {
            return None;
        }
        let next = Self { voices, numbers: summaries.numbers() };
        let is_better = bucket(voices) > bucket(self.voices);
        (is_better || self.moved(&next)).then_some(next)
    }

    /// Whether some column moved by more than half a deviation, or its deviation by more than a factor of two.
    fn moved(&self, next: &Self) -> bool {
        let moved = |(name, to): (&String, &Scale)| {
            let from = self.numbers.of(name);
            let ratio = to.sd / from.sd;
            (to.mean - from.mean).abs() > FAR * from.sd || !(1.0 / UNLIKE..=UNLIKE).contains(&ratio)
        };
        next.numbers.0.iter().any(moved)
    }

    /// The columns that are scaled otherwise than by another frame: name, before, now.
    pub fn changes<'a>(&'a self, before: &'a Self) -> impl Iterator<Item = (&'a str, Scale, Scale)> {
        let both = |(name, now): (&'a String, &Scale)| (name.as_str(), before.numbers.of(name), *now);
        self.numbers.0.iter().map(both).filter(|(_, before, now)| before != now)
    }
}
