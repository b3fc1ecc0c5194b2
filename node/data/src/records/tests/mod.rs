//! Tables of every kind, written by the tests.

mod delimiters;
mod encodings;
mod headers;
mod json;
mod malformed;
#[cfg(feature = "parquet")]
mod parquet;
mod roundtrip;
mod sources;
mod values;

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::{Cell, Dialect, Row, Rows, Understood, open};
use crate::DataError;

/// A table as read: cells as words, where `~` is a missing value, `#1.5` a number and `!true` a truth value.
#[derive(Debug, PartialEq)]
pub(super) struct Read {
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
    lines: Vec<u64>,
}

pub(super) fn file(name: &str, bytes: impl AsRef<[u8]>) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    (directory, path)
}

pub(super) fn all(rows: &mut dyn Rows) -> Result<Read, DataError> {
    let mut read = Read { columns: rows.columns().to_vec(), rows: Vec::new(), lines: Vec::new() };
    let mut row = Row::new();
    while rows.read(&mut row)? {
        assert_eq!(row.len(), read.columns.len());
        read.lines.push(row.line());
        let word = |cell: Cell<'_>| match cell {
            Cell::Missing => "~".to_owned(),
            Cell::Text(text) => text.to_owned(),
            Cell::Number(number) => format!("#{number}"),
            Cell::Boolean(value) => format!("!{value}"),
        };
        read.rows.push(row.cells().map(word).collect());
    }
    Ok(read)
}

pub(super) fn read_path(path: &Path, dialect: &Dialect) -> Result<(Read, Understood), DataError> {
    let (mut rows, understood) = open(path, dialect)?;
    let first = all(&mut *rows)?;
    rows.rewind()?;
    let second = all(&mut *rows)?;
    assert_eq!(first, second, "the second reading is another");
    Ok((first, understood))
}

/// Reads bytes as a file, without a word about its form.
pub(super) fn read(bytes: impl AsRef<[u8]>) -> (Read, Understood) {
    let (_directory, path) = file("rows", bytes);
    read_path(&path, &Dialect::default()).unwrap_or_else(|error| panic!("{error}"))
}

pub(super) fn read_as(bytes: impl AsRef<[u8]>, dialect: &Dialect) -> (Read, Understood) {
    let (_directory, path) = file("rows", bytes);
    read_path(&path, dialect).unwrap_or_else(|error| panic!("{error}"))
}

/// What is wrong with these bytes; the path in front is cut.
pub(super) fn wrong(bytes: impl AsRef<[u8]>) -> String {
    wrong_as(bytes, &Dialect::default())
}

pub(super) fn wrong_as(bytes: impl AsRef<[u8]>, dialect: &Dialect) -> String {
    let (directory, path) = file("rows", bytes);
    let error = match read_path(&path, dialect) {
        Err(error) => error.to_string(),
        Ok(read) => panic!("nothing is wrong: {read:?}"),
    };
    error.replace(&format!("{}/", directory.path().display()), "")
}

/// Rows of words, cells separated by spaces.
pub(super) fn rows(words: &[&str]) -> Vec<Vec<String>> {
    words.iter().map(|row| row.split(' ').map(str::to_owned).collect()).collect()
}

/// Asserts that every part is in a text.
#[track_caller]
pub(super) fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in {text:?}");
    }
}
