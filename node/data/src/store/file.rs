//! Reading rows from a file by position.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use peerlearn_protocols::dataset::RowStore;

use super::{Blocks, CACHE_BYTES, check};

/// Rows of floats in a file, `[rows, width]`, of which some blocks are kept in memory. Every block is compared with what it was
/// when it was written.
#[derive(Debug)]
pub struct FileRows {
    file: File,
    shown: PathBuf,
    rows: usize,
    blocks: Blocks,
    /// One a block.
    checks: Vec<u64>,
    kept: Mutex<Kept>,
}

/// Blocks in memory.
#[derive(Debug, Default)]
struct Kept {
    blocks: HashMap<usize, Block>,
    /// Counts the rows that were asked for.
    clock: u64,
}

#[derive(Debug)]
struct Block {
    bytes: Vec<u8>,
    /// When it was last asked for.
    used: u64,
}

impl FileRows {
    pub(super) fn new(file: File, shown: PathBuf, rows: usize, width: usize, checks: Vec<u64>) -> Self {
        Self { file, shown, rows, blocks: Blocks::of(width), checks, kept: Mutex::default() }
    }

    /// What messages call the file.
    pub fn path(&self) -> &Path {
        &self.shown
    }

    /// Reads a block into a buffer of any length.
    fn read(&self, number: usize, bytes: &mut Vec<u8>) -> Result<(), String> {
        let (first, row_bytes) = (number * self.blocks.rows, self.blocks.row_bytes());
        bytes.resize(self.blocks.rows.min(self.rows - first) * row_bytes, 0);
        let offset = first as u64 * row_bytes as u64;
        let mend = "it was cut or changed since it was written; delete it if it is still there, and start again";
        read_exact_at(&self.file, bytes, offset)
            .map_err(|error| format!("{} at byte {offset}: {error}; {mend}", self.shown.display()))?;
        match self.checks.get(number) {
            Some(expected) if *expected == check(bytes) => Ok(()),
            _ => Err(format!("{} at byte {offset}: this is not what was written there; {mend}", self.shown.display())),
        }
    }
}

impl Kept {
    /// A block that was read already.
    fn find(&mut self, number: usize) -> Option<&Block> {
        self.clock += 1;
        let clock = self.clock;
        self.blocks.get_mut(&number).map(|block| {
            block.used = clock;
            &*block
        })
    }

    /// A buffer for a block more: that of the block not asked for the longest, where there are `most`.
    fn buffer(&mut self, most: usize) -> Vec<u8> {
        if self.blocks.len() < most {
            return Vec::new();
        }
        let oldest = self.blocks.iter().min_by_key(|(_, block)| block.used).map(|(number, _)| *number);
        oldest.and_then(|number| self.blocks.remove(&number)).map(|block| block.bytes).unwrap_or_default()
    }
}

impl RowStore for FileRows {
    fn rows(&self) -> usize {
        self.rows
    }

    fn width(&self) -> usize {
        self.blocks.width
    }

    fn copy_row(&self, index: usize, out: &mut Vec<f32>) -> Result<(), String> {
        if index >= self.rows {
            return Err(format!("{} has {} rows", self.shown.display(), self.rows));
        }
        let (number, row_bytes) = (index / self.blocks.rows, self.blocks.row_bytes());
        let place = index % self.blocks.rows * row_bytes;
        let mut append = |bytes: &[u8]| {
            let (values, _) = bytes[place..place + row_bytes].as_chunks::<4>();
            out.extend(values.iter().map(|value| f32::from_le_bytes(*value)));
        };
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(block) = kept.find(number) {
            append(&block.bytes);
            return Ok(());
        }
        let mut bytes = kept.buffer((CACHE_BYTES / self.blocks.bytes()).max(2));
        self.read(number, &mut bytes)?;
        append(&bytes);
        let used = kept.clock;
        kept.blocks.insert(number, Block { bytes, used });
        Ok(())
    }
}

#[cfg(unix)]
pub(super) fn read_exact_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, offset)
}

/// Moves the cursor of the file: callers hold a lock.
#[cfg(not(unix))]
pub(super) fn read_exact_at(mut file: &File, bytes: &mut [u8], offset: u64) -> io::Result<()> {
    use std::io::{Read, Seek, SeekFrom};
    file.seek(SeekFrom::Start(offset))?;
    file.read_exact(bytes)
}
