//! IDX files, the format of MNIST: a directory with `train-images-idx3-ubyte`, `train-labels-idx1-ubyte` and, if there
//! are any, the `t10k` files; plain or gzipped.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;

use super::load::Raw;
use super::{DataError, Values};

/// Largest file read, unpacked: 16 times MNIST.
const MAX_BYTES: u64 = 1 << 30;

/// Reads a directory: training rows, test rows where there are any, and the files they came from.
///
/// # Errors
/// A file is missing, damaged or too large; the two of a pair do not fit.
pub(super) fn load(directory: &Path) -> Result<(Raw, Option<Raw>, Vec<PathBuf>), DataError> {
    let missing = || DataError::NoIdx { directory: directory.to_owned() };
    let (train, mut files) = pair(directory, "train")?.ok_or_else(missing)?;
    let test = pair(directory, "t10k")?.map(|(test, more)| {
        files.extend(more);
        test
    });
    Ok((train, test, files))
}

fn pair(directory: &Path, stem: &str) -> Result<Option<(Raw, Vec<PathBuf>)>, DataError> {
    let images = find(directory, &format!("{stem}-images-idx3-ubyte"));
    let labels = find(directory, &format!("{stem}-labels-idx1-ubyte"));
    match (images, labels) {
        (Some(images), Some(labels)) => Ok(Some((read_pair(&images, &labels)?, vec![images, labels]))),
        (None, None) => Ok(None),
        _ => Err(DataError::NoIdx { directory: directory.to_owned() }),
    }
}

fn find(directory: &Path, name: &str) -> Option<PathBuf> {
    [name.to_owned(), format!("{name}.gz")].into_iter().map(|name| directory.join(name)).find(|path| path.is_file())
}

fn read_pair(images_path: &Path, labels_path: &Path) -> Result<Raw, DataError> {
    let (sizes, pixels) = parse(images_path, unpack(images_path)?, 3)?;
    let (counts, labels) = parse(labels_path, unpack(labels_path)?, 1)?;
    if sizes[0] != counts[0] {
        let reason = format!("it has {} labels for {} images", counts[0], sizes[0]);
        return Err(DataError::File { path: labels_path.to_owned(), reason });
    }
    let classes = labels.iter().max().map_or(0, |most| usize::from(*most) + 1);
    if labels.is_empty() {
        return Err(DataError::File { path: images_path.to_owned(), reason: "it has no images".to_owned() });
    }
    if labels.iter().all(|label| *label == labels[0]) {
        let reason = format!("every label is {}; 2 or more classes are needed", labels[0]);
        return Err(DataError::File { path: labels_path.to_owned(), reason });
    }
    Ok(Raw {
        input: vec![1, sizes[1], sizes[2]],
        classes: (0..classes).map(|class| class.to_string()).collect(),
        features: Values::Bytes(pixels),
        labels: labels.iter().map(|label| u32::from(*label)).collect(),
    })
}

/// Checks the header of an IDX file of bytes with this many dimensions; the sizes must be those of the content.
fn parse(path: &Path, mut bytes: Vec<u8>, dimensions: usize) -> Result<(Vec<usize>, Vec<u8>), DataError> {
    let wrong = |reason: String| DataError::File { path: path.to_owned(), reason };
    let short = || wrong("it ends within its header".to_owned());
    let (magic, mut rest) = bytes.split_first_chunk::<4>().ok_or_else(short)?;
    if *magic != [0, 0, 8, dimensions as u8] {
        return Err(wrong(format!("it is no IDX file of bytes with {dimensions} dimensions")));
    }
    let mut sizes = Vec::with_capacity(dimensions);
    for _ in 0..dimensions {
        let (size, after) = rest.split_first_chunk::<4>().ok_or_else(short)?;
        sizes.push(u32::from_be_bytes(*size) as usize);
        rest = after;
    }
    let claimed = sizes.iter().try_fold(1usize, |product, &size| product.checked_mul(size));
    match claimed {
        Some(claimed) if claimed == rest.len() => {
            bytes.drain(..bytes.len() - claimed);
            Ok((sizes, bytes))
        }
        _ => Err(wrong(format!("its header claims sizes {sizes:?}, but {} bytes follow", rest.len()))),
    }
}

fn unpack(path: &Path) -> Result<Vec<u8>, DataError> {
    let failed = |source| DataError::Read { path: path.to_owned(), source };
    let file = File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    let packed = path.extension().is_some_and(|extension| extension == "gz");
    let read = match packed {
        true => GzDecoder::new(file).take(MAX_BYTES + 1).read_to_end(&mut bytes),
        false => file.take(MAX_BYTES + 1).read_to_end(&mut bytes),
    };
    read.map_err(failed)?;
    if bytes.len() as u64 > MAX_BYTES {
        let reason = format!("it is larger than {MAX_BYTES} bytes");
        return Err(DataError::File { path: path.to_owned(), reason });
    }
    Ok(bytes)
}
