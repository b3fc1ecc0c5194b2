//! Sources made here, read back.

mod archives;
mod folders;
mod idx_files;

use std::path::Path;

use super::*;
use crate::{DataConfig, Dataset};

/// Reads all rows.
fn all(path: &Path) -> Result<Arrays, DataError> {
    load(path, None, &|_, _| Ok(None))
}

/// Why a source is refused.
fn refused(path: &Path) -> String {
    all(path).unwrap_err().to_string()
}

fn bytes(raw: &Raw) -> &[u8] {
    match &raw.features {
        Values::Bytes(bytes) => bytes,
        Values::Floats(_) | Values::Stored(_) => panic!("these are no bytes"),
    }
}

/// As a node reads it.
fn node(path: &Path) -> Result<crate::Loaded, DataError> {
    let config = DataConfig { source: path.display().to_string(), validation: 0.0, ..DataConfig::default() };
    crate::load(&config, &[0; 32], None)
}

/// What holds of everything that is read.
fn check(arrays: &Arrays) {
    for raw in [Some(&arrays.train), arrays.test.as_ref()].into_iter().flatten() {
        let width: usize = raw.input.iter().product();
        assert_eq!(raw.features.len(), raw.labels.len() * width);
        assert!(raw.labels.iter().all(|label| (*label as usize) < raw.classes.len()));
        assert_eq!((&raw.classes, &raw.input), (&arrays.train.classes, &arrays.train.input));
    }
    assert!(arrays.most > 0.0);
}

#[test]
fn what_lies_at_a_path_is_told_by_its_content() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str, content: &[u8]| {
        let path = directory.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    };
    let spreadsheet = [b"PK\x03\x04".as_slice(), &[0; 26], b"[Content_Types].xml"].concat();
    let archive = [b"PK\x03\x04".as_slice(), &[0; 26], b"x_train.npy"].concat();
    assert_eq!(kind_of(&path("a.xlsx", &spreadsheet)), None);
    assert_eq!(kind_of(&path("a.bin", &archive)), Some(Kind::Npz));
    assert_eq!(kind_of(&path("b.bin", b"\x93NUMPY\x01\x00")), Some(Kind::Npz));
    assert_eq!(kind_of(&path("c.bin", b"\x89PNG\r\n\x1a\n")), Some(Kind::ImageFolder));
    assert_eq!(kind_of(&path("d.bin", &[0, 0, 8, 3, 0])), Some(Kind::Idx));
    assert_eq!(kind_of(&path("e.csv", b"a,label\n1,x\n")), None);
    assert_eq!(kind_of(&path("empty", b"")), None);
    assert_eq!(kind_of(&directory.path().join("absent")), None);
    assert!(matches!(all(&directory.path().join("absent")), Err(DataError::Missing { .. })));
    let text = refused(&directory.path().join("e.csv"));
    assert!(text.contains("e.csv") && text.contains("PNG or JPEG") && text.contains(".npz"), "{text}");
    assert!(refused(&directory.path().join("c.bin")).contains("folder"));
    assert!(refused(&directory.path().join("d.bin")).contains("folder"));
}

#[test]
fn a_directory_with_nothing_to_read_says_what_is_in_it() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("pixels.bin"), [1, 2, 3]).unwrap();
    let text = refused(directory.path());
    assert!(text.contains("train-images-idx3-ubyte") && text.contains("pixels.bin"), "{text}");
}

#[test]
fn a_geometry_is_part_of_a_task() {
    let text = "size = [28, 20]\ncolour = \"grey\"\nfit = \"crop\"\nfilter = \"lanczos3\"\n";
    let geometry: Geometry = toml::from_str(text).unwrap();
    let want = Geometry { size: [28, 20], colour: Colour::Grey, fit: Fit::Crop, filter: Filter::Lanczos3 };
    assert_eq!((&geometry, geometry.input()), (&want, [1, 28, 20]));
    assert_eq!(toml::from_str::<Geometry>(&toml::to_string(&geometry).unwrap()).unwrap(), geometry);
    assert!(toml::from_str::<Geometry>("sizes = [1, 1]").is_err());
    assert!(Geometry::default().validate().is_ok());
    for size in [[0, 8], [8, 0], [1025, 8]] {
        let geometry = Geometry { size, ..Geometry::default() };
        let text = load(Path::new("."), Some(&geometry), &|_, _| Ok(None)).unwrap_err().to_string();
        assert!(text.contains("image.size"), "{text}");
    }
}

/// A source as a node's own rows: its values divided by the scale of the source.
#[test]
fn a_node_learns_from_every_kind() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path().join("folder");
    folders::image(&folder.join("cat/a.png"), 2, 2, &[255, 0, 51, 0]);
    folders::image(&folder.join("dog/a.png"), 2, 2, &[0, 0, 0, 255]);
    let archive = directory.path().join("rows.npz");
    let x = archives::npy("<f8", "(2, 2)", &[[0.5f64, 8.0], [16.0, 4.0]].concat().map_bytes());
    archives::archive(&archive, &[("x", x), ("y", archives::npy("|u1", "(2,)", &[0, 1]))]);
    let rows = |rows: &Dataset| (rows.input().to_vec(), rows.features(), rows.labels().to_vec());
    let images = node(&folder).unwrap();
    let want = (vec![1, 2, 2], vec![1.0, 0.0, 0.2, 0.0, 0.0, 0.0, 0.0, 1.0], vec![0, 1]);
    assert_eq!((rows(&images.train), images.classes().to_vec()), (want, vec!["cat".to_owned(), "dog".to_owned()]));
    let numbers = node(&archive).unwrap();
    assert_eq!(rows(&numbers.train), (vec![2], vec![0.03125, 0.5, 1.0, 0.25], vec![0, 1]));
    std::fs::remove_dir_all(folder.join("dog")).unwrap();
    assert!(node(&folder).map(|_| ()).unwrap_err().to_string().contains("every label is cat"));
}

/// Little-endian bytes of numbers.
trait MapBytes {
    fn map_bytes(&self) -> Vec<u8>;
}

impl MapBytes for Vec<f64> {
    fn map_bytes(&self) -> Vec<u8> {
        self.iter().flat_map(|value| value.to_le_bytes()).collect()
    }
}
