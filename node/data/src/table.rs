//! Tables: CSV files with a header and a named label column; features are numbers.
//!
//! Columns are found by name and ordered by name, so that two people whose files have them in another order mean the same.

use std::path::Path;
use std::sync::Arc;

use super::csv::CsvReader;
use super::raw::{Raw, place_of};
use super::{DataConfig, DataError, Values};

/// Most classes; beyond that the label column is not one.
const MAX_CLASSES: usize = 10_000;

/// A table as read: feature names, features row by row, the label of each row in words.
pub(super) struct Table {
    names: Vec<String>,
    features: Vec<f32>,
    labels: Vec<String>,
    /// Where each row stands in the file, from 1.
    lines: Vec<u64>,
}

/// Reads training rows and, from a second file with the same columns, test rows.
///
/// # Errors
/// Whatever is wrong with the files, with line and column.
pub(super) fn load(path: &Path, test: Option<&Path>, config: &DataConfig) -> Result<(Raw, Option<Raw>), DataError> {
    let train = read(path, config, &config.columns)?;
    // The columns of the training rows are those of the model; others may be there.
    let test = test.map(|test| read(test, config, &train.names).map(|table| (test, table))).transpose()?;
    let mut labels: Vec<String> = train.labels.clone();
    labels.extend(test.iter().flat_map(|(_, table)| table.labels.iter().cloned()));
    let classes = match config.classes.is_empty() {
        true => classes_of(labels),
        false => classes_of(config.classes.clone()),
    };
    if classes.len() < 2 || classes.len() > MAX_CLASSES {
        let got = classes.len();
        return Err(DataError::Classes { path: path.to_owned(), column: config.label.clone(), got, most: MAX_CLASSES });
    }
    let test = test.map(|(path, table)| raw(path, table, &classes)).transpose()?;
    Ok((raw(path, train, &classes)?, test))
}

fn raw(path: &Path, table: Table, classes: &[String]) -> Result<Raw, DataError> {
    let number = |(label, line): (&String, &u64)| {
        place_of(label, classes).map_err(|reason| DataError::Row { path: path.to_owned(), line: *line, reason })
    };
    Ok(Raw {
        input: vec![table.names.len()],
        labels: table.labels.iter().zip(&table.lines).map(number).collect::<Result<_, _>>()?,
        features: Values::Floats(Arc::new(table.features)),
        columns: table.names,
        classes: classes.to_vec(),
    })
}

/// The classes that labels name: each once, ordered as numbers where all are whole numbers, else as words.
pub fn classes_of(labels: Vec<String>) -> Vec<String> {
    let mut classes = labels;
    classes.sort();
    classes.dedup();
    if classes.iter().all(|class| class.parse::<i64>().is_ok()) {
        classes.sort_by_key(|class| class.parse::<i64>().unwrap_or(0));
    }
    classes
}

/// The columns that are features, by name: those wanted, or all but the label.
fn features(path: &Path, header: &[String], label: usize, wanted: &[String]) -> Result<Vec<usize>, DataError> {
    let mut features: Vec<usize> = match wanted.is_empty() {
        true => (0..header.len()).filter(|index| *index != label).collect(),
        false => {
            let place = |name: &String| {
                let found = header.iter().position(|column| column == name).filter(|index| *index != label);
                found.ok_or_else(|| DataError::File {
                    path: path.to_owned(),
                    reason: match header.get(label) == Some(name) {
                        true => format!("column {name:?} is the label, and cannot be a feature too"),
                        false => format!("it has no column {name:?}; it has {}", listed(header)),
                    },
                })
            };
            wanted.iter().map(place).collect::<Result<_, _>>()?
        }
    };
    if let Some(nameless) = features.iter().find(|&&index| header[index].is_empty()) {
        // Most often the number of the row, which tells the label where rows are sorted by it.
        let reason = format!("column {} has no name; name it, or list the features in data.columns", nameless + 1);
        return Err(DataError::File { path: path.to_owned(), reason });
    }
    features.sort_by(|one, other| header[*one].cmp(&header[*other]));
    features.dedup();
    Ok(features)
}

/// The features of every row of a file that has these columns; others, and the label, may be there.
///
/// # Errors
/// A column is missing, or a feature is no finite number.
pub(super) fn read_features(path: &Path, columns: &[String]) -> Result<Vec<f32>, DataError> {
    let mut reader = CsvReader::open(path, true)?;
    let header = reader.header().to_vec();
    let places = features(path, &header, usize::MAX, columns)?;
    let mut values = Vec::new();
    while let Some(row) = reader.next_row()? {
        for &place in &places {
            values.push(row.number(place)?);
        }
    }
    Ok(values)
}

fn listed(header: &[String]) -> String {
    header.iter().take(20).cloned().collect::<Vec<_>>().join(", ")
}

fn read(path: &Path, config: &DataConfig, wanted: &[String]) -> Result<Table, DataError> {
    let mut reader = CsvReader::open(path, true)?;
    let (header, label) = (reader.header().to_vec(), &config.label);
    let column = reader.column(label).ok_or_else(|| DataError::NoLabel {
        path: path.to_owned(),
        label: label.to_owned(),
        columns: listed(&header),
    })?;
    let features = features(path, &header, column, wanted)?;
    let names = features.iter().map(|&index| header[index].clone()).collect();
    let mut table = Table { names, features: Vec::new(), labels: Vec::new(), lines: Vec::new() };
    while let Some(row) = reader.next_row()? {
        let label = row.cell(column);
        if label.is_empty() {
            return Err(row.wrong(format!("the label, column {:?}, is empty", config.label)));
        }
        table.labels.push(label.to_owned());
        table.lines.push(row.line());
        for &index in &features {
            table.features.push(row.number(index)?);
        }
    }
    match table.labels.is_empty() {
        true => Err(DataError::File { path: path.to_owned(), reason: "it has a header but no rows".to_owned() }),
        false => Ok(table),
    }
}
