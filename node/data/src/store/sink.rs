//! Where encoded rows go while a table is read.

use std::path::Path;
use std::sync::Arc;

use peerlearn_protocols::dataset::{Stored, Values};

use super::StoreWriter;
use super::cache::{Beside, Place};
use crate::DataError;

/// Values that are written at once.
const CHUNK: usize = 1 << 18;

/// Rows that are encoded into memory, up to a limit, and then into a file.
pub(crate) struct Sink<'a> {
    /// What the next row is appended to, `[width]`.
    pub buffer: Vec<f32>,
    width: usize,
    /// Most values in memory.
    limit: usize,
    /// Where a file goes that has a name.
    place: Option<&'a Place>,
    /// Where a file goes that has none.
    folder: Option<&'a Path>,
    writer: Option<StoreWriter>,
}

impl<'a> Sink<'a> {
    /// For rows of this width, at most so many bytes of them in memory.
    pub fn new(width: usize, memory: u64, place: Option<&'a Place>, folder: Option<&'a Path>) -> Self {
        let limit = usize::try_from(memory / 4).unwrap_or(usize::MAX);
        Self { buffer: Vec::new(), width, limit, place, folder, writer: None }
    }

    /// To be called after every row: moves rows to the file where there are too many.
    pub fn settle(&mut self) -> Result<(), DataError> {
        match &mut self.writer {
            Some(writer) if self.buffer.len() >= CHUNK => {
                writer.push(&self.buffer)?;
                self.buffer.clear();
            }
            None if self.buffer.len() > self.limit => {
                let mut writer = match self.place {
                    Some(place) => StoreWriter::named(place.path(), self.width)?,
                    None => StoreWriter::unnamed(self.folder, self.width)?,
                };
                writer.push(&std::mem::take(&mut self.buffer))?;
                self.writer = Some(writer);
            }
            _ => {}
        }
        Ok(())
    }

    /// All rows. What is kept under a name has `beside` with it.
    pub fn finish(self, beside: &Beside<'_>) -> Result<Values, DataError> {
        let Some(mut writer) = self.writer else { return Ok(Values::Floats(Arc::new(self.buffer))) };
        writer.push(&self.buffer)?;
        drop(self.buffer);
        let rows = match self.place {
            Some(place) => place.keep(writer, beside)?,
            None => writer.finish()?,
        };
        Ok(Values::Stored(Stored::new(Arc::new(rows))))
    }
}
