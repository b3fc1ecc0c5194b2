//! The rows of one peer as a file, for a node in another process.
//!
//! A line of JSON with shapes, then features as little-endian `f32`, then labels as little-endian `u32`, for the training
//! rows, the rows kept apart and the test rows in turn.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use peerlearn::data::{DataError, Dataset, Loaded, Scaling};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Longest first line.
const MAX_HEADER: usize = 1 << 20;
/// Most numbers of one part: 4 GB.
const MAX_NUMBERS: usize = 1 << 30;

/// Why rows cannot be read or written.
#[derive(Debug, Error)]
pub enum RowsError {
    /// The system refused.
    #[error("rows in {path}: {source}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The first line is not what it should be.
    #[error("rows in {path}: {reason}", path = path.display())]
    Header {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The rows contradict each other.
    #[error(transparent)]
    Data(#[from] DataError),
}

#[derive(Serialize, Deserialize)]
struct Header {
    input: Vec<usize>,
    classes: Vec<String>,
    scaling: Scaling,
    /// Rows to train on, kept apart, to test on.
    rows: [usize; 3],
}

/// Writes rows.
///
/// # Errors
/// The system refused.
pub fn write_rows(path: &Path, data: &Loaded) -> Result<(), RowsError> {
    let failed = |source| RowsError::Io { path: path.to_owned(), source };
    let parts = [Some(&data.train), data.validation.as_ref(), data.test.as_ref()];
    let header = Header {
        input: data.train.input().to_vec(),
        classes: data.classes.clone(),
        scaling: data.scaling,
        rows: parts.map(|part| part.map_or(0, Dataset::len)),
    };
    let line = serde_json::to_string(&header).map_err(|error| failed(error.into()))?;
    let mut file = BufWriter::new(File::create(path).map_err(failed)?);
    let mut write = || -> std::io::Result<()> {
        writeln!(file, "{line}")?;
        for part in parts.into_iter().flatten() {
            part.features().iter().try_for_each(|value| file.write_all(&value.to_le_bytes()))?;
            part.labels().iter().try_for_each(|label| file.write_all(&label.to_le_bytes()))?;
        }
        file.flush()
    };
    write().map_err(failed)
}

/// Reads rows.
///
/// # Errors
/// The file cannot be read or is not what [`write_rows`] wrote.
pub fn read_rows(path: &Path) -> Result<Loaded, RowsError> {
    let failed = |source| RowsError::Io { path: path.to_owned(), source };
    let wrong = |reason: String| RowsError::Header { path: path.to_owned(), reason };
    let mut file = BufReader::new(File::open(path).map_err(failed)?);
    let mut line = Vec::new();
    let mut byte = [0];
    while line.len() < MAX_HEADER {
        file.read_exact(&mut byte).map_err(failed)?;
        match byte[0] {
            b'\n' => break,
            byte => line.push(byte),
        }
    }
    let header: Header = serde_json::from_slice(&line).map_err(|error| wrong(error.to_string()))?;
    let width = header.input.iter().try_fold(1usize, |width, size| width.checked_mul(*size));
    let mut part = |rows: usize| -> Result<Option<Dataset>, RowsError> {
        if rows == 0 {
            return Ok(None);
        }
        let numbers = width.and_then(|width| width.checked_mul(rows)).filter(|numbers| *numbers <= MAX_NUMBERS);
        let numbers = numbers.ok_or_else(|| wrong(format!("{rows} rows of {:?} are too many", header.input)))?;
        let mut words = |count: usize| -> Result<Vec<[u8; 4]>, RowsError> {
            let mut words = Vec::new();
            for _ in 0..count {
                let mut word = [0; 4];
                file.read_exact(&mut word).map_err(failed)?;
                words.push(word);
            }
            Ok(words)
        };
        let features = words(numbers)?.into_iter().map(f32::from_le_bytes).collect();
        let labels = words(rows)?.into_iter().map(u32::from_le_bytes).collect();
        Ok(Some(Dataset::new(header.input.clone(), header.classes.len(), features, labels)?))
    };
    let [train, validation, test] = header.rows;
    let train = part(train)?.ok_or_else(|| wrong("it has no rows to train on".to_owned()))?;
    let (validation, test) = (part(validation)?, part(test)?);
    Ok(Loaded::new(train, validation, test, header.classes, header.scaling))
}
