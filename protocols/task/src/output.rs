//! What a model answers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::real::Real;

/// Most classes; beyond that a column is no list of classes.
const MAX_CLASSES: usize = 10_000;

/// The kind of answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OutputKind {
    /// One class of a list.
    Classes,
    /// A number.
    Number,
}

/// What is predicted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Output {
    /// The column of a table with the answers; empty for images.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub column: String,
    /// The kind of answer.
    pub kind: OutputKind,
    /// The classes: all of them, also where a peer has only some. Whole numbers are ordered by value, words by their bytes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
    /// How much a row of a class counts in the loss; 1 where nothing is said. For classes of very different size.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub weights: BTreeMap<String, Real>,
    /// Unit of a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Mean that a number is scaled by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean: Option<Real>,
    /// Standard deviation that a number is scaled by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sd: Option<Real>,
}

impl Output {
    /// One class of a list.
    pub fn classes(column: &str, values: Vec<String>) -> Self {
        let kind = OutputKind::Classes;
        Self { column: column.to_owned(), kind, values, weights: BTreeMap::new(), unit: None, mean: None, sd: None }
    }

    /// A number, scaled by these.
    pub fn number(column: &str, mean: Real, sd: Real) -> Self {
        let (kind, mean, sd) = (OutputKind::Number, Some(mean), Some(sd));
        Self { column: column.to_owned(), kind, values: Vec::new(), weights: BTreeMap::new(), unit: None, mean, sd }
    }

    /// Outputs of a model: one a class, or one number.
    pub fn width(&self) -> usize {
        match self.kind {
            OutputKind::Classes => self.values.len(),
            OutputKind::Number => 1,
        }
    }

    /// The weight of each class, in the order of `values`; `None` where all are 1.
    pub fn class_weights(&self) -> Option<Vec<f32>> {
        let weight = |value: &String| self.weights.get(value).map_or(1.0, |weight| weight.get() as f32);
        (!self.weights.is_empty()).then(|| self.values.iter().map(weight).collect())
    }

    /// Checks the keys against each other and brings lists to their order.
    ///
    /// # Errors
    /// What contradicts itself, in words.
    pub(crate) fn normalize(&mut self) -> Result<(), String> {
        for value in &mut self.values {
            *value = crate::clean(value).map_err(|reason| format!("the class {value:?}: {reason}"))?;
        }
        self.values = in_order(std::mem::take(&mut self.values));
        if let Some(twice) = twice(&self.values) {
            return Err(format!("the class {twice:?} is listed twice"));
        }
        let positive = |number: &Real| number.get() > 0.0 && number.get() <= 1e6;
        match self.kind {
            OutputKind::Classes if !(2..=MAX_CLASSES).contains(&self.values.len()) => {
                Err(format!("values lists {} classes; 2 to {MAX_CLASSES} are needed", self.values.len()))
            }
            OutputKind::Classes if self.mean.is_some() || self.sd.is_some() => {
                Err("mean and sd are of kind = \"number\"".to_owned())
            }
            OutputKind::Classes => {
                match self.weights.iter().find(|(class, weight)| !self.values.contains(class) || !positive(weight)) {
                    Some((class, weight)) => Err(format!(
                        "weights: {class} = {weight} is no class of the list with a number from above 0 to 1e6"
                    )),
                    None => Ok(()),
                }
            }
            OutputKind::Number if !self.values.is_empty() || !self.weights.is_empty() => {
                Err("values and weights are of kind = \"classes\"".to_owned())
            }
            OutputKind::Number if self.mean.is_none() || !self.sd.is_some_and(|sd| sd.get() > 0.0) => {
                Err("a number needs mean and sd (above 0), by which it is scaled".to_owned())
            }
            OutputKind::Number => Ok(()),
        }
    }
}

/// Words in the order of all lists: as numbers where all are whole numbers, else by their bytes.
pub fn in_order(mut words: Vec<String>) -> Vec<String> {
    words.sort();
    if words.iter().all(|word| word.parse::<i64>().is_ok()) {
        words.sort_by_key(|word| word.parse::<i64>().unwrap_or(0));
    }
    words
}

/// A word that a list holds twice.
pub(crate) fn twice(words: &[String]) -> Option<&String> {
    let mut seen = std::collections::BTreeSet::new();
    words.iter().find(|word| !seen.insert(*word))
}
