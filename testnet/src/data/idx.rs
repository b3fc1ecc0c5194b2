//! The IDX format of MNIST.

use std::path::Path;
use std::sync::Arc;

use peerlearn_sim::Rows;

use super::{DataError, MAX_BYTES, read};

/// First four bytes of a file of bytes in three dimensions.
const IMAGES: u32 = 0x0803;
/// First four bytes of a file of bytes in one dimension.
const LABELS: u32 = 0x0801;
/// Side of an image.
const SIDE: usize = 28;
/// Number of classes.
const CLASSES: usize = 10;

/// MNIST in `dir/mnist`: 60,000 rows to train and 10,000 to test on, 784 numbers each, in 10 classes. `scale` turns a
/// byte into a feature.
///
/// # Errors
/// A file is missing or too large, a header is not that of MNIST, lengths disagree, or a label is not below 10.
pub fn mnist(dir: &Path, scale: fn(u8) -> f32) -> Result<(Rows, Rows), DataError> {
    let dir = dir.join("mnist");
    let split = |name: &str| {
        let images = dir.join(format!("{name}-images-idx3-ubyte.gz"));
        rows(&images, &dir.join(format!("{name}-labels-idx1-ubyte.gz")), scale)
    };
    Ok((split("train")?, split("t10k")?))
}

/// Images and their labels.
pub(super) fn rows(images: &Path, labels: &Path, scale: fn(u8) -> f32) -> Result<Rows, DataError> {
    let (pixels, count) = body(images, IMAGES, &[SIDE, SIDE])?;
    let (marks, label_count) = body(labels, LABELS, &[])?;
    if count != label_count {
        return Err(DataError::format(labels, format!("{label_count} labels for {count} images")));
    }
    if let Some(row) = marks.iter().position(|&label| usize::from(label) >= CLASSES) {
        return Err(DataError::format(labels, format!("label {} of row {row} is not below {CLASSES}", marks[row])));
    }
    let scaled: [f32; 256] = std::array::from_fn(|byte| scale(byte as u8));
    let features: Arc<[f32]> = pixels.iter().map(|&byte| scaled[usize::from(byte)]).collect();
    let labels: Arc<[u32]> = marks.iter().map(|&label| u32::from(label)).collect();
    Ok(Rows { width: SIDE * SIDE, classes: CLASSES, features, labels })
}

/// The data behind the header, and the number of items. Shapes: `item` is the shape wanted of one item.
fn body(path: &Path, magic: u32, item: &[usize]) -> Result<(Vec<u8>, usize), DataError> {
    let mut bytes = read(path, MAX_BYTES)?;
    let word = |index: usize| {
        let bytes: [u8; 4] = bytes.get(4 * index..4 * index + 4)?.try_into().ok()?;
        Some(u32::from_be_bytes(bytes))
    };
    let (Some(found), Some(count)) = (word(0), word(1)) else {
        return Err(DataError::format(path, "the header is cut short"));
    };
    if found != magic {
        return Err(DataError::format(path, format!("starts with {found:#x} instead of {magic:#x}")));
    }
    for (index, &want) in item.iter().enumerate() {
        if word(index + 2).map(|got| got as usize) != Some(want) {
            return Err(DataError::format(path, format!("dimension {} is not {want}", index + 1)));
        }
    }
    let header = 8 + 4 * item.len();
    let size = u64::from(count) * item.iter().map(|&dim| dim as u64).product::<u64>();
    if count == 0 || size != (bytes.len() - header) as u64 {
        let got = bytes.len() - header;
        return Err(DataError::format(path, format!("{got} bytes follow the header instead of {size}")));
    }
    bytes.drain(..header);
    Ok((bytes, count as usize))
}
