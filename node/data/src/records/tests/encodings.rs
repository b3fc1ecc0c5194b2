//! Encodings: by a mark, by what bytes look like, and by what the user says.

use encoding_rs::{Encoding, WINDOWS_1252};

use super::super::Dialect;
use super::{has, read, read_as, wrong, wrong_as};

const TEXT: &str = "größe,label\n1,groß\n2,klein\n3,groß\n4,süß\n5,Öl\n";

fn utf_16(text: &str, little: bool, mark: bool) -> Vec<u8> {
    let units = mark.then_some(0xfeff).into_iter().chain(text.encode_utf16());
    units.flat_map(|unit| if little { unit.to_le_bytes() } else { unit.to_be_bytes() }).collect()
}

fn said(encoding: &str) -> Dialect {
    Dialect { encoding: Some(encoding.to_owned()), ..Dialect::default() }
}

#[test]
fn every_encoding_gives_the_same_table_and_is_named() {
    let want = read(TEXT).0;
    assert_eq!((&want.columns[0][..], &want.rows[3][1][..]), ("größe", "süß"));
    let mark = [b"\xef\xbb\xbf", TEXT.as_bytes()].concat();
    let cases = [
        ("UTF-8", mark),
        ("UTF-16LE", utf_16(TEXT, true, true)),
        ("UTF-16BE", utf_16(TEXT, false, true)),
        ("UTF-16LE", utf_16(TEXT, true, false)),
        ("UTF-16BE", utf_16(TEXT, false, false)),
        ("windows-1252", WINDOWS_1252.encode(TEXT).0.into_owned()),
    ];
    for (name, bytes) in cases {
        for end in ["\n", "\r\n"] {
            let bytes = if end == "\n" || name.starts_with("UTF-16") {
                bytes.clone()
            } else {
                bytes.split(|&byte| byte == b'\n').collect::<Vec<_>>().join(&b"\r\n"[..])
            };
            let (got, understood) = read(&bytes);
            assert_eq!((&got, &understood.encoding[..]), (&want, name));
            assert!(understood.to_string().starts_with(name), "{understood}");
            assert_eq!(read_as(&bytes, &said(name)).0, want);
        }
    }
}

#[test]
fn a_guessed_encoding_is_noted() {
    let (_, understood) = read(WINDOWS_1252.encode(TEXT).0);
    has(&understood.to_string(), &["windows-1252 (Latin-1)", "line 1 is no UTF-8", "data.dialect.encoding"]);
    let (_, understood) = read(utf_16(TEXT, true, false));
    has(&understood.to_string(), &["UTF-16LE without a mark"]);
    assert_eq!(read(TEXT).1.guessed, [""; 0]);
}

#[test]
fn other_languages_are_read_as_the_user_says() {
    let text = "размер,метка\n1,большой\n2,малый\n3,большой\n";
    for label in ["windows-1251", "koi8-r"] {
        let bytes = Encoding::for_label(label.as_bytes()).unwrap().encode(text).0;
        assert_eq!(read_as(&bytes, &said(label)).0, read(text).0);
    }
}

#[test]
fn text_that_is_not_in_its_encoding_is_an_error_with_a_line() {
    // One byte of another encoding among much UTF-8.
    let mut bytes = TEXT.as_bytes().to_vec();
    bytes.extend(b"6,s\xfc\xdf\n");
    has(&wrong(&bytes), &["line 7", "0xFC", "UTF-8", "data.dialect.encoding"]);
    has(&wrong_as(&bytes, &said("utf-8")), &["line 7", "UTF-8", "data.dialect.encoding"]);
    has(&wrong_as(TEXT, &said("utf-99")), &["utf-99", "data.dialect.encoding"]);
    // Half a character of UTF-16.
    let mut bytes = utf_16(TEXT, true, true);
    bytes.extend([0x00, 0xd8]);
    has(&wrong(&bytes), &["line 7", "UTF-16LE"]);
}

#[test]
fn a_file_that_turns_into_another_encoding_late_is_an_error_with_a_line() {
    let mut bytes = b"x,label\n".to_vec();
    for number in 0..200_000 {
        bytes.extend(format!("{number},small\n").as_bytes());
    }
    bytes.extend(b"200000,gro\xdf\n");
    assert!(bytes.len() > 2 << 20);
    has(&wrong(&bytes), &["line 200002", "column 2", "UTF-8", "data.dialect.encoding = \"windows-1252\""]);
}
