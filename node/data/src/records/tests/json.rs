//! JSON objects, one a line or in an array.

use super::super::Format;
use super::{has, read, rows, wrong};

#[test]
fn keys_are_columns_in_any_order_and_absent_ones_are_missing() {
    let text =
        "{\"x\": 1.5, \"ok\": true, \"label\": \" a \"}\n\n{\"label\": \"NA\", \"x\": null}\r\n{\"ok\":false,\"x\":2}";
    let (got, understood) = read(text);
    assert_eq!(got.columns, ["x", "ok", "label"]);
    assert_eq!(got.rows, rows(&["#1.5 !true a", "~ ~ ~", "#2 !false ~"]));
    assert_eq!((got.lines, understood.format), (vec![1, 3, 4], Format::Jsonl));
    has(&understood.to_string(), &["JSON objects", "UTF-8"]);
}

#[test]
fn an_array_of_objects_is_the_same_table() {
    let array = "[\n  {\"x\": 1, \"label\": \"a } ] \\\" b\"},\n  {\n    \"x\": 2,\n    \"label\": \"ü\"\n  }\n]\n";
    let (got, _) = read(array);
    assert_eq!(got.rows, [["#1", "a } ] \" b"], ["#2", "ü"]]);
    assert_eq!(got.lines, [2, 3]);
    let bytes: Vec<u8> = array.encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(read([&[0xff, 0xfe][..], &bytes].concat()).0, got);
}

#[test]
fn keys_that_come_later_are_columns_and_noted() {
    let (got, understood) = read("{\"x\":1}\n{\"x\":2,\"y\":3}\n{\"z\":4,\"x\":1}\n");
    assert_eq!(got.rows, rows(&["#1 ~ ~", "#2 #3 ~", "#1 ~ #4"]));
    has(&understood.to_string(), &["column \"y\" comes first in line 2"]);
}

#[test]
fn keys_beyond_the_beginning_are_an_error() {
    let mut text = "{\"x\":1}\n".repeat(10_500);
    text += "{\"x\":2,\"y\":3}\n";
    has(&wrong(text), &["line 10501", "column \"y\"", "new"]);
}

#[test]
fn whole_numbers_too_large_for_a_float_stay_exact() {
    let (got, _) = read("{\"id\":9007199254740993}\n{\"id\":-9007199254740993}\n{\"id\":9007199254740992}\n");
    assert_eq!(got.rows, rows(&["9007199254740993", "-9007199254740993", "#9007199254740992"]));
}

#[test]
fn what_is_no_row_is_an_error_with_a_line() {
    has(&wrong("{\"x\":1}\n{\"x\":[1,2]}\n"), &["line 2", "column \"x\"", "list"]);
    has(&wrong("{\"x\":1}\n{\"x\":{\"y\":{}}}\n"), &["line 2", "column \"x\"", "object within"]);
    has(&wrong("{\"x\":1}\n{\"x\":1,\"x\":2}\n"), &["line 2", "column \"x\"", "twice"]);
    has(&wrong("{\"x\":1}\n[1,2]\n"), &["line 2", "\"[1,2]\"", "no JSON object"]);
    has(&wrong("{\"x\":1}\n{\"x\":1"), &["line 2", "ends", "cut short"]);
    has(&wrong("[{\"x\":1},\n{\"x\":2}\n"), &["ends", "cut short"]);
    has(&wrong("[{\"x\":1}] true"), &["\"true\""]);
    has(&wrong("{\"x\":1}\n{\"x\":1e999}\n"), &["line 2", "out of range"]);
    has(&wrong("{\"x\":1}\n{\"x\" 1}\n"), &["line 2", "expected"]);
    has(&wrong("{}\n{}\n"), &["no keys"]);
    has(&wrong(b"{\"x\":\"\xc3\xa4\xc3\xb6\xc3\xbc\xc3\xa4\xc3\xa4\"}\n{\"x\":\"\xe4\"}\n"), &["line 2", "UTF-8"]);
    let mut late = "{\"x\":\"abcdefgh\"}\n".repeat(80_000).into_bytes();
    late.extend(b"{\"x\":\"\xe4\"}\n");
    has(&wrong(late), &["line 80001", "UTF-8", "data.dialect.encoding"]);
}
