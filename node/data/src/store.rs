//! Encoded rows that memory does not hold: a file of little-endian floats, row by row, read by position.
//!
//! A table is encoded into memory until it exceeds `data.memory`; then what is there and what follows goes to a file, and the
//! data set keeps labels, numbers of rows and a few blocks of the file. The file has no name, or lies in a folder for caches
//! ([`cache`]), where the next start finds it.

pub(super) mod cache;
mod file;
mod sink;
#[cfg(test)]
mod tests;
mod writer;

pub use file::FileRows;
pub(super) use sink::Sink;
pub use writer::StoreWriter;

/// Bytes that are read at once, at least; a row where one is longer.
const BLOCK_BYTES: usize = 1 << 16;
/// Bytes of blocks that are kept: enough for the rows that [`peerlearn_protocols::recipe::Batches::nearby`] shuffles together,
/// up to 128 features.
const CACHE_BYTES: usize = 32 << 20;

/// How rows lie in blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Blocks {
    width: usize,
    /// Rows of a block; the last has what is left.
    rows: usize,
}

impl Blocks {
    fn of(width: usize) -> Self {
        let width = width.max(1);
        Self { width, rows: (BLOCK_BYTES / (4 * width)).max(1) }
    }

    fn row_bytes(self) -> usize {
        4 * self.width
    }

    fn bytes(self) -> usize {
        self.rows * self.row_bytes()
    }

    /// How many blocks so many rows are.
    fn count(self, rows: usize) -> usize {
        rows.div_ceil(self.rows)
    }
}

/// What tells a block from one that was changed: the first bytes of its BLAKE3 hash.
fn check(block: &[u8]) -> u64 {
    u64::from_le_bytes(*blake3::hash(block).as_bytes().first_chunk().unwrap_or(&[0; 8]))
}
