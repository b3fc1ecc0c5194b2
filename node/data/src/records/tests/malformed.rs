//! Files that contradict their beginning, and files that are no tables.

use super::super::{Dialect, TableFault, open};
use super::{all, file, has, wrong, wrong_as};
use crate::DataError;

#[test]
fn a_row_of_another_length_is_an_error_with_its_line() {
    has(&wrong("a,b,c\n1,2,3\n\n1,2\n"), &["line 4", "column \"c\"", "2 cells", "line 1 has 3", "comma"]);
    let error = wrong("a,b,c\n1,2,3\n\"x\ny\",2,3,four\n");
    has(&error, &["line 3", "4 cells", "line 1 has 3", "\"four\"", "data.dialect.delimiter"]);
    has(&wrong("a,b\n1,2,\n3,4,\n"), &["line 2", "delimiter at the end"]);
    has(&wrong("a,b\nr1,1,2\nr2,3,4\n"), &["line 2", "row.names = FALSE"]);
    has(&wrong("569,30,malignant,benign\n1.5,2.5,3.5,4.5,0\n2.5,2.5,3.5,4.5,1\n"), &["line 2", "above the table"]);
    has(&wrong("Report of 2024\n\na,b\n1,2\n"), &["line 3", "above the table"]);
    // Far beyond the part that is looked at.
    let mut late = "a,b\n".to_owned() + &"1.25,some words\n".repeat(100_000);
    late += "1.25\n";
    has(&wrong(late), &["line 100002", "1 cell"]);
}

#[test]
fn an_error_is_an_object_too() {
    let (_directory, path) = file("rows.csv", "a,b\n1,2\n1\n");
    let (mut rows, _) = open(&path, &Dialect::default()).unwrap();
    let Err(DataError::Table(error)) = all(&mut *rows) else { panic!("nothing is wrong") };
    assert_eq!((error.code, error.line, error.column.as_deref()), (TableFault::MissingCell, Some(3), Some("b")));
    let json = serde_json::to_value(&error).unwrap();
    assert_eq!((&json["code"], &json["line"]), (&"missing-cell".into(), &3.into()));
    assert_eq!(rows.file(), path);
}

#[test]
fn a_quote_that_nothing_closes_is_an_error_with_its_line() {
    let said = Dialect { quote: Some("\"".to_owned()), delimiter: Some(','), ..Dialect::default() };
    let text = "a,b\n1,2\n1,\"two\n3,4\n5,6\n";
    has(&wrong_as(text, &said), &["line 3", "never closed", "data.dialect.quote = \"\""]);
    // Beyond the part that is looked at.
    let mut late = "a,b\n".to_owned() + &"1.25,some words\n".repeat(80_000);
    late += "1,\"two\n3,4\n";
    has(&wrong(late), &["line 80002", "never closed"]);
}

#[test]
fn a_row_longer_than_16_mib_is_an_error_with_its_line() {
    let mut text = "a,b\n".to_owned() + &"1.25,some words\n".repeat(80_000);
    text += "1,\"";
    text += &"word\n".repeat((17 << 20) / 5);
    text += "\"\n";
    has(&wrong(&text), &["line 80002", "16 MiB"]);
    let json = format!("{{\"a\":1}}\n{{\"a\":\"{}\"}}\n", "x".repeat(17 << 20));
    has(&wrong(json), &["line 2", "16 MiB"]);
}

#[test]
fn an_empty_file_is_an_error() {
    for text in ["", "\n\n", "  \r\n", "# only a comment\n", "\u{feff}"] {
        has(&wrong(text), &["rows: it is empty"]);
    }
}

#[test]
fn a_dialect_that_cannot_be_is_an_error() {
    let text = "a,b\n1,2\n";
    let wrong = |said| wrong_as(text, &said);
    has(&wrong(Dialect { delimiter: Some('ä'), ..Dialect::default() }), &["data.dialect.delimiter", "'ä'"]);
    has(&wrong(Dialect { quote: Some("<>".to_owned()), ..Dialect::default() }), &["data.dialect.quote"]);
    has(&wrong(Dialect { decimal: Some('x'), ..Dialect::default() }), &["data.dialect.decimal", "'x'"]);
}

#[test]
fn other_kinds_of_file_are_named_with_what_to_do() {
    let noise: Vec<u8> = (0..4000u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let begins = |magic: &[u8]| [magic, &noise[..]].concat();
    let cases: [(&[u8], &[&str]); 12] = [
        (b"PK\x03\x04\x14\0\x06\0[Content_Types].xml", &["Excel", "CSV UTF-8"]),
        (b"PK\x03\x04\x14\0\x06\0data.csv", &["zip", "unpack"]),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", &["old Excel", "CSV UTF-8"]),
        (b"%PDF-1.7\n", &["PDF"]),
        (b"SQLite format 3\0", &["SQLite", "export"]),
        (b"\x89HDF\r\n", &["HDF5"]),
        (b"ARROW1\0\0", &["Feather"]),
        (b"BZh91AY&SY", &["bzip2", "unpack"]),
        (b"\xfd7zXZ\0", &["xz", "unpack"]),
        (b"\x89PNG\r\n", &["PNG"]),
        (b"\x93NUMPY\x01\0", &["NumPy"]),
        (b"", &["no text", "Parquet"]),
    ];
    for (magic, parts) in cases {
        has(&wrong(begins(magic)), parts);
    }
    has(&wrong("\n <!DOCTYPE html>\n<html></html>"), &["web page", "download"]);
    has(&wrong("version https://git-lfs.github.com/spec/v1\n"), &["Git LFS"]);
    let (_directory, path) = file("rows.xlsx", begins(b"PK\x03\x04"));
    let error = open(&path, &Dialect::default()).map(|_| ()).unwrap_err().to_string();
    has(&error, &["Excel", "text", "CSV UTF-8"]);
    // Words that begin as another kind of file does.
    assert_eq!(super::read("BMI,label\n20.5,a\n30.1,b\n").0.columns, ["BMI", "label"]);
    assert_eq!(super::read("ORC,label\n20.5,a\n30.1,b\n").0.columns, ["ORC", "label"]);
}
