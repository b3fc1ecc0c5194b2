//! Reads tables that are still growing: each call returns the rows that came since the last one.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use csv::StringRecord;
use serde::de::DeserializeOwned;

use super::error::RecordError;

/// Most bytes of one table. The largest, a model a line for hundreds of peers over hours, has some hundred megabytes.
const LIMIT: u64 = 1 << 30;
/// Most bytes taken in one step, so that a large table never is in memory as text as a whole.
const STEP: u64 = 8 << 20;

/// The end of a growing table. A line counts once its line end is there, so half lines are skipped.
#[derive(Debug)]
pub struct Tail<T> {
    path: PathBuf,
    offset: u64,
    lines: u64,
    header: Option<StringRecord>,
    rows: PhantomData<T>,
}

impl<T: DeserializeOwned> Tail<T> {
    /// Of a file that may not be there yet.
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), offset: 0, lines: 0, header: None, rows: PhantomData }
    }

    /// Appends the new whole rows to `rows`. A file that is missing has none.
    ///
    /// # Errors
    /// The file cannot be read, is larger than 1 GiB, or has a line that does not fit its header or type.
    pub fn read(&mut self, rows: &mut Vec<T>) -> Result<(), RecordError> {
        let mut file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(source) => return Err(RecordError::Read { path: self.path.clone(), source }),
        };
        let length = file.metadata().map_err(RecordError::read(&self.path))?.len();
        if length > LIMIT {
            return Err(RecordError::TooLarge { path: self.path.clone(), got: length, limit: LIMIT });
        }
        while self.offset < length {
            let mut bytes = Vec::new();
            let sought = file.seek(SeekFrom::Start(self.offset));
            let read = sought.and_then(|_| (&mut file).take(STEP).read_to_end(&mut bytes));
            read.map_err(RecordError::read(&self.path))?;
            let Some(end) = bytes.iter().rposition(|byte| *byte == b'\n') else { break };
            self.parse(&bytes[..=end], rows)?;
            self.offset += end as u64 + 1;
        }
        Ok(())
    }

    fn parse(&mut self, bytes: &[u8], rows: &mut Vec<T>) -> Result<(), RecordError> {
        let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(bytes);
        let base = self.lines;
        let wrong = |path: &Path, line: u64, reason: String| RecordError::Line { path: path.to_owned(), line, reason };
        for record in reader.records() {
            let record = record.map_err(|error| {
                wrong(&self.path, base + error.position().map_or(1, csv::Position::line), error.to_string())
            })?;
            let line = base + record.position().map_or(1, csv::Position::line);
            let Some(header) = &self.header else {
                self.header = Some(record);
                continue;
            };
            if record.len() != header.len() {
                let reason = format!("{} columns, the header has {}", record.len(), header.len());
                return Err(wrong(&self.path, line, reason));
            }
            rows.push(record.deserialize(Some(header)).map_err(|error| wrong(&self.path, line, reason(&error)))?);
        }
        self.lines = base + bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
        Ok(())
    }
}

/// What is wrong, without the position: it counts from the part that was read.
fn reason(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::Deserialize { err, .. } => err.to_string(),
        _ => error.to_string(),
    }
}
