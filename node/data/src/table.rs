//! Tables: CSV files with a header and a named label column; every other column is a number.

use std::path::Path;
use std::sync::Arc;

use super::csv::CsvReader;
use super::raw::Raw;
use super::{DataError, Values};

/// Most classes; beyond that the label column is not one.
const MAX_CLASSES: usize = 10_000;

/// A table as read: feature names, features row by row, the label of each row in words.
pub(super) struct Table {
    names: Vec<String>,
    features: Vec<f32>,
    labels: Vec<String>,
}

/// Reads training rows and, from a second file with the same columns, test rows.
///
/// # Errors
/// Whatever is wrong with the files, with line and column.
pub(super) fn load(path: &Path, test: Option<&Path>, label: &str) -> Result<(Raw, Option<Raw>), DataError> {
    let train = read(path, label)?;
    let test = test.map(|test| read(test, label).map(|table| (test, table))).transpose()?;
    let mut labels: Vec<String> = train.labels.clone();
    if let Some((test_path, table)) = &test {
        if table.names != train.names {
            let reason = format!("its columns are not those of {}", path.display());
            return Err(DataError::File { path: (*test_path).to_owned(), reason });
        }
        labels.extend(table.labels.iter().cloned());
    }
    let classes = classes_of(labels);
    if classes.len() < 2 || classes.len() > MAX_CLASSES {
        let got = classes.len();
        return Err(DataError::Classes { path: path.to_owned(), column: label.to_owned(), got, most: MAX_CLASSES });
    }
    let test = test.map(|(_, table)| raw(table, &classes));
    Ok((raw(train, &classes), test))
}

fn raw(table: Table, classes: &[String]) -> Raw {
    let number = |label: &String| classes.iter().position(|class| class == label).unwrap_or(0) as u32;
    Raw {
        input: vec![table.names.len()],
        labels: table.labels.iter().map(number).collect(),
        features: Values::Floats(Arc::new(table.features)),
        classes: classes.to_vec(),
    }
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

fn read(path: &Path, label: &str) -> Result<Table, DataError> {
    let mut reader = CsvReader::open(path, true)?;
    let header = reader.header().to_vec();
    let column = reader.column(label).ok_or_else(|| DataError::NoLabel {
        path: path.to_owned(),
        label: label.to_owned(),
        columns: header.iter().take(20).cloned().collect::<Vec<_>>().join(", "),
    })?;
    let features: Vec<usize> = (0..header.len()).filter(|index| *index != column).collect();
    let names = features.iter().map(|&index| header[index].clone()).collect();
    let mut table = Table { names, features: Vec::new(), labels: Vec::new() };
    while let Some(row) = reader.next_row()? {
        table.labels.push(row.cell(column).to_owned());
        for &index in &features {
            table.features.push(row.number(index)?);
        }
    }
    match table.labels.is_empty() {
        true => Err(DataError::File { path: path.to_owned(), reason: "it has a header but no rows".to_owned() }),
        false => Ok(table),
    }
}
