//! Class names to class numbers.

use std::collections::HashMap;

use crate::Raw;
use crate::raw::classes_of;

/// Labels in words, numbered in the order in which they come until all are known.
#[derive(Debug, Default)]
pub(super) struct Names {
    numbers: HashMap<String, u32>,
    labels: Vec<u32>,
}

impl Names {
    /// Adds the label of the next row.
    pub(super) fn push(&mut self, name: &str) {
        let next = self.numbers.len() as u32;
        let number = match self.numbers.get(name) {
            Some(number) => *number,
            None => *self.numbers.entry(name.to_owned()).or_insert(next),
        };
        self.labels.push(number);
    }

    /// How many different names there are.
    pub(super) fn different(&self) -> usize {
        self.numbers.len()
    }

    /// The classes in the order of all class lists, and the label of each row.
    pub(super) fn finish(self) -> (Vec<String>, Vec<u32>) {
        let classes = classes_of(self.numbers.keys().cloned().collect());
        let mut places = vec![0; classes.len()];
        for (place, class) in classes.iter().enumerate() {
            places[self.numbers[class] as usize] = place as u32;
        }
        let labels = self.labels.into_iter().map(|label| places[label as usize]).collect();
        (classes, labels)
    }
}

/// Gives both the classes that either has.
pub(super) fn unite(one: &mut Raw, other: &mut Raw) {
    if one.classes == other.classes {
        return;
    }
    let all = classes_of(one.classes.iter().chain(&other.classes).cloned().collect());
    let places: HashMap<&String, u32> = all.iter().zip(0..).collect();
    for raw in [&mut *one, &mut *other] {
        let new: Vec<u32> = raw.classes.iter().map(|class| places[class]).collect();
        raw.labels.iter_mut().for_each(|label| *label = new[*label as usize]);
    }
    one.classes.clone_from(&all);
    other.classes = all;
}
