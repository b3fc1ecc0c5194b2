use std::fs::File;
use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use tempfile::TempDir;

use super::*;

/// The data sets, or a loud word that a test is skipped.
fn real(test: &str) -> Option<PathBuf> {
    data_dir().inspect_err(|error| eprintln!("SKIPPED {test}: {error}")).ok()
}

fn write(dir: &TempDir, name: &str, bytes: &[u8]) -> PathBuf {
    let path = dir.path().join(name);
    if name.ends_with(".gz") {
        let mut encoder = GzEncoder::new(File::create(&path).unwrap(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap();
    } else {
        std::fs::write(&path, bytes).unwrap();
    }
    path
}

/// An IDX file.
fn idx(magic: u32, dims: &[u32], body: &[u8]) -> Vec<u8> {
    let header = [magic].into_iter().chain(dims.iter().copied()).flat_map(u32::to_be_bytes);
    header.chain(body.iter().copied()).collect()
}

#[test]
fn mnist_is_read_whole() {
    let Some(dir) = real("mnist_is_read_whole") else { return };
    let (train, test) = mnist(&dir, |byte| f32::from(byte) / 255.0).unwrap();
    assert_eq!((train.len(), test.len(), train.width(), train.classes()), (60_000, 10_000, 784, 10));
    assert_eq!(train.labels()[..5], [5, 0, 4, 1, 9]);
    let mean = train.features().iter().map(|&x| f64::from(x)).sum::<f64>() / (train.len() * 784) as f64;
    assert!((mean - 0.1307).abs() < 1e-4, "{mean}");
}

#[test]
fn tables_have_the_published_shapes() {
    let Some(dir) = real("tables_have_the_published_shapes") else { return };
    let mails = spambase(&dir).unwrap();
    assert_eq!(mails.labels.iter().filter(|&&label| label == 1).count(), 1813);
    assert_eq!((mails.row(0)[1], mails.row(0)[56], mails.labels[0]), (0.64, 278.0, 1));
    let (train, test) = pendigits(&dir).unwrap();
    assert_eq!((train.row(0)[1], train.labels[0], test.labels[0]), (100.0, 8, 8));
    let (train, _) = optdigits(&dir).unwrap();
    assert_eq!((train.row(0)[3], train.rows().unwrap().row(1)[2], train.labels[0]), (15.0, 10.0, 0));
}

#[test]
fn hospitals_have_the_sizes_of_flamby() {
    let Some(dir) = real("hospitals_have_the_sizes_of_flamby") else { return };
    let hospitals = heart(&dir).unwrap();
    let sizes: Vec<_> = hospitals.iter().map(|hospital| (hospital.train.len(), hospital.test.len())).collect();
    assert_eq!(sizes, [(199, 104), (172, 89), (30, 16), (85, 45)]);
    assert!(hospitals.iter().all(|hospital| (hospital.train.width(), hospital.test.classes()) == (13, 2)));
    assert_eq!(hospitals[0].train.row(1)[..4], [67.0, 1.0, 160.0, 286.0]);
}

#[test]
fn tables_plain_and_compressed() {
    let dir = TempDir::new().unwrap();
    let want = Table { width: 2, classes: 4, features: vec![1.0, -2.5, 0.0, 4e3], labels: vec![3, 0] };
    assert_eq!(table(&write(&dir, "a.csv", b"1, -2.5,3\r\n0,4e3,0\n\n"), false).unwrap(), want);
    assert_eq!(table(&write(&dir, "a.gz", b"x,y,label\n1,-2.5,3\n0,4e3,0"), true).unwrap(), want);
}

#[test]
fn wrong_tables_are_refused_by_line() {
    let dir = TempDir::new().unwrap();
    let line = |text: &[u8]| match table(&write(&dir, "a.csv", text), false) {
        Err(DataError::Line { line, .. }) => line,
        other => panic!("{other:?}"),
    };
    assert_eq!(line(b"1,2,0\n1,0\n"), 2);
    assert_eq!(line(b"1,2,0\n\n1,NaN,0\n"), 3);
    assert_eq!(line(b"1,2,0.5\n"), 1);
    assert_eq!(line(b"1,2,-1\n"), 1);
    assert_eq!(line(b"1\n"), 1);
    assert!(matches!(table(&write(&dir, "b.csv", b"a,b\n"), true), Err(DataError::Format { .. })));
    let no_text = table(&write(&dir, "c.csv", b"\xff,1\n"), true).map(|_| ()).unwrap_err().to_string();
    assert!(no_text.contains("c.csv"), "{no_text}");
    assert!(matches!(table(&dir.path().join("absent"), true), Err(DataError::Io { .. })));
}

#[test]
fn wrong_images_are_refused() {
    let dir = TempDir::new().unwrap();
    let labels = write(&dir, "labels.gz", &idx(0x801, &[2], &[1, 9]));
    let pixels = vec![255; 2 * 784];
    let read = |images: &[u8], labels: &Path| idx::rows(&write(&dir, "images.gz", images), labels, f32::from);
    let good = idx(0x803, &[2, 28, 28], &pixels);
    let rows = read(&good, &labels).unwrap();
    assert_eq!((rows.labels(), rows.row(1)[783]), (&[1, 9][..], 255.0));
    for images in [
        idx(0x801, &[2, 28, 28], &pixels),
        idx(0x803, &[2, 28, 27], &pixels),
        idx(0x803, &[u32::MAX, 28, 28], &pixels),
        idx(0x803, &[0, 28, 28], &[]),
        idx(0x803, &[1, 28, 28], &pixels[..784]),
        good[..good.len() - 1].to_vec(),
        good[..6].to_vec(),
    ] {
        assert!(matches!(read(&images, &labels), Err(DataError::Format { .. })));
    }
    let beyond = write(&dir, "beyond.gz", &idx(0x801, &[2], &[1, 10]));
    assert!(matches!(read(&good, &beyond), Err(DataError::Format { .. })));
}
