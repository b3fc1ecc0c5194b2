//! What can be wrong with a table, as a sentence and as an object.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::DataError;

/// Most characters of a file that a message repeats.
const SHOWN: usize = 40;

/// What kind of trouble it is; the words of the Frictionless framework where it has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TableFault {
    /// The file is of a kind that is not read here, or is damaged.
    FormatError,
    /// The bytes are no text in the encoding.
    EncodingError,
    /// What separates cells, what names columns or how numbers are written is unsure, or was said wrongly.
    DialectError,
    /// A row has fewer cells than there are columns.
    MissingCell,
    /// A row has more cells than there are columns.
    ExtraCell,
    /// Two columns have one name.
    DuplicateLabel,
    /// A column is missing, or new, in one of the files, or a key is new late in a file.
    IncorrectLabel,
    /// A value is of a kind that no cell has.
    TypeError,
    /// A limit of this reader is exceeded.
    ConstraintError,
}

/// What is wrong with a table, where, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TableError {
    /// What kind of trouble it is.
    pub code: TableFault,
    /// The file.
    pub file: PathBuf,
    /// Line of the file, from 1, or number of the row where a file has no lines.
    pub line: Option<u64>,
    /// Name of the column.
    pub column: Option<String>,
    /// What the file has there, shortened, without control characters.
    pub got: Option<String>,
    /// What is wrong with it, and what was expected.
    pub reason: String,
    /// What to do about it; may be empty.
    pub mend: String,
}

impl TableError {
    pub(crate) fn new(code: TableFault, file: &Path, reason: impl Into<String>) -> Self {
        let (line, column, got, mend) = (None, None, None, String::new());
        Self { code, file: file.to_owned(), line, column, got, reason: reason.into(), mend }
    }

    pub(crate) fn line(self, line: u64) -> Self {
        Self { line: Some(line), ..self }
    }

    pub(crate) fn column(self, column: &str) -> Self {
        Self { column: Some(shortened(column)), ..self }
    }

    pub(crate) fn got(self, got: &str) -> Self {
        Self { got: Some(shortened(got)), ..self }
    }

    pub(crate) fn mend(self, mend: impl Into<String>) -> Self {
        Self { mend: mend.into(), ..self }
    }
}

impl fmt::Display for TableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, ", line {line}")?;
        }
        if let Some(column) = &self.column {
            write!(f, ", column \"{column}\"")?;
        }
        f.write_str(": ")?;
        if let Some(got) = &self.got {
            write!(f, "\"{got}\" ")?;
        }
        f.write_str(&self.reason)?;
        match self.mend.is_empty() {
            true => Ok(()),
            false => write!(f, "; {}", self.mend),
        }
    }
}

impl std::error::Error for TableError {}

impl From<TableError> for DataError {
    fn from(error: TableError) -> Self {
        Self::Table(Box::new(error))
    }
}

/// At most 40 characters of a text, control characters escaped.
pub fn shortened(text: &str) -> String {
    let mut shown = String::new();
    for sign in text.chars().take(SHOWN) {
        match sign {
            '"' | '\'' | '\\' => shown.push(sign),
            other => shown.extend(other.escape_debug()),
        }
    }
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}
