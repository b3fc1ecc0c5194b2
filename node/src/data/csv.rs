//! CSV files with a header and a named label column; every other column is a number.

use std::path::Path;
use std::sync::Arc;

use super::load::Raw;
use super::{DataError, Values};

/// Largest file read.
const MAX_BYTES: u64 = 1 << 30;
/// Most columns; wider tables are images or text and have better formats.
const MAX_COLUMNS: usize = 65_536;
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
    let mut classes: Vec<String> = train.labels.clone();
    if let Some((test_path, table)) = &test {
        if table.names != train.names {
            let reason = format!("its columns are not those of {}", path.display());
            return Err(DataError::File { path: (*test_path).to_owned(), reason });
        }
        classes.extend(table.labels.iter().cloned());
    }
    sort_classes(&mut classes);
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

/// Distinct labels, as numbers where all are whole numbers, else as words.
fn sort_classes(classes: &mut Vec<String>) {
    classes.sort();
    classes.dedup();
    if classes.iter().all(|class| class.parse::<i64>().is_ok()) {
        classes.sort_by_key(|class| class.parse::<i64>().unwrap_or(0));
    }
}

fn read(path: &Path, label: &str) -> Result<Table, DataError> {
    let failed = |source| DataError::Read { path: path.to_owned(), source };
    let bytes = std::fs::metadata(path).map_err(failed)?.len();
    let wrong = |reason: String| DataError::File { path: path.to_owned(), reason };
    if bytes > MAX_BYTES {
        return Err(wrong(format!("it is larger than {MAX_BYTES} bytes")));
    }
    let mut reader =
        csv::ReaderBuilder::new().trim(csv::Trim::All).from_path(path).map_err(|e| wrong(e.to_string()))?;
    let header: Vec<String> = reader.headers().map_err(|e| wrong(e.to_string()))?.iter().map(str::to_owned).collect();
    let column = label_column(path, &header, label)?;
    let mut table = Table { names: Vec::new(), features: Vec::new(), labels: Vec::new() };
    table.names = header.iter().enumerate().filter(|(index, _)| *index != column).map(|(_, n)| n.clone()).collect();
    for record in reader.records() {
        // The csv crate names line and lengths of a ragged row itself.
        let record = record.map_err(|error| wrong(error.to_string()))?;
        let line = record.position().map_or(0, csv::Position::line);
        for (index, field) in record.iter().enumerate() {
            if index == column {
                table.labels.push(field.to_owned());
            } else {
                table.features.push(number(path, line, &header[index], field)?);
            }
        }
    }
    if table.labels.is_empty() {
        return Err(wrong("it has a header but no rows".to_owned()));
    }
    Ok(table)
}

fn label_column(path: &Path, header: &[String], label: &str) -> Result<usize, DataError> {
    let wrong = |reason: String| DataError::File { path: path.to_owned(), reason };
    if header.len() < 2 || header.len() > MAX_COLUMNS {
        return Err(wrong(format!("it has {} columns; 2 to {MAX_COLUMNS} are needed", header.len())));
    }
    let mut sorted: Vec<&String> = header.iter().collect();
    sorted.sort();
    if let Some(pair) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(wrong(format!("its header has the column {:?} twice", pair[0])));
    }
    header.iter().position(|name| name == label).ok_or_else(|| DataError::NoLabel {
        path: path.to_owned(),
        label: label.to_owned(),
        columns: header.iter().take(20).cloned().collect::<Vec<_>>().join(", "),
    })
}

fn number(path: &Path, line: u64, column: &str, field: &str) -> Result<f32, DataError> {
    let value = field.parse::<f32>().ok().filter(|value| value.is_finite());
    value.ok_or_else(|| DataError::NotANumber {
        path: path.to_owned(),
        line,
        column: column.to_owned(),
        got: field.chars().take(40).collect(),
    })
}
