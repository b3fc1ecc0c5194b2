//! Packed files, folders, pipes, and which paths are tables.

use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::super::{Dialect, Packed, is_table, open};
use super::{file, has, read, read_path, rows, wrong};

const TEXT: &str = "x,label\n1.5,a\n2.5,b\n";

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zst(bytes: &[u8]) -> Vec<u8> {
    zstd::stream::encode_all(bytes, 1).unwrap()
}

#[test]
fn packed_files_are_told_by_their_bytes_not_their_name() {
    let want = read(TEXT).0;
    // Programs append to packed files, and pack in parts.
    let (one, other) = TEXT.split_at(10);
    let cases = [
        (Packed::Gz, gz(TEXT.as_bytes())),
        (Packed::Gz, [gz(one.as_bytes()), gz(other.as_bytes())].concat()),
        (Packed::Zst, zst(TEXT.as_bytes())),
        (Packed::Zst, [zst(one.as_bytes()), zst(other.as_bytes())].concat()),
    ];
    for (packed, bytes) in cases {
        let (got, understood) = read(bytes);
        assert_eq!((got, understood.packed), (super::Read { ..clone(&want) }, packed));
    }
    has(&read(gz(TEXT.as_bytes())).1.to_string(), &["UTF-8, gzip, comma"]);
    // A name promises nothing.
    let (_directory, path) = file("rows.csv.gz", TEXT);
    assert_eq!(read_path(&path, &Dialect::default()).unwrap().1.packed, Packed::None);
}

fn clone(read: &super::Read) -> super::Read {
    super::Read { columns: read.columns.clone(), rows: read.rows.clone(), lines: read.lines.clone() }
}

#[test]
fn packed_files_that_are_damaged_say_so() {
    let text = TEXT.repeat(1000);
    for bytes in [gz(text.as_bytes()), zst(text.as_bytes())] {
        has(&wrong(&bytes[..bytes.len() - 9]), &["packed with", "cut short or damaged"]);
    }
    has(&wrong(gz(&gz(TEXT.as_bytes()))), &["gzip twice"]);
    has(&wrong(gz(b"%PDF-1.7 and so on")), &["PDF"]);
}

fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        std::fs::write(directory.path().join(name), bytes).unwrap();
    }
    directory
}

#[test]
fn a_folder_of_tables_is_one_table_by_name() {
    let packed = gz(b"label;x\nc;3,5\n");
    let directory = folder(&[
        ("part-2.csv.gz", &packed),
        ("part-1.csv", b"x,label\n1,a\n2,b\n"),
        ("part-3.jsonl", b"{\"label\":\"d\",\"x\":4}\n"),
        ("README.md", b"hello"),
        ("_SUCCESS", b""),
        (".hidden.csv", b"other"),
    ]);
    let (got, understood) = read_path(directory.path(), &Dialect::default()).unwrap();
    assert_eq!(got.columns, ["x", "label"]);
    assert_eq!(got.rows, rows(&["1 a", "2 b", "#3.5 c", "#4 d"]));
    assert_eq!(got.lines, [2, 3, 2, 1]);
    assert_eq!(understood.files, ["part-1.csv", "part-2.csv.gz", "part-3.jsonl"]);
    assert!(understood.decimal_comma);
    has(&understood.to_string(), &["3 files", "part-1.csv, part-2.csv.gz, part-3.jsonl", "left out: README.md"]);
    assert!(is_table(directory.path()));
}

#[test]
fn a_folder_whose_tables_differ_is_an_error_that_names_file_and_columns() {
    let wrong = |files: &[(&str, &[u8])]| {
        let directory = folder(files);
        read_path(directory.path(), &Dialect::default()).map(|_| ()).unwrap_err().to_string()
    };
    let first: (&str, &[u8]) = ("1.csv", b"x,y,label\n1,2,a\n3,4,b\n");
    has(&wrong(&[first, ("2.csv", b"x,label\n1,a\n")]), &["2.csv", "lacks", "1.csv", "y"]);
    has(&wrong(&[first, ("2.csv", b"x,y,z,label\n1,2,3,a\n")]), &["2.csv", "has columns that 1.csv lacks: z"]);
    has(&wrong(&[first, ("2.csv", b"x,Y,label\n1,2,a\n")]), &["2.csv", "lacks columns", ": y", "others: Y"]);
    has(&wrong(&[first, ("2.csv", b"x,y,label\n1,a\n")]), &["2.csv", "line 2"]);
    has(&wrong(&[("notes.md", b"hello")]), &["no table", ".csv"]);
}

#[test]
fn files_of_a_folder_have_a_header_if_the_first_has() {
    let directory = folder(&[("1.csv", b"1,2,a\n3,4,b\n"), ("2.csv", b"x,y,a\nr,s,b\n")]);
    let (got, understood) = read_path(directory.path(), &Dialect::default()).unwrap();
    assert_eq!((got.rows.len(), understood.header), (4, false));
    has(&understood.to_string(), &["no header: the columns are called column1 to column3"]);
}

#[test]
fn the_file_of_a_row_is_known() {
    let directory = folder(&[("1.csv", b"x,label\n1,a\n"), ("2.csv", b"x,label\n2,b\n")]);
    let (mut rows, _) = open(directory.path(), &Dialect::default()).unwrap();
    let mut row = super::Row::new();
    for name in ["1.csv", "2.csv"] {
        assert!(rows.read(&mut row).unwrap());
        assert_eq!(rows.file(), directory.path().join(name));
    }
    assert!(!rows.read(&mut row).unwrap());
}

#[cfg(unix)]
#[test]
fn a_pipe_is_read_as_often_as_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    let to = path.clone();
    let writer = std::thread::spawn(move || std::fs::write(to, gz(TEXT.as_bytes())).unwrap());
    assert!(is_table(&path));
    let (got, understood) = read_path(&path, &Dialect::default()).unwrap();
    writer.join().unwrap();
    assert_eq!((got, understood.packed), (read(TEXT).0, Packed::Gz));
}

#[test]
fn images_and_arrays_are_no_tables() {
    let idx = [&[0, 0, 8, 3][..], &[0; 20]].concat();
    let cases: [(&str, &[u8], bool); 9] = [
        ("rows.csv", b"a,b\n1,2\n", true),
        ("rows", b"a,b\n1,2\n", true),
        ("rows.parquet", b"PAR1....", true),
        ("rows.xlsx", b"PK\x03\x04....", true),
        ("x.png", b"\x89PNG\r\n\x1a\n", false),
        ("train-images-idx3-ubyte", &idx, false),
        ("train-images-idx3-ubyte.gz", &gz(&idx), false),
        ("x.npy", b"\x93NUMPY\x01\0", false),
        ("x.npz", b"PK\x03\x04\x14\0\0\0\0\0x.npy", false),
    ];
    for (name, bytes, want) in cases {
        let (_directory, path) = file(name, bytes);
        assert_eq!(is_table(&path), want, "{name}");
    }
    assert!(is_table(Path::new("-")));
    assert!(!is_table(Path::new("there is no such file")));
    assert!(!is_table(folder(&[("labels.csv", b"a,b\n1,2\n"), ("1.png", b"\x89PNG")]).path()));
    assert!(!is_table(folder(&[("x-images-idx3-ubyte.gz", &idx)]).path()));
    assert!(!is_table(folder(&[]).path()));
}

#[test]
fn a_file_that_is_not_there_is_an_error() {
    let error = open(Path::new("there is no such file"), &Dialect::default()).map(|_| ()).unwrap_err().to_string();
    has(&error, &["there is no such file"]);
}
