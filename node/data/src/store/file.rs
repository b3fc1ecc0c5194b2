//! Reading rows from a file by position.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use peerlearn_protocols::dataset::RowStore;

use super::{Blocks, CACHE_BYTES, check};

/// Times that a row alone is read of a block, before the next one has all of it read: who asks for one row in a hundred, as
/// validation may, is not made to read the whole file.
const ALONE: u8 = 3;
/// Blocks of which that is counted.
const MOST_COUNTED: usize = 1 << 14;

/// Rows of floats in a file, `[rows, width]`, of which some blocks are kept in memory. Every block is compared with what it was
/// when it was written, when it is read first.
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
    /// One bit a block: whether it is what was written.
    checked: Vec<u64>,
    /// How many rows alone were read of blocks, of late.
    alone: HashMap<usize, u8>,
    row: Vec<u8>,
}

#[derive(Debug)]
struct Block {
    bytes: Vec<u8>,
    /// When it was last asked for.
    used: u64,
}

impl FileRows {
    pub(super) fn new(file: File, shown: PathBuf, rows: usize, width: usize, checks: Vec<u64>) -> Self {
        let kept = Kept { checked: vec![0; checks.len().div_ceil(64)], ..Kept::default() };
        Self { file, shown, rows, blocks: Blocks::of(width), checks, kept: Mutex::new(kept) }
    }

    /// What messages call the file.
    pub fn path(&self) -> &Path {
        &self.shown
    }

    /// Reads rows into a buffer of any length.
    fn read(&self, first: usize, count: usize, bytes: &mut Vec<u8>) -> Result<(), String> {
        bytes.resize(count * self.blocks.row_bytes(), 0);
        read_exact_at(&self.file, bytes, self.offset(first)).map_err(|error| self.wrong(first, &error.to_string()))
    }

    /// Reads a block, and compares it with what was written where that was not done yet.
    fn read_block(&self, number: usize, is_checked: bool, bytes: &mut Vec<u8>) -> Result<(), String> {
        let first = number * self.blocks.rows;
        self.read(first, self.blocks.rows.min(self.rows - first), bytes)?;
        match self.checks.get(number) {
            _ if is_checked => Ok(()),
            Some(expected) if *expected == check(bytes) => Ok(()),
            _ => Err(self.wrong(first, "this is not what was written there")),
        }
    }

    fn offset(&self, row: usize) -> u64 {
        row as u64 * self.blocks.row_bytes() as u64
    }

    fn wrong(&self, row: usize, reason: &str) -> String {
        let mend = "it was cut or changed since it was written; delete it if it is still there, and start again";
        format!("{} at byte {}: {reason}; {mend}", self.shown.display(), self.offset(row))
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

    fn is_checked(&self, number: usize) -> bool {
        self.checked.get(number / 64).is_some_and(|bits| bits >> (number % 64) & 1 == 1)
    }

    /// Whether a row of this block is to be read alone; counts it.
    fn is_alone(&mut self, number: usize) -> bool {
        if self.alone.len() >= MOST_COUNTED {
            self.alone.clear();
        }
        let count = self.alone.entry(number).or_default();
        *count = count.saturating_add(1);
        *count <= ALONE
    }

    /// Keeps a block that was read and is what was written.
    fn keep(&mut self, number: usize, bytes: Vec<u8>) {
        self.checked.iter_mut().skip(number / 64).take(1).for_each(|bits| *bits |= 1 << (number % 64));
        self.alone.remove(&number);
        self.blocks.insert(number, Block { bytes, used: self.clock });
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
        let mut append = |row: &[u8]| {
            out.extend(row.as_chunks::<4>().0.iter().map(|value| f32::from_le_bytes(*value)));
        };
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(block) = kept.find(number) {
            append(&block.bytes[place..place + row_bytes]);
            return Ok(());
        }
        let is_checked = kept.is_checked(number);
        if is_checked && kept.is_alone(number) {
            self.read(index, 1, &mut kept.row)?;
            append(&kept.row);
            return Ok(());
        }
        let mut bytes = kept.buffer((CACHE_BYTES / self.blocks.bytes()).max(2));
        self.read_block(number, is_checked, &mut bytes)?;
        append(&bytes[place..place + row_bytes]);
        kept.keep(number, bytes);
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
