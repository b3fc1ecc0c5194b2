//! MNIST.

use std::path::Path;

use peerlearn::data::idx::Idx;
use peerlearn_protocols::dataset::Dataset;

use super::DataError;

/// Side of an image.
const SIDE: usize = 28;
/// Number of classes.
const CLASSES: usize = 10;

/// MNIST in `dir/mnist`: 60,000 rows to train and 10,000 to test on, 784 numbers each, in 10 classes. `scale` turns a
/// byte into a feature.
///
/// # Errors
/// A file is missing, a header is not that of MNIST, lengths disagree, or a label is not below 10.
pub fn mnist(dir: &Path, scale: fn(u8) -> f32) -> Result<(Dataset, Dataset), DataError> {
    let dir = dir.join("mnist");
    let split = |name: &str| {
        let images = dir.join(format!("{name}-images-idx3-ubyte.gz"));
        rows(&images, &dir.join(format!("{name}-labels-idx1-ubyte.gz")), scale)
    };
    Ok((split("train")?, split("t10k")?))
}

/// Images and their labels.
pub(super) fn rows(images: &Path, labels: &Path, scale: fn(u8) -> f32) -> Result<Dataset, DataError> {
    let pixels = Idx::open(images, 3)?;
    if pixels.sizes()[0] == 0 || pixels.sizes()[1..] != [SIDE, SIDE] {
        let what = format!("its sizes are {:?}, instead of some images of {SIDE} x {SIDE}", pixels.sizes());
        return Err(DataError::format(images, what));
    }
    let (count, pixels) = (pixels.sizes()[0], pixels.rows(None)?);
    let marks = Idx::open(labels, 1)?.rows(None)?;
    if count != marks.len() {
        return Err(DataError::format(labels, format!("{} labels for {count} images", marks.len())));
    }
    if let Some(row) = marks.iter().position(|&label| usize::from(label) >= CLASSES) {
        return Err(DataError::format(labels, format!("label {} of row {row} is not below {CLASSES}", marks[row])));
    }
    let scaled: [f32; 256] = std::array::from_fn(|byte| scale(byte as u8));
    let features = pixels.iter().map(|&byte| scaled[usize::from(byte)]).collect();
    let labels = marks.iter().map(|&label| u32::from(label)).collect();
    Ok(Dataset::new(vec![SIDE * SIDE], CLASSES, features, labels)?)
}
