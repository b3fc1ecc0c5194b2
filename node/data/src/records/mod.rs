//! Tables in whatever form people have them: text with cells (CSV and its like), JSON objects, Parquet; plain or packed
//! with gzip or Zstandard; a file, a folder of files, or standard input.
//!
//! [`open`] looks at the beginning of a file (1 MiB, or 10,000 rows), decides how it is read, and says so
//! ([`Understood`]). The rows are read after that, in bounded memory, and what contradicts the beginning is an error with
//! its line, never another reading. What the user says ([`Dialect`]) is not guessed.
//!
//! Cells of text files stay texts: what they mean is for whoever knows the task, who has [`number`], [`boolean`] and
//! [`date`] for it. The one exception: in a file with decimal commas, `1,5` and `1.234,5` are [`Cell::Number`].

mod delimited;
mod dialect;
mod folder;
mod json;
mod json_objects;
mod json_row;
mod kinds;
#[cfg(feature = "parquet")]
mod parquet;
#[cfg(feature = "parquet")]
mod parquet_columns;
mod plan;
mod profile;
mod row;
mod sniff;
pub(crate) mod source;
pub(crate) mod text;
pub(crate) mod tidy;
mod values;
mod wrong;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

pub use dialect::{Dialect, Format, Packed, Understood};
pub use row::{Cell, Row};
pub use values::{DateError, DateOrder, MISSING_WORDS, boolean, date, date_order, number};
pub use wrong::{TableError, TableFault, shortened};

use crate::DataError;
use kinds::Kind;
use sniff::Sample;
use source::Source;

/// How much of a file is looked at, and how many lines at least; wide tables have long lines.
const SAMPLE_BYTES: usize = 1 << 20;
const SAMPLE_LINES: usize = 16;
/// How much is looked at to find as many lines.
const MOST_SAMPLE_BYTES: usize = 32 << 20;

/// A table that is read row by row.
pub trait Rows: Send {
    /// Names of the columns, each different from the others.
    fn columns(&self) -> &[String];

    /// Reads the next row in place of the one before; false at the end.
    ///
    /// # Errors
    /// It cannot be read, or contradicts the beginning of the file.
    fn read(&mut self, row: &mut Row) -> Result<bool, DataError>;

    /// The file that the last row came from, for messages.
    fn file(&self) -> &Path;

    /// Begins with the first row again. Pipes too can be read again.
    ///
    /// # Errors
    /// The file cannot be opened any more.
    fn rewind(&mut self) -> Result<(), DataError>;
}

/// Opens a table: a file, a folder of tables with the same columns, or `-` for standard input. Pipes and standard input
/// are copied to a temporary file first.
///
/// # Errors
/// It cannot be read, is no table, or how it is to be read is unsure.
pub fn open(path: &Path, dialect: &Dialect) -> Result<(Box<dyn Rows>, Understood), DataError> {
    if path.is_dir() {
        let (folder, understood) = folder::Folder::open(path, dialect)?;
        return Ok((Box::new(folder), understood));
    }
    open_file(path, dialect)
}

/// Whether [`open`] is the reader for this path: a file that is neither an image nor an array, or a folder that holds tables
/// and none of these. Files that nothing reads count as tables, as [`open`] says what they are. Pipes are not looked into.
pub fn is_table(path: &Path) -> bool {
    if path == Path::new("-") {
        return true;
    }
    let Ok(metadata) = std::fs::metadata(path) else { return false };
    if metadata.is_dir() {
        return folder::is_folder_of_tables(path);
    }
    if !metadata.is_file() {
        return true;
    }
    let head = Source::of(path).and_then(|source| {
        let (mut bytes, _) = source.bytes()?;
        let mut head = Vec::new();
        // What is damaged is a matter for whoever reads it.
        let _ = source::read_up_to(&mut bytes, 512, &mut head);
        Ok(head)
    });
    head.is_ok_and(|head| !matches!(kinds::kind(&head, path), Kind::Array(_)))
}

fn open_file(path: &Path, dialect: &Dialect) -> Result<(Box<dyn Rows>, Understood), DataError> {
    let source = Arc::new(Source::of(path)?);
    let (head, whole, packed) = beginning(&source)?;
    let kind = kinds::kind(&head, path);
    if let Some(error) = kinds::refused(kind, source.shown()) {
        return Err(error.into());
    }
    if kind == Kind::Parquet {
        return open_parquet(source, dialect, packed);
    }
    let found = text::find(&head, whole, dialect.encoding.as_deref(), source.shown())?;
    let text = text::decoded(&head, whole, found.encoding, source.shown())?;
    let sample = Sample { text: &text, whole };
    let mut understood = Understood::new(Format::Csv, packed);
    understood.encoding = found.encoding.name().to_owned();
    if json::looks_like(&text) {
        let (rows, understood) = json::Json::open(source, &sample, &found, dialect, understood)?;
        return Ok((Box::new(rows), understood));
    }
    let (rows, understood) = plan::open(source, &sample, &found, dialect, understood)?;
    Ok((Box::new(rows), understood))
}

/// The beginning of a file, unpacked, and whether it is all of it.
fn beginning(source: &Source) -> Result<(Vec<u8>, bool, Packed), DataError> {
    let (mut bytes, packed) = source.bytes()?;
    let (mut head, mut wanted) = (Vec::new(), SAMPLE_BYTES);
    loop {
        let more = wanted - head.len();
        source::read_up_to(&mut bytes, more, &mut head).map_err(|error| source.failed(error))?;
        if head.len() < wanted {
            return Ok((head, true, packed));
        }
        let lines = head.iter().filter(|byte| matches!(byte, b'\n' | b'\r')).count();
        if lines >= SAMPLE_LINES || wanted >= MOST_SAMPLE_BYTES {
            return Ok((head, false, packed));
        }
        wanted *= 2;
    }
}

#[cfg(feature = "parquet")]
fn open_parquet(
    source: Arc<Source>,
    dialect: &Dialect,
    packed: Packed,
) -> Result<(Box<dyn Rows>, Understood), DataError> {
    if packed != Packed::None {
        let error = TableError::new(TableFault::FormatError, source.shown(), "it is a Parquet file packed once more");
        return Err(error.mend("unpack it; Parquet packs its columns itself").into());
    }
    let (rows, understood) = parquet::Parquet::open(source, dialect)?;
    Ok((Box::new(rows), understood))
}

#[cfg(not(feature = "parquet"))]
fn open_parquet(source: Arc<Source>, _: &Dialect, _: Packed) -> Result<(Box<dyn Rows>, Understood), DataError> {
    let reason = "it is a Parquet file, and this program was built without a reader for it";
    let error = TableError::new(TableFault::FormatError, source.shown(), reason);
    Err(error.mend("write it as CSV text in UTF-8, or build with the feature `parquet`").into())
}
