//! Delimiters, quotes and ends of lines.

use super::super::{Dialect, Format};
use super::{has, read, read_as, rows, wrong};

/// A table with cells that hold delimiters, quotes and line ends where quotes allow it.
fn table(delimiter: &str, quote: &str, end: &str) -> (String, Vec<Vec<String>>) {
    let odd = match quote {
        "" => "plain".to_owned(),
        quote => format!("big{delimiter} {quote}very{quote} big{end}and long"),
    };
    let written = match quote {
        "" => odd.clone(),
        quote => format!("{quote}{}{quote}", odd.replace(quote, &quote.repeat(2))),
    };
    let mut text = ["x", "y", "label"].map(|name| format!("{quote}{name}{quote}")).join(delimiter) + end;
    let mut rows = Vec::new();
    for number in 0..20 {
        let label = if number % 2 == 0 { (&written, &odd) } else { (&"small".to_owned(), &"small".to_owned()) };
        text += &format!("{number}.5{delimiter}-{number}e-1{delimiter}{}{end}", label.0);
        let odd = label.1.replace(end, "\n");
        rows.push(vec![format!("{number}.5"), format!("-{number}e-1"), odd]);
    }
    (text, rows)
}

#[test]
fn every_delimiter_with_every_quote_and_end_of_line_is_found() {
    for delimiter in [",", ";", "\t", "|", " "] {
        for quote in ["\"", "'", ""] {
            for end in ["\n", "\r\n", "\r"] {
                let (text, want) = table(delimiter, quote, end);
                let (got, understood) = read(&text);
                let case = format!("{delimiter:?} {quote:?} {end:?}");
                assert_eq!(got.columns, ["x", "y", "label"], "{case}");
                assert_eq!(got.rows, want, "{case}");
                assert_eq!(understood.delimiter, delimiter.chars().next(), "{case}");
                assert_eq!(understood.quote, quote.chars().next(), "{case}");
                assert_eq!((understood.header_line, understood.decimal_comma), (Some(1), false), "{case}");
                let format = if delimiter == "\t" { Format::Tsv } else { Format::Csv };
                assert_eq!(understood.format, format, "{case}");
                // Without the last end of a line it is the same table.
                assert_eq!(read(text.trim_end()).0, got, "{case}");
            }
        }
    }
}

#[test]
fn rows_know_their_line_behind_blank_lines_and_within_quotes() {
    for end in ["\n", "\r\n", "\r"] {
        let text = "\na, b\n\n1,\"two\nlines\"\n \n\n 3 , 4.5 \n5,\"\"\n".replace('\n', end);
        let (got, understood) = read(text);
        assert_eq!(got.columns, ["a", "b"]);
        assert_eq!(got.rows, [["1", "two\nlines"], ["3", "4.5"], ["5", "~"]]);
        assert_eq!((got.lines, understood.header_line), (vec![4, 8, 9], Some(2)));
    }
}

#[test]
fn quotes_after_spaces_are_quotes() {
    let (got, _) = read("x, name, y\n1, \"a, b\" , 2\n2,  \"c \"\"d\"\"\", 3\n");
    assert_eq!(got.rows, [["1", "a, b", "2"], ["2", "c \"d\"", "3"]]);
}

#[test]
fn quotes_that_are_signs_like_others_are_kept() {
    let (got, understood) =
        read("size\tkind\tprice\n5\" pipe\ta\t1\n\"big\" one\tb\t2\n\"6 pipe\ta\t3\n7\" pipe\ta\t4\n");
    assert_eq!(got.rows[2], ["\"6 pipe", "a", "3"]);
    assert_eq!((got.rows.len(), understood.quote), (4, None));
}

#[test]
fn any_number_of_spaces_and_tabs_separates_where_spaces_do() {
    let text = "  mpg  cylinders   name\n 18.0   8   \"chevrolet  chevelle\"\n\n15.0   8\t\"buick\"  \n36.  4 \"vw\"\n";
    let (got, understood) = read(text);
    assert_eq!(got.columns, ["mpg", "cylinders", "name"]);
    assert_eq!(got.rows, [["18.0", "8", "chevrolet  chevelle"], ["15.0", "8", "buick"], ["36.", "4", "vw"]]);
    has(&understood.to_string(), &["spaces", "header in line 1"]);
}

#[test]
fn what_the_user_says_is_not_guessed() {
    let text = "a:b\n1:2,5\n3:4,5\n";
    let said = Dialect { delimiter: Some(':'), decimal: Some(','), ..Dialect::default() };
    let (got, understood) = read_as(text, &said);
    assert_eq!(got.rows, rows(&["1 #2.5", "3 #4.5"]));
    assert_eq!((understood.delimiter, understood.decimal_comma), (Some(':'), true));
    let said = Dialect { quote: Some(String::new()), ..Dialect::default() };
    assert_eq!(read_as("a,b\n\"1\",2\n", &said).0.rows, rows(&["\"1\" 2"]));
}

#[test]
fn excels_line_about_the_delimiter_is_followed() {
    let (got, understood) = read("sep=;\r\nx;label\r\n1,5;a\r\n2,5;b\r\n");
    assert_eq!((got.columns, got.rows), (vec!["x".to_owned(), "label".to_owned()], rows(&["#1.5 a", "#2.5 b"])));
    assert_eq!(understood.header_line, Some(2));
}

#[test]
fn one_column_is_a_table() {
    let (got, understood) = read("price\n1.5\n\"\"\n2\n");
    assert_eq!((got.columns, got.rows), (vec!["price".to_owned()], rows(&["1.5", "~", "2"])));
    assert_eq!(understood.delimiter, None);
    has(&understood.to_string(), &["one column", "missing: empty"]);
    assert_eq!(read("1\n2\n3\n").0.columns, ["column1"]);
}

#[test]
fn twenty_thousand_columns_are_a_table() {
    let names: Vec<String> = (0..20_000).map(|column| format!("g{column}")).collect();
    let row = vec!["7"; 20_000].join(",");
    let (got, _) = read(format!("{}\n{row}\n{row}\n{row}\n", names.join(",")));
    assert_eq!((got.columns.len(), got.rows.len()), (20_000, 3));
    assert!(got.rows[2].iter().all(|cell| cell == "7"));
    let names: Vec<String> = (0..70_000).map(|column| format!("g{column}")).collect();
    has(&wrong(format!("{}\n", names.join(","))), &["70000 columns", "at most 65536"]);
}

#[test]
fn decimal_commas_are_found_with_semicolons_and_tabs() {
    for delimiter in [";", "\t"] {
        let text = "x;n;label\n1,50;1;up\n-2.001,5;20;down, really\n;3;up\n".replace(';', delimiter);
        let (got, understood) = read(text);
        assert_eq!(got.rows[0], ["#1.5", "1", "up"]);
        assert_eq!(got.rows[1], ["#-2001.5", "20", "down, really"]);
        assert_eq!(got.rows[2], ["~", "3", "up"]);
        assert!(understood.decimal_comma);
        has(&understood.to_string(), &["decimal commas", "missing: empty"]);
    }
    let (got, understood) = read("x;label\n1.5;a\n2.5;b\n");
    assert_eq!((got.rows, understood.decimal_comma), (rows(&["1.5 a", "2.5 b"]), false));
}

#[test]
fn unsure_decimals_are_an_error_that_says_how_to_say_it() {
    let mixed = "x;y;label\n1,5;1.5;a\n2,5;2.5;b\n";
    has(&wrong(mixed), &["column \"x\"", "\"1,5\"", "column \"y\" has points", "data.dialect.decimal"]);
    let thousands = "x;label\n1,234;a\n2,345;b\n";
    has(&wrong(thousands), &["column \"x\"", "\"1,234\"", "thousands", "data.dialect.decimal"]);
    let said = |decimal| Dialect { decimal: Some(decimal), ..Dialect::default() };
    assert_eq!(read_as(thousands, &said(',')).0.rows[0], ["#1.234", "a"]);
    assert_eq!(read_as(thousands, &said('.')).0.rows[0], ["1,234", "a"]);
}

#[test]
fn words_for_missing_values_are_missing_and_named() {
    let (got, understood) = read("x,y,kind\n?,1,NA\n2,-,-\nnull,3,b-c\n.,5,NaN\n");
    assert_eq!(got.rows, rows(&["~ 1 ~", "2 ~ -", "~ 3 b-c", "~ 5 ~"]));
    has(&understood.to_string(), &["missing: \"?\", \"NA\", \"NaN\", \"null\" and \"-\""]);
    let said = Dialect { missing: Some(vec!["9".to_owned(), "no answer".to_owned()]), ..Dialect::default() };
    let (got, _) = read_as("x,y\n1,no answer\n9,NA\n,-\n", &said);
    assert_eq!(got.rows, [["1", "~"], ["~", "NA"], ["~", "-"]]);
}
