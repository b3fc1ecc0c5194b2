//! The rows of one peer as a file, for a node in another process.
//!
//! A line of JSON with shapes, then features, then labels as little-endian `u32`, for the training rows, the rows kept
//! apart and the test rows in turn. Features are bytes where the node keeps bytes, else little-endian `f32`.

use std::fs::File;
use std::io::{BufReader, BufWriter, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use peerlearn::data::{Dataset, Loaded, Preprocessing, Values};
use peerlearn_protocols::dataset::DatasetError;
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
    Data(#[from] DatasetError),
}

#[derive(Serialize, Deserialize)]
struct Header {
    input: Vec<usize>,
    preprocessing: Preprocessing,
    /// Rows to train on, kept apart, to test on.
    rows: [usize; 3],
    /// What their features are to be divided by where they are bytes.
    units: [Option<f32>; 3],
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
        preprocessing: data.preprocessing.clone(),
        rows: parts.map(|part| part.map_or(0, Dataset::len)),
        units: parts.map(|part| part.and_then(Dataset::bytes).map(|(_, unit)| unit)),
    };
    let line = serde_json::to_string(&header).map_err(|error| failed(error.into()))?;
    let mut file = BufWriter::new(File::create(path).map_err(failed)?);
    let mut write = || -> std::io::Result<()> {
        writeln!(file, "{line}")?;
        for part in parts.into_iter().flatten() {
            match part.bytes() {
                Some((bytes, _)) => file.write_all(bytes)?,
                None => part.features().iter().try_for_each(|value| file.write_all(&value.to_le_bytes()))?,
            }
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
    let mut part = |rows: usize, unit: Option<f32>| -> Result<Option<Dataset>, RowsError> {
        if rows == 0 {
            return Ok(None);
        }
        let numbers = width.and_then(|width| width.checked_mul(rows)).filter(|numbers| *numbers <= MAX_NUMBERS);
        let numbers = numbers.ok_or_else(|| wrong(format!("{rows} rows of {:?} are too many", header.input)))?;
        let mut bytes = |count: usize| -> Result<Vec<u8>, RowsError> {
            let mut bytes = Vec::new();
            let read = file.by_ref().take(count as u64).read_to_end(&mut bytes).map_err(failed)?;
            if read < count { Err(failed(ErrorKind::UnexpectedEof.into())) } else { Ok(bytes) }
        };
        let words = |bytes: &[u8]| bytes.as_chunks::<4>().0.to_vec();
        let values = match unit {
            Some(_) => Values::Bytes(Arc::new(bytes(numbers)?)),
            None => {
                let floats = words(&bytes(4 * numbers)?).into_iter().map(f32::from_le_bytes);
                Values::Floats(Arc::new(floats.collect()))
            }
        };
        let labels = words(&bytes(4 * rows)?).into_iter().map(u32::from_le_bytes).collect();
        let (input, classes) = (header.input.clone(), header.preprocessing.schema.output.width());
        Ok(Some(Dataset::in_units(input, classes, values, unit.unwrap_or(1.0), labels)?))
    };
    let ([train, validation, test], units) = (header.rows, header.units);
    let train = part(train, units[0])?.ok_or_else(|| wrong("it has no rows to train on".to_owned()))?;
    let (validation, test) = (part(validation, units[1])?, part(test, units[2])?);
    Ok(Loaded::new(train, validation, test, header.preprocessing))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(values: Values, unit: f32, labels: &[u32]) -> Dataset {
        Dataset::in_units(vec![2], 3, values, unit, labels.to_vec()).unwrap()
    }

    #[test]
    fn rows_come_back_as_they_were_bytes_as_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows");
        let bytes = rows(Values::Bytes(Arc::new(vec![0, 51, 102, 255])), 255.0, &[2, 0]);
        let floats = rows(Values::Floats(Arc::new(vec![-1.5, 3.0])), 1.0, &[1]);
        let names = ["a", "b", "c"].map(str::to_owned).to_vec();
        write_rows(&path, &Loaded::unnamed(bytes.clone(), None, Some(floats.clone()), names)).unwrap();
        let back = read_rows(&path).unwrap();
        assert_eq!(back.train.bytes(), Some((&[0, 51, 102, 255][..], 255.0)));
        assert_eq!((back.train.digest(), back.train.labels()), (bytes.digest(), &[2, 0][..]));
        let test = back.test.unwrap();
        assert!(back.validation.is_none() && test.bytes().is_none());
        assert_eq!((test.features(), test.digest()), (vec![-1.5, 3.0], floats.digest()));
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() - 1]).unwrap();
        assert!(matches!(read_rows(&path), Err(RowsError::Io { .. })), "a file that was cut is no file");
    }
}
