//! Tables that are written and read back.

use proptest::prelude::*;

use super::super::Dialect;
use super::{read, read_as};

/// Texts of any kind; what would be missing or trimmed is another matter.
fn cell() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-zäß漢]{1,8}",
        "[a-z\"', ;|\t\n#]{1,12}",
        (-1e6..1e6).prop_map(|number: f64| number.to_string()),
        any::<i32>().prop_map(|number| number.to_string()),
        Just(String::new()),
    ]
}

/// What a reader makes of a text.
fn as_read(cell: &str) -> String {
    match cell.trim() {
        "" => "~".to_owned(),
        "-" | "." => "~".to_owned(),
        text => text.to_owned(),
    }
}

fn written(rows: &[Vec<String>], delimiter: char) -> Vec<u8> {
    let mut writer = csv::WriterBuilder::new()
        .delimiter(delimiter as u8)
        .quote_style(csv::QuoteStyle::Always)
        .from_writer(Vec::new());
    for row in rows {
        writer.write_record(row).unwrap();
    }
    writer.into_inner().unwrap()
}

proptest! {
    #[test]
    fn a_table_of_any_texts_reads_back_where_its_form_is_said(
        rows in (1usize..6).prop_flat_map(|width| prop::collection::vec(prop::collection::vec(cell(), width), 1..20)),
        delimiter in prop::sample::select(vec![',', ';', '\t', '|']),
        end in prop::sample::select(vec!["\n", "\r\n"]),
    ) {
        let names: Vec<String> = (0..rows[0].len()).map(|column| format!("name{column}")).collect();
        let mut text = written(&[vec![names.clone()], rows.clone()].concat(), delimiter);
        if end == "\r\n" {
            text = String::from_utf8(text).unwrap().replace('\n', "\r\n").into_bytes();
        }
        let said = Dialect {
            delimiter: Some(delimiter),
            quote: Some("\"".to_owned()),
            header: Some(true),
            decimal: Some('.'),
            missing: Some(Vec::new()),
            ..Dialect::default()
        };
        let (got, _) = read_as(&text, &said);
        let want: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(|cell| match cell.trim() {
            "" => "~".to_owned(),
            text => text.to_owned(),
        }).collect()).collect();
        prop_assert_eq!(&got.columns, &names);
        prop_assert_eq!(got.rows, want);
    }

    #[test]
    fn a_table_with_numbers_reads_back_without_a_word_about_its_form(
        rows in (2usize..7).prop_flat_map(|width| prop::collection::vec(
            (prop::collection::vec(-1e3..1e3, width), // Words such as t and no can be truth values, of which the first row of a file without a header may lack one.
            "[a-eg-mo-su-x]{2,6}( [a-z]{1,6})?"), 2..30)),
        delimiter in prop::sample::select(vec![",", ";", "\t", "|"]),
        end in prop::sample::select(vec!["\n", "\r\n", "\r"]),
        comma in any::<bool>(),
        header in any::<bool>(),
        holes in any::<u64>(),
    ) {
        let width = rows[0].0.len();
        let comma = comma && matches!(delimiter, ";" | "\t");
        let mut text = String::new();
        if header {
            let names: Vec<String> = (0..width).map(|column| format!("name{column}")).collect();
            text += &format!("{}{delimiter}label{end}", names.join(delimiter));
        }
        let mut want = Vec::new();
        for (at, (numbers, label)) in rows.iter().enumerate() {
            let mut cells: Vec<String> = numbers.iter().map(|number| format!("{number:.2}")).collect();
            // Not in the first row, which tells a file without a header.
            if at > 0 && holes >> at & 1 == 1 {
                cells[at % width].clear();
            }
            let shown = if comma { cells.join(delimiter).replace('.', ",") } else { cells.join(delimiter) };
            text += &format!("{shown}{delimiter}{label}{end}");
            let read = |cell: &String| match cell.parse::<f64>() {
                Ok(number) if comma => format!("#{number}"),
                _ => as_read(cell),
            };
            want.push(cells.iter().map(read).chain([as_read(label)]).collect::<Vec<_>>());
        }
        let (got, understood) = read(&text);
        prop_assert_eq!(understood.header, header);
        prop_assert_eq!(understood.decimal_comma, comma);
        prop_assert_eq!(got.columns.len(), width + 1);
        prop_assert_eq!(got.rows, want);
    }

    #[test]
    fn any_bytes_are_a_table_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let (_directory, path) = super::file("bytes", bytes);
        if let Err(error) = super::read_path(&path, &Dialect::default()) {
            let said = error.to_string();
            prop_assert!(said.contains("bytes") && !said.chars().any(char::is_control), "{:?}", said);
        }
    }

    #[test]
    fn any_text_is_a_table_or_an_error(text in "[a-z0-9,;\t|\"'{}\\[\\]:#\r\n ]{0,200}") {
        let (_directory, path) = super::file("text", text);
        if let Err(error) = super::read_path(&path, &Dialect::default()) {
            let said = error.to_string();
            prop_assert!(said.contains("text") && !said.chars().any(char::is_control), "{:?}", said);
        }
    }
}
