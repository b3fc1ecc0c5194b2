use std::io::{Cursor, Write};

use half::f16;
use proptest::prelude::*;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::npy::Npy;
use super::*;

/// An array in C order as NumPy writes it.
pub(super) fn npy(kind: &str, shape: &str, values: &[u8]) -> Vec<u8> {
    with_header(&format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}"), values)
}

fn with_header(header: &str, values: &[u8]) -> Vec<u8> {
    let padded = format!("{header:<118}");
    [b"\x93NUMPY\x01\x00", &(padded.len() as u16).to_le_bytes()[..], padded.as_bytes(), values].concat()
}

/// An archive of these arrays, of which every second is packed.
fn zipped(arrays: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (at, (name, content)) in arrays.iter().enumerate() {
        let method = if at % 2 == 0 { CompressionMethod::Deflated } else { CompressionMethod::Stored };
        zip.start_file(format!("{name}.npy"), SimpleFileOptions::default().compression_method(method)).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

pub(super) fn archive(path: &Path, arrays: &[(&str, Vec<u8>)]) {
    std::fs::write(path, zipped(arrays)).unwrap();
}

/// Reads an archive of these arrays.
fn read(arrays: &[(&str, Vec<u8>)]) -> Result<Arrays, String> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rows.npz");
    archive(&path, arrays);
    let read = all(&path);
    read.inspect(check).map_err(|error| {
        assert!(error.to_string().contains("rows.npz"), "the file is named: {error}");
        error.to_string()
    })
}

/// Reads these inputs with two labels.
fn of_two(x: Vec<u8>) -> Result<Arrays, String> {
    read(&[("x", x), ("y", npy("|u1", "(2,)", &[4, 5]))])
}

/// The classes and labels of these labels, and of as many inputs.
fn labels(rows: usize, y: Vec<u8>) -> Result<(String, Vec<u32>), String> {
    let x = npy("|u1", &format!("({rows}, 1)"), &vec![1; rows]);
    read(&[("x", x), ("y", y)]).map(|read| (read.train.classes.join(","), read.train.labels))
}

fn words(letters: &str, wide: usize, big: bool) -> Vec<u8> {
    let letter = |letter: char| if big { (letter as u32).to_be_bytes() } else { (letter as u32).to_le_bytes() };
    letters
        .split(' ')
        .flat_map(|word| word.chars().chain(std::iter::repeat('\0')).take(wide).flat_map(letter))
        .collect()
}

#[test]
fn arrays_are_found_by_the_names_people_give_them() {
    let x = |value: u8| npy("|u1", "(2, 1, 2)", &[value, 2, 3, 4]);
    let y =
        |shape: &str| npy("<i8", shape, &[[7i64, 3]].concat().iter().flat_map(|y| y.to_le_bytes()).collect::<Vec<_>>());
    let one = |names: [&str; 2]| read(&[(names[0], x(9)), (names[1], y("(2,)")), ("other", x(1))]).unwrap();
    for names in
        [["x", "y"], ["X", "Y"], ["images", "labels"], ["data", "target"], ["arr_0", "arr_1"], ["features", "targets"]]
    {
        let read = one(names);
        assert_eq!((bytes(&read.train), &read.train.labels[..]), (&[9, 2, 3, 4][..], &[1, 0][..]), "{names:?}");
        assert_eq!((read.train.classes.join(","), read.test.is_none(), read.most), ("3,7".to_owned(), true, 16.0));
        assert!(read.understood.contains("not read: other"), "{}", read.understood);
    }
    for [a, b, c, d] in [
        ["x_train", "y_train", "x_test", "y_test"],
        ["train_images", "train_labels", "test_images", "test_labels"],
        ["Xtrain", "ytrain", "Xval", "yval"],
    ] {
        let read = read(&[(a, x(1)), (b, y("(2, 1)")), (c, x(200)), (d, y("(2, 1)"))]).unwrap();
        assert_eq!((bytes(&read.train)[0], bytes(read.test.as_ref().unwrap())[0], read.most), (1, 200, 255.0), "{a}");
    }
    let text = read(&[("pixels", x(1)), ("y", y("(2,)"))]).unwrap_err();
    assert!(text.contains("x_train") && text.contains("pixels") && text.contains("numpy.savez"), "{text}");
}

#[test]
fn only_the_rows_wanted_are_kept() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rows.npz");
    archive(&path, &[("x", npy("|u1", "(3, 2)", &[1, 2, 3, 4, 5, 6])), ("y", npy("|i1", "(3,)", &[255, 2, 0]))]);
    let some = load(&path, None, &|labels, classes| {
        assert_eq!((labels, classes), (&[0, 2, 1][..], 3));
        Ok(Some(vec![2, 0]))
    });
    let some = some.unwrap().train;
    assert_eq!(
        (bytes(&some), &some.labels[..], some.classes.join(",")),
        (&[5, 6, 1, 2][..], &[1, 0][..], "-1,0,2".to_owned())
    );
}

#[test]
fn every_kind_of_number_is_read() {
    let both = |kind: &str, values: [Vec<u8>; 2]| {
        let mut reversed = values.clone();
        reversed.iter_mut().for_each(|value| value.reverse());
        for (order, values) in [("<", values), (">", reversed)] {
            let read = of_two(npy(&format!("{order}{kind}"), "(2, 1)", &values.concat())).unwrap();
            assert_eq!((read.train.features.to_vec(), read.most), (vec![3.0, -2.0], 16.0), "{order}{kind}");
        }
    };
    both("i1", [vec![3], vec![254]]);
    both("i2", [3i16, -2].map(|value| value.to_le_bytes().to_vec()));
    both("i4", [3i32, -2].map(|value| value.to_le_bytes().to_vec()));
    both("i8", [3i64, -2].map(|value| value.to_le_bytes().to_vec()));
    both("f2", [3.0, -2.0].map(|value| f16::from_f32(value).to_le_bytes().to_vec()));
    both("f4", [3f32, -2.0].map(|value| value.to_le_bytes().to_vec()));
    both("f8", [3f64, -2.0].map(|value| value.to_le_bytes().to_vec()));
    for (kind, big, most) in [
        ("u2", vec![255, 255], 65_535.0),
        ("u4", vec![0, 0, 1, 0], 65_536.0),
        ("u8", vec![1, 0, 0, 0, 0, 0, 0, 0], 1.0),
    ] {
        let read = of_two(npy(&format!("<{kind}"), "(2, 1)", &big.repeat(2))).unwrap();
        assert_eq!((read.train.features.to_vec(), read.most), (vec![most; 2], most), "{kind}");
    }
    let marks = of_two(npy("|b1", "(2, 1)", &[1, 0])).unwrap();
    assert_eq!((bytes(&marks.train), marks.most), (&[1, 0][..], 1.0));
    let long = vec![5; 300_000];
    assert_eq!(of_two(npy("<u2", "(2, 75000)", &long)).unwrap().train.features.to_vec(), [1285.0; 150_000]);
}

#[test]
fn images_have_their_channels_first() {
    let values: Vec<u8> = (0..24).collect();
    let last = of_two(npy("|u1", "(2, 2, 2, 3)", &values)).unwrap().train;
    assert_eq!((&last.input[..], &bytes(&last)[..12]), (&[3, 2, 2][..], &[0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11][..]));
    assert_eq!(bytes(&last)[12], 12);
    let first = of_two(npy("|u1", "(2, 3, 2, 2)", &values)).unwrap().train;
    assert_eq!((&first.input[..], bytes(&first)), (&[3, 2, 2][..], &values[..]));
    let grey = of_two(npy("|u1", "(2, 4, 3, 1)", &values)).unwrap().train;
    assert_eq!((&grey.input[..], bytes(&grey)), (&[1, 4, 3][..], &values[..]));
    assert!(of_two(npy("|u1", "(2, 3, 4, 1)", &values)).unwrap_err().contains("channels first or last"));
    assert!(of_two(npy("|u1", "(2, 2, 3, 2)", &values)).unwrap_err().contains("1 or 3 channels"));
    assert!(of_two(npy("|u1", "(24,)", &values)).unwrap_err().contains("24 rows, and y has 2"));
    assert!(of_two(npy("|u1", "(2, 1, 1, 3, 4)", &values)).unwrap_err().contains("its shape is"));
}

#[test]
fn labels_are_whole_numbers_or_words_or_one_of_a_row() {
    let floats = |values: &[f64]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
    assert_eq!(labels(3, npy("<f8", "(3,)", &floats(&[10.0, 9.0, 10.0]))).unwrap(), ("9,10".to_owned(), vec![1, 0, 1]));
    assert!(labels(2, npy("<f8", "(2,)", &floats(&[0.5, 1.0]))).unwrap_err().contains("0.5"));
    assert!(labels(2, npy("<f8", "(2,)", &floats(&[f64::NAN, 1.0]))).unwrap_err().contains("NaN"));
    let sorted = ("cät,dog".to_owned(), vec![1, 0]);
    assert_eq!(labels(2, npy("<U3", "(2,)", &words("dog cät", 3, false))).unwrap(), sorted);
    assert_eq!(labels(2, npy(">U5", "(2,)", &words("dog cät", 5, true))).unwrap(), sorted);
    assert_eq!(labels(2, npy("|S4", "(2,)", b"dog\0bird")).unwrap(), ("bird,dog".to_owned(), vec![1, 0]));
    assert_eq!(labels(2, npy("|b1", "(2,)", &[1, 0])).unwrap(), ("0,1".to_owned(), vec![1, 0]));
    assert_eq!(labels(2, npy("|u1", "(2, 3)", &[0, 0, 1, 1, 0, 0])).unwrap(), ("0,2".to_owned(), vec![1, 0]));
    assert!(labels(2, npy("|u1", "(2, 3)", &[0, 1, 1, 1, 0, 0])).unwrap_err().contains("one 1 among 0s"));
    assert!(labels(2, npy("|u1", "(2, 1, 1)", &[1, 2])).unwrap_err().contains("one a row"));
    assert!(labels(2, npy("|S1", "(2,)", &[0xff, 0xfe])).unwrap_err().contains("no text"));
    assert!(labels(2, npy("|S1", "(2,)", b"a\0")).unwrap_err().contains("empty"));
    assert!(labels(2, npy("<U1", "(2,)", &[0xff; 8])).unwrap_err().contains("no text"));
    assert!(labels(2, npy("|u1", "(3,)", &[1, 2, 3])).unwrap_err().contains("2 rows, and y has 3 labels"));
    let many: Vec<u8> = (0..10_001u16).flat_map(u16::to_le_bytes).collect();
    assert!(labels(10_001, npy("<u2", "(10001,)", &many)).unwrap_err().contains("10001 different labels"));
}

#[test]
fn what_is_no_such_array_is_refused_in_words() {
    let header = |text: &str, values: &[u8]| of_two(with_header(text, values)).unwrap_err();
    let refused = |kind: &str, values: &[u8]| of_two(npy(kind, "(2, 1)", values)).unwrap_err();
    assert!(refused("|O", &[0; 16]).contains("pickle"));
    assert!(refused("<c8", &[0; 16]).contains("<c8"));
    assert!(refused("<f16", &[0; 32]).contains("<f16"));
    assert!(refused("<M8[s]", &[0; 16]).contains("<M8[s]"));
    assert!(refused("<U1", &[65, 0, 0, 0, 66, 0, 0, 0]).contains("inputs are numbers"));
    assert!(refused("<U0", &[]).contains("<U0"));
    assert!(refused("", &[]).contains("kind"));
    assert!(
        header("{'descr': [('a', '<i4')], 'fortran_order': False, 'shape': (2,), }", &[0; 8]).contains("named fields")
    );
    let columns = "{'descr': '|u1', 'fortran_order': True, 'shape': (2, 2), }";
    assert!(header(columns, &[0; 4]).contains("ascontiguousarray"));
    let one = "{'descr': '|u1', 'fortran_order': True, 'shape': (2, 1), }";
    assert_eq!(bytes(&of_two(with_header(one, &[1, 2])).unwrap().train), [1, 2], "in either order it is the same");
    for text in
        ["", "{", "{}", "{'descr': '|u1'}", "{'shape': (2, 1", "{'shape': 2}", "{'shape': (-2, 1)}", "[1]", "{'a': 1}"]
    {
        assert!(header(text, &[1, 2]).contains("header"), "{text}");
    }
    assert!(header("{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3)}", &[0; 5]).contains("5 bytes follow"));
    assert!(header("{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3)}", &[0; 7]).contains("7 bytes follow"));
    let vast = "{'descr': '<f8', 'fortran_order': False, 'shape': (4294967296, 4294967296, 2)}";
    assert!(header(vast, &[0; 8]).contains("8 bytes follow"));
    assert!(of_two(npy("|u1", "(0, 2)", &[])).unwrap_err().contains("empty"));
    assert!(of_two(b"\x93NUM".to_vec()).unwrap_err().contains("ends within its header"));
    assert!(of_two(vec![7; 200]).unwrap_err().contains("no array of NumPy"));
}

#[test]
fn damaged_archives_are_errors() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rows.npz");
    archive(&path, &[("y", npy("|u1", "(2,)", &[0, 1])), ("x", npy("|u1", "(2, 2)", &[11, 22, 33, 44]))]);
    let mut content = std::fs::read(&path).unwrap();
    std::fs::write(&path, &content[..content.len() - 30]).unwrap();
    assert!(refused(&path).contains("no .npz archive"));
    // The stored values, whose check sum no longer fits.
    let at = content.windows(4).position(|window| window == [11, 22, 33, 44]).unwrap();
    content[at] = 12;
    std::fs::write(&path, &content).unwrap();
    assert!(refused(&path).contains("array x"), "{}", refused(&path));
    std::fs::write(&path, npy("|u1", "(2, 2)", &[1; 4])).unwrap();
    assert!(refused(&path).contains("inputs and labels"));
}

#[test]
fn arrays_are_predicted() {
    let directory = tempfile::tempdir().unwrap();
    let (one, many) = (directory.path().join("one.npy"), directory.path().join("many.npz"));
    std::fs::write(&one, npy("|u1", "(2, 1, 2)", &[1, 2, 3, 4])).unwrap();
    let (names, values) = images(&one, None, &[1, 1, 2]).unwrap();
    assert_eq!((names.join(","), values.to_vec()), ("1,2".to_owned(), vec![1.0, 2.0, 3.0, 4.0]));
    let array = |value| npy("|u1", "(1, 1, 2)", &[value, 0]);
    archive(&many, &[("y", array(1)), ("x_train", array(2)), ("x_test", array(3))]);
    assert_eq!(images(&many, None, &[1, 1, 2]).unwrap().1.to_vec(), [3.0, 0.0]);
    archive(&many, &[("pixels", array(4))]);
    assert_eq!(images(&many, None, &[1, 1, 2]).unwrap().1.to_vec(), [4.0, 0.0]);
    archive(&many, &[("pixels", array(4)), ("more", array(5))]);
    assert!(images(&many, None, &[1, 1, 2]).unwrap_err().to_string().contains("more, pixels"));
    let geometry = Geometry { size: [2, 2], colour: Colour::Grey, fit: Fit::Pad, filter: Filter::Nearest };
    assert_eq!(images(&one, Some(&geometry), &[1, 2, 2]).unwrap().1.to_vec(), [1.0, 2.0, 0.0, 0.0, 3.0, 4.0, 0.0, 0.0]);
    std::fs::write(&one, npy("<f4", "(1, 1, 2)", &[0; 8])).unwrap();
    assert!(images(&one, Some(&geometry), &[1, 2, 2]).unwrap_err().to_string().contains("uint8"));
    std::fs::write(&one, npy("<f4", "(1, 2)", &[0; 8])).unwrap();
    assert!(images(&one, Some(&geometry), &[1, 2, 2]).unwrap_err().to_string().contains("2 numbers"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    /// Whatever the bytes, the answer is rows or an error.
    #[test]
    fn no_bytes_stop_the_reader_of_archives(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in proptest::option::of(any::<prop::sample::Index>()),
    ) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("rows.npz");
        let (y, x) = (npy("<U2", "(2,)", &words("a b", 2, false)), npy("<f4", "(2, 2, 2)", &[0; 32]));
        let mut content = zipped(&[("y", y), ("x", x)]);
        for (at, byte) in changes {
            let at = at.index(content.len());
            content[at] = byte;
        }
        content.truncate(cut.map_or(content.len(), |cut| cut.index(content.len())));
        std::fs::write(&path, &content).unwrap();
        if let Ok(read) = all(&path) {
            check(&read);
        }
        let _ = images(&path, None, &[1, 2, 2]);
    }

    /// Headers that are nearly right, and lengths that fit or not.
    #[test]
    fn no_header_stops_the_reader_of_arrays(
        kind in "[<>|=]?[biufSUOcé][0-9]{0,3}",
        shape in proptest::collection::vec(prop_oneof![0usize..4, any::<usize>()], 0..5),
        fortran in any::<bool>(),
        quote in "['\"é]",
        values in proptest::collection::vec(any::<u8>(), 0..64),
    ) {
        let shape: String = shape.iter().map(|size| format!("{size},")).collect();
        let fortran = if fortran { "True" } else { "False" };
        let header = format!("{{{quote}descr{quote}: '{kind}', 'fortran_order': {fortran}, 'shape': ({shape})}}");
        let content = with_header(&header, &values);
        let open = || Npy::open(&content[..], content.len() as u64);
        if let Ok(array) = open() {
            let count: usize = array.shape.iter().product();
            prop_assert!(count > 0 && count <= values.len());
            if let Ok((read, _)) = array.values() {
                prop_assert_eq!(read.len(), count);
            }
            if let Ok(names) = open().and_then(Npy::names) {
                prop_assert!(names.finish().1.len() <= count);
            }
        }
    }
}
