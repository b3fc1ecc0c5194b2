//! Columns that tell the label.

use std::collections::HashMap;

use crate::records::number;

/// Fewest rows of a sample to judge by.
const FEWEST: usize = 30;
/// Share of rows from which on a column tells the label.
const TELLS: f64 = 0.98;

/// A column that tells the label nearly always.
#[derive(Debug, Clone, PartialEq)]
pub struct Leak {
    /// The column.
    pub column: String,
    /// Share of rows whose label it tells.
    pub share: f64,
}

/// Whether a column tells the label in a sample of rows, `[rows][columns]`.
///
/// Of a few different values each is taken to mean its most frequent label. Numbers are put in order and cut into runs of at
/// least a twentieth of the rows. Chance is allowed for: the most frequent label alone must not tell as much.
pub(super) fn leak(sample: &[Vec<String>], column: usize, label: usize, name: &str) -> Option<Leak> {
    let rows: Vec<(&str, &str)> = sample
        .iter()
        .map(|row| (row[column].as_str(), row[label].as_str()))
        .filter(|(value, label)| !value.is_empty() && !label.is_empty())
        .collect();
    if rows.len() < FEWEST {
        return None;
    }
    let base = told(std::iter::once(rows.iter().map(|row| row.1)), rows.len());
    let share = match rows.iter().map(|row| number(row.0, false)).collect::<Option<Vec<f64>>>() {
        Some(numbers) => {
            let mut sorted: Vec<(f64, &str)> = numbers.into_iter().zip(rows.iter().map(|row| row.1)).collect();
            sorted.sort_by(|one, other| one.0.total_cmp(&other.0).then_with(|| one.1.cmp(other.1)));
            told(sorted.chunks((rows.len() / 20).max(10)).map(|run| run.iter().map(|row| row.1)), rows.len())
        }
        None => {
            let mut of_value: HashMap<&str, Vec<&str>> = HashMap::new();
            rows.iter().for_each(|(value, label)| of_value.entry(value).or_default().push(label));
            if of_value.len() * 4 > rows.len() {
                return None;
            }
            told(of_value.into_values().map(Vec::into_iter), rows.len())
        }
    };
    (share >= TELLS && share - base > 0.1).then(|| Leak { column: name.to_owned(), share })
}

/// Share of rows whose label is the most frequent one of their group.
fn told<'a>(groups: impl Iterator<Item = impl Iterator<Item = &'a str>>, rows: usize) -> f64 {
    let best = |group: &mut dyn Iterator<Item = &'a str>| {
        let mut counts: HashMap<&str, usize> = HashMap::new();
        group.for_each(|label| *counts.entry(label).or_default() += 1);
        counts.into_values().max().unwrap_or(0)
    };
    let right: usize = groups.map(|mut group| best(&mut group)).sum();
    right as f64 / rows.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(cell: impl Fn(usize) -> (String, String)) -> Vec<Vec<String>> {
        (0..400).map(cell).map(|(value, label)| vec![value, label]).collect()
    }

    #[test]
    fn a_column_that_tells_the_label_is_found_and_others_are_not() {
        let tells = |rows: Vec<Vec<String>>| leak(&rows, 0, 1, "c").is_some();
        let label = |row: usize| if row < 200 { "a" } else { "b" }.to_owned();
        assert!(tells(sample(|row| (row.to_string(), label(row)))), "the number of a sorted row");
        assert!(tells(sample(|row| (format!("code-{}", label(row)), label(row)))), "another word for the label");
        assert!(!tells(sample(|row| ((row % 7).to_string(), label(row)))), "nothing to do with it");
        assert!(!tells(sample(|row| (format!("name{row}"), label(row)))), "all different words tell nothing");
        assert!(!tells(sample(|row| ((row % 2).to_string(), if row == 3 { "b" } else { "a" }.to_owned()))), "chance");
    }
}
