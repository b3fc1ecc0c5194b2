//! Who mixed whom, over the whole run.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::record::MixRow;

/// Models taken, by taker and giver.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Matrix {
    /// Neighbouring peers that share one row and column.
    pub block: usize,
    /// Rows and columns.
    pub size: usize,
    /// Models taken. Shapes: `[size, size]`, row by row; rows take, columns give.
    pub models: Vec<u64>,
    /// Bytes taken, the same shape, in kilobytes.
    pub kilobytes: Vec<u64>,
}

impl Matrix {
    /// Of the models pulled among `peers` peers, in at most `most` rows. Unknown names are left out.
    pub(super) fn new(rows: &[MixRow], index: &BTreeMap<&str, usize>, peers: usize, most: usize) -> Self {
        let block = peers.div_ceil(most.max(1)).max(1);
        let size = peers.div_ceil(block);
        let (mut models, mut bytes) = (vec![0u64; size * size], vec![0u64; size * size]);
        for row in rows {
            let (Some(to), Some(from)) = (index.get(row.name.as_str()), index.get(row.from.as_str())) else { continue };
            let cell = to / block * size + from / block;
            models[cell] += 1;
            bytes[cell] = bytes[cell].saturating_add(row.bytes);
        }
        Self { block, size, models, kilobytes: bytes.into_iter().map(|bytes| bytes / 1000).collect() }
    }
}
