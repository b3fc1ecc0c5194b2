//! Images and arrays of numbers: IDX files, folders of images, and arrays of NumPy.

mod decode;
mod folder;
mod geometry;
pub mod idx;
mod idx_names;
mod names;
mod npy;
mod npz;
mod picture;
mod summary;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::raw::{ChooseRows, Raw};
use super::{DataError, Values};

pub use geometry::{Colour, Filter, Fit, Geometry};

/// Most bytes of images or numbers held in memory of one source.
const MAX_BYTES: u64 = 1 << 32;

/// A kind of source that this module reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A directory with IDX files, or one such file.
    Idx,
    /// A directory with images, or one image.
    ImageFolder,
    /// Arrays of NumPy: an `.npz` archive, or one `.npy` file.
    Npz,
}

/// A source as it was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Arrays {
    /// The training rows that were wanted.
    pub train: Raw,
    /// Test rows, where the source has some; with the same list of classes.
    pub test: Option<Raw>,
    /// Files whose change means other rows: those that were read, or the folders in which images lie.
    pub files: Vec<PathBuf>,
    /// One line in words: what was read as what.
    pub understood: String,
    /// Largest value of the scale: 255 for images, and 1, 16, 255, 65535 or the largest there is for arrays of NumPy.
    pub most: f32,
}

/// What a reader of one kind hands on.
struct Parts {
    train: Raw,
    test: Option<Raw>,
    files: Vec<PathBuf>,
    most: f32,
    /// Training rows in the source, wanted or not.
    total: usize,
    /// What the source is, for [`Arrays::understood`].
    what: String,
    /// What else is to be said.
    notes: Vec<String>,
}

/// What lies at a path, if it is images or arrays at all. Looks at names and at first bytes.
pub fn kind_of(path: &Path) -> Option<Kind> {
    if path.is_dir() {
        return match () {
            () if !idx_names::sets(path).is_empty() => Some(Kind::Idx),
            () if folder::has_images(path) => Some(Kind::ImageFolder),
            () => None,
        };
    }
    let start = first_bytes(path)?;
    let ends = |ending: &str| path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case(ending));
    // Spreadsheets are zip archives too, so the name of the first file inside decides. It ends before byte 300.
    let inside = start.get(30..).unwrap_or_default();
    let zipped = start.starts_with(b"PK\x03\x04") && inside.windows(4).any(|window| window == b".npy");
    match () {
        () if start.starts_with(npy::MAGIC) || zipped || ends("npz") || ends("npy") => Some(Kind::Npz),
        () if picture::is_one(path, &start) => Some(Kind::ImageFolder),
        () if idx::is_one(path) => Some(Kind::Idx),
        () => None,
    }
}

fn first_bytes(path: &Path) -> Option<Vec<u8>> {
    // Whoever opens a pipe waits for the other end.
    if !path.is_file() {
        return None;
    }
    let mut start = Vec::new();
    File::open(path).ok()?.take(300).read_to_end(&mut start).ok()?;
    Some(start)
}

/// Reads images or arrays with their labels: the training rows that `choose` wants, and test rows where there are any.
/// Classes are those that occur in either; there may be only one.
///
/// # Errors
/// There is nothing of the kind at the path, or it cannot be read, is damaged, or is too large.
pub fn load(path: &Path, geometry: Option<&Geometry>, choose: ChooseRows<'_>) -> Result<Arrays, DataError> {
    check(path, geometry)?;
    let mut parts = match kind_of(path) {
        Some(Kind::Idx) => idx::load(path, choose)?,
        Some(Kind::ImageFolder) => folder::load(path, geometry, choose)?,
        Some(Kind::Npz) => npz::load(path, choose)?,
        None if !path.exists() => return Err(DataError::Missing { path: path.to_owned() }),
        None => return Err(nothing(path)),
    };
    if let Some(test) = &mut parts.test {
        names::unite(&mut parts.train, test);
    }
    for raw in [Some(&mut parts.train), parts.test.as_mut()].into_iter().flatten() {
        fit(path, geometry, &mut raw.input, &mut raw.features)?;
    }
    if let Some(test) = parts.test.as_ref().filter(|test| test.input != parts.train.input) {
        let (train, test) = (summary::shape(&parts.train.input), summary::shape(&test.input));
        let reason = format!("training rows are {train}, but test rows are {test}; set image.size and image.colour");
        return Err(DataError::File { path: path.to_owned(), reason });
    }
    let understood = summary::of(&parts);
    let Parts { train, test, files, most, .. } = parts;
    Ok(Arrays { train, test, files, understood, most })
}

/// Reads images without labels, for predicting: a folder of images of any depth, one image, an IDX file of images, an
/// `.npz` archive or an `.npy` file. Answers a name for each: that of the file, or the number of the row from 1.
///
/// Shapes: `input` is what the model takes, `[channels, height, width]`; answer `[names, product of input]`.
///
/// # Errors
/// There is nothing of the kind at the path, it cannot be read or is damaged, or its images are not what the model
/// takes.
pub fn images(path: &Path, geometry: Option<&Geometry>, input: &[usize]) -> Result<(Vec<String>, Values), DataError> {
    check(path, geometry)?;
    let (names, mut got, mut values) = match kind_of(path) {
        Some(Kind::Idx) if path.is_file() => idx::images(path)?,
        Some(Kind::ImageFolder) => folder::images(path, geometry, input)?,
        Some(Kind::Npz) => npz::images(path)?,
        Some(Kind::Idx) => {
            let reason = "it is a folder of IDX files; name the one file of images to predict".to_owned();
            return Err(DataError::File { path: path.to_owned(), reason });
        }
        None if !path.exists() => return Err(DataError::Missing { path: path.to_owned() }),
        None => return Err(nothing(path)),
    };
    fit(path, geometry, &mut got, &mut values)?;
    if got != input {
        let reason = format!("its images are {got:?}, the model takes {input:?} (channels, height, width)");
        return Err(DataError::File { path: path.to_owned(), reason });
    }
    Ok((names, values))
}

fn check(path: &Path, geometry: Option<&Geometry>) -> Result<(), DataError> {
    let checked = geometry.map_or(Ok(()), Geometry::validate);
    checked.map_err(|error| DataError::File { path: path.to_owned(), reason: error.to_string() })
}

/// Brings rows to the geometry, where there is one and they are otherwise.
fn fit(path: &Path, geometry: Option<&Geometry>, input: &mut Vec<usize>, values: &mut Values) -> Result<(), DataError> {
    let Some(geometry) = geometry.filter(|geometry| geometry.input()[..] != input[..]) else { return Ok(()) };
    let fitted = geometry.fit_rows(input, values);
    *values = fitted.map_err(|reason| DataError::File { path: path.to_owned(), reason })?;
    *input = geometry.input().to_vec();
    Ok(())
}

/// The error for a path at which there is nothing that can be read.
fn nothing(path: &Path) -> DataError {
    if path.is_dir() {
        return DataError::NoIdx { directory: path.to_owned(), there: summary::listing(path) };
    }
    let reason = "it is no image (PNG or JPEG), no IDX file of images and no array of NumPy (.npz, .npy)".to_owned();
    DataError::File { path: path.to_owned(), reason }
}
