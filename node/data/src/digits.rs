//! The digits that come with peerlearn: 8x8 images, 3,823 to train on, 1,797 by other writers to measure on.

use std::io::Read;
use std::sync::Arc;

use flate2::read::GzDecoder;

use super::raw::Raw;
use super::{DataError, Values};

const PACKED: &[u8] = include_bytes!("../assets/optdigits.bin.gz");
const PIXELS: usize = 64;

/// UCI optdigits (CC BY 4.0, see `assets/README.md`): training rows, test rows; raw counts from 0 to 16.
///
/// # Errors
/// The embedded file is damaged, which only a broken build can do.
pub fn digits() -> Result<(Raw, Raw), DataError> {
    let damaged = || DataError::Embedded;
    let mut bytes = Vec::new();
    GzDecoder::new(PACKED).read_to_end(&mut bytes).map_err(|_| damaged())?;
    let (train, rest) = part(&bytes).ok_or_else(damaged)?;
    let (test, _) = part(rest).ok_or_else(damaged)?;
    Ok((train, test))
}

fn part(bytes: &[u8]) -> Option<(Raw, &[u8])> {
    let (count, rest) = bytes.split_first_chunk::<4>()?;
    let rows = u32::from_le_bytes(*count) as usize;
    let (pixels, rest) = rest.split_at_checked(rows * PIXELS)?;
    let (labels, rest) = rest.split_at_checked(rows)?;
    let raw = Raw {
        input: vec![1, 8, 8],
        classes: (0..10).map(|digit: u8| digit.to_string()).collect(),
        features: Values::Bytes(Arc::new(pixels.to_vec())),
        labels: labels.iter().map(|label| u32::from(*label)).collect(),
        targets: Vec::new(),
    };
    Some((raw, rest))
}
