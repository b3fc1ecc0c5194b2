//! Writing rows to a file.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::{Blocks, FileRows, check};
use crate::DataError;

/// Rows that are appended to a file.
#[derive(Debug)]
pub struct StoreWriter {
    file: File,
    shown: PathBuf,
    /// The name that the file has while it is written; it is removed with this.
    named: Option<NamedTempFile>,
    blocks: Blocks,
    rows: usize,
    /// Values of the block that is not full yet.
    block: Vec<u8>,
    checks: Vec<u64>,
}

impl StoreWriter {
    /// A file without a name, for rows `[width]`, in a folder or where the system has its temporary files; it is gone with the
    /// last who reads it.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn unnamed(folder: Option<&Path>, width: usize) -> Result<Self, DataError> {
        let folder = folder.map_or_else(std::env::temp_dir, Path::to_owned);
        let file =
            tempfile::tempfile_in(&folder).map_err(|source| DataError::Store { path: folder.clone(), source })?;
        Ok(Self::new(file, folder.join("(a temporary file of encoded rows)"), None, width))
    }

    /// A file that is to become `path` once it is whole.
    pub(super) fn named(path: &Path, width: usize) -> Result<Self, DataError> {
        let failed = |source| DataError::Store { path: path.to_owned(), source };
        let (folder, name) = (path.parent().unwrap_or(Path::new(".")), path.file_name().unwrap_or_default());
        std::fs::create_dir_all(folder).map_err(failed)?;
        let mut prefix = name.to_owned();
        prefix.push(".");
        let named = tempfile::Builder::new().prefix(&prefix).suffix(super::cache::UNFINISHED).tempfile_in(folder);
        let named = named.map_err(failed)?;
        let file = named.as_file().try_clone().map_err(failed)?;
        Ok(Self::new(file, path.to_owned(), Some(named), width))
    }

    fn new(file: File, shown: PathBuf, named: Option<NamedTempFile>, width: usize) -> Self {
        Self { file, shown, named, blocks: Blocks::of(width), rows: 0, block: Vec::new(), checks: Vec::new() }
    }

    /// Appends rows, `[rows, width]`.
    ///
    /// # Errors
    /// They cannot be written, are no whole rows, or one of their values is not finite; there are more rows than 2^32.
    pub fn push(&mut self, rows: &[f32]) -> Result<(), DataError> {
        let wrong = |reason: String| Err(DataError::File { path: self.shown.clone(), reason });
        let width = self.blocks.width;
        if !rows.len().is_multiple_of(width) {
            return wrong(format!("{} values are no rows of {width}", rows.len()));
        }
        if let Some(at) = rows.iter().position(|value| !value.is_finite()) {
            return wrong(format!("row {}, feature {} is {}", self.rows + at / width, at % width, rows[at]));
        }
        let count = self.rows + rows.len() / width;
        if u32::try_from(count).is_err() {
            return wrong(format!("it would have {count} rows; at most {} are learnt from", u32::MAX));
        }
        self.rows = count;
        let full = self.blocks.bytes();
        let mut left = rows;
        while !left.is_empty() {
            let (some, rest) = left.split_at(left.len().min((full - self.block.len()) / 4));
            self.block.extend(some.iter().flat_map(|value| value.to_le_bytes()));
            left = rest;
            if self.block.len() == full {
                self.flush().map_err(|source| self.failed(source))?;
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.block.is_empty() {
            self.checks.push(check(&self.block));
            self.file.write_all(&self.block)?;
            self.block.clear();
        }
        Ok(())
    }

    pub(super) fn blocks(&self) -> Blocks {
        self.blocks
    }

    pub(super) fn failed(&self, source: io::Error) -> DataError {
        DataError::Store { path: self.shown.clone(), source }
    }

    /// Writes what is left of the rows, and answers with what follows them in a file with a name.
    pub(super) fn end(&mut self) -> Result<(&mut File, &[u64]), DataError> {
        self.flush().map_err(|source| self.failed(source))?;
        Ok((&mut self.file, &self.checks))
    }

    /// The rows, to be read. What has a name loses it.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn finish(mut self) -> Result<FileRows, DataError> {
        self.end()?;
        Ok(FileRows::new(self.file, self.shown, self.rows, self.blocks.width, self.checks))
    }

    /// The rows, to be read; the file has the name that it was to have.
    pub(super) fn keep(mut self) -> Result<FileRows, DataError> {
        self.end()?;
        if let Some(named) = self.named.take() {
            named
                .persist(&self.shown)
                .map_err(|error| DataError::Store { path: self.shown.clone(), source: error.error })?;
        }
        self.finish()
    }
}
