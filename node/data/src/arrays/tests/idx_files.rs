use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;

fn idx(sizes: &[u32], content: &[u8]) -> Vec<u8> {
    let mut file = vec![0, 0, 8, sizes.len() as u8];
    sizes.iter().for_each(|size| file.extend_from_slice(&size.to_be_bytes()));
    file.extend_from_slice(content);
    file
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// Writes images of 1 x 2 with these labels; the first pixel of an image is its label, the second its number.
fn write(images: &Path, labels: &Path, marks: &[u8], packed: bool) {
    let pixels: Vec<u8> = marks.iter().zip(0..).flat_map(|(mark, row)| [*mark, row]).collect();
    let rows = marks.len() as u32;
    for (path, content) in [(images, idx(&[rows, 1, 2], &pixels)), (labels, idx(&[rows], marks))] {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, if packed { gzip(&content) } else { content }).unwrap();
    }
}

#[test]
fn files_are_found_under_all_their_names() {
    // Images and labels to train on, then to measure on, and whether they are packed.
    let layouts = [
        (
            ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"],
            false,
        ),
        (
            ["train-images.idx3-ubyte", "train-labels.idx1-ubyte", "t10k-images.idx3-ubyte", "t10k-labels.idx1-ubyte"],
            false,
        ),
        (
            ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"],
            true,
        ),
        (
            [
                "train-images-idx3-ubyte.gz",
                "train-labels-idx1-ubyte.gz",
                "t10k-images-idx3-ubyte.gz",
                "t10k-labels-idx1-ubyte.gz",
            ],
            false,
        ),
        (
            [
                "emnist-letters-train-images-idx3-ubyte.gz",
                "emnist-letters-train-labels-idx1-ubyte.gz",
                "emnist-letters-test-images-idx3-ubyte.gz",
                "emnist-letters-test-labels-idx1-ubyte.gz",
            ],
            true,
        ),
        (
            [
                "MNIST/raw/train-images-idx3-ubyte",
                "MNIST/raw/train-labels-idx1-ubyte",
                "MNIST/raw/t10k-images-idx3-ubyte",
                "MNIST/raw/t10k-labels-idx1-ubyte",
            ],
            false,
        ),
        (
            [
                "gzip/emnist-mnist-train-images-idx3-ubyte.gz",
                "gzip/emnist-mnist-train-labels-idx1-ubyte.gz",
                "gzip/emnist-mnist-test-images-idx3-ubyte.gz",
                "gzip/emnist-mnist-test-labels-idx1-ubyte.gz",
            ],
            true,
        ),
    ];
    for (names, packed) in layouts {
        let directory = tempfile::tempdir().unwrap();
        let paths = names.map(|name| directory.path().join(name));
        write(&paths[0], &paths[1], &[3, 1, 3], packed);
        write(&paths[2], &paths[3], &[1], packed);
        assert_eq!(kind_of(directory.path()), Some(Kind::Idx), "{names:?}");
        let read = all(directory.path()).unwrap();
        check(&read);
        assert_eq!((read.train.input.clone(), bytes(&read.train)), (vec![1, 1, 2], &[3, 0, 1, 1, 3, 2][..]));
        assert_eq!(
            (&read.train.classes[..], &read.train.labels[..]),
            (&["1".to_owned(), "3".to_owned()][..], &[1, 0, 1][..])
        );
        assert_eq!((read.test.unwrap().labels, read.most), (vec![0], 255.0));
        assert_eq!(read.files, paths);
        assert!(
            read.understood.contains(names[0]) && read.understood.contains("3 of 1 x 2, grey"),
            "{}",
            read.understood
        );
    }
}

#[test]
fn classes_are_the_numbers_that_occur_in_either_part() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    write(&path("train-images-idx3-ubyte"), &path("train-labels-idx1-ubyte"), &[26, 9, 10], false);
    write(&path("t10k-images-idx3-ubyte"), &path("t10k-labels-idx1-ubyte"), &[10, 2], false);
    let read = all(directory.path()).unwrap();
    check(&read);
    assert_eq!(read.train.classes, ["2", "9", "10", "26"]);
    assert_eq!((read.train.labels, read.test.unwrap().labels), (vec![3, 1, 2], vec![2, 0]));
    let some = load(directory.path(), None, &|labels, classes| {
        assert_eq!((labels, classes), (&[2, 0, 1][..], 3), "numbered within the training rows");
        Ok(Some(vec![2, 0]))
    });
    let some = some.unwrap();
    assert_eq!((bytes(&some.train), &some.train.labels[..]), (&[10, 2, 26, 0][..], &[2, 3][..]));
    assert!(some.understood.contains("3 of 1 x 2"), "all that are there: {}", some.understood);
}

#[test]
fn a_file_and_its_packed_copy_are_one() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    write(&path("train-images-idx3-ubyte"), &path("train-labels-idx1-ubyte"), &[1, 2], false);
    write(&path("train-images-idx3-ubyte.gz"), &path("train-labels-idx1-ubyte.gz"), &[1, 2], true);
    let read = all(directory.path()).unwrap();
    assert_eq!(read.files, [path("train-images-idx3-ubyte"), path("train-labels-idx1-ubyte")]);
    assert_eq!(read.test, None);
}

#[test]
fn what_cannot_be_told_apart_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    write(&path("emnist-a-train-images-idx3-ubyte"), &path("emnist-a-train-labels-idx1-ubyte"), &[1, 2], false);
    write(&path("emnist-b-train-images-idx3-ubyte"), &path("emnist-b-train-labels-idx1-ubyte"), &[1, 2], false);
    let text = refused(directory.path());
    assert!(text.contains("2 data sets") && text.contains("emnist-a") && text.contains("emnist-b"), "{text}");
    std::fs::remove_file(path("emnist-a-train-images-idx3-ubyte")).unwrap();
    std::fs::remove_file(path("emnist-b-train-images-idx3-ubyte")).unwrap();
    std::fs::remove_file(path("emnist-b-train-labels-idx1-ubyte")).unwrap();
    let text = refused(directory.path());
    assert!(text.contains("emnist-a-train-labels-idx1-ubyte without the other"), "{text}");
}

#[test]
fn images_are_brought_to_the_task() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    write(&path("train-images-idx3-ubyte"), &path("train-labels-idx1-ubyte"), &[200, 100], false);
    let geometry = Geometry { size: [2, 2], colour: Colour::Rgb, fit: Fit::Stretch, filter: Filter::Nearest };
    let read = load(directory.path(), Some(&geometry), &|_, _| Ok(None)).unwrap();
    check(&read);
    assert_eq!(read.train.input, [3, 2, 2]);
    let want: Vec<u8> = [[200, 0], [100, 1]].iter().flat_map(|row| row.repeat(6)).collect();
    assert_eq!(bytes(&read.train), want);
}

#[test]
fn more_than_fits_is_refused_before_it_is_held() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let marks: Vec<u8> = (0..1400u32).map(|row| (row % 2) as u8).collect();
    let pixels = vec![0; 1400];
    for (name, content) in [("images-idx3", idx(&[1400, 1, 1], &pixels)), ("labels-idx1", idx(&[1400], &marks))] {
        std::fs::write(path(&format!("train-{name}-ubyte")), content).unwrap();
    }
    let geometry = Geometry { size: [1024, 1024], ..Geometry::default() };
    let text = load(directory.path(), Some(&geometry), &|_, _| Ok(None)).unwrap_err().to_string();
    assert!(text.contains("1400 images of 1024 x 1024, rgb") && text.contains("image.size"), "{text}");
}

#[test]
fn one_file_is_predicted() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    write(&path("train-images-idx3-ubyte"), &path("train-labels-idx1-ubyte"), &[7, 8], true);
    let (names, values) = images(&path("train-images-idx3-ubyte"), None, &[1, 1, 2]).unwrap();
    assert_eq!((names.join(","), values.to_vec()), ("1,2".to_owned(), vec![7.0, 0.0, 8.0, 1.0]));
    let other = images(&path("train-images-idx3-ubyte"), None, &[1, 2, 2]).unwrap_err().to_string();
    assert!(other.contains("[1, 1, 2]") && other.contains("the model takes [1, 2, 2]"), "{other}");
    assert!(
        images(&path("train-labels-idx1-ubyte"), None, &[1, 1, 2]).unwrap_err().to_string().contains("3 dimensions")
    );
    assert!(images(directory.path(), None, &[1, 1, 2]).unwrap_err().to_string().contains("name the one file"));
}
