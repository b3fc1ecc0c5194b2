//! Tables as lines of cells: CSV, TSV and their like.

use std::path::Path;
use std::sync::Arc;

use csv::StringRecord;
use encoding_rs::Encoding;

use super::Rows;
use super::row::{Row, Stored};
use super::source::Source;
use super::text::Decoded;
use super::tidy::{MAX_COLUMNS, Marks, Tidy, failed, line_of};
use super::values::{self, Missing, number};
use super::wrong::{TableError, TableFault, shortened};
use crate::DataError;

/// How a file is read, decided before its rows are.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) marks: Marks,
    pub(super) encoding: &'static Encoding,
    pub(super) columns: Vec<String>,
    /// Whether the first row after the lines passed over names the columns.
    pub(super) header: bool,
    pub(super) decimal_comma: bool,
    pub(super) missing: Missing,
    /// Whether `-` and `.` are missing values in each column.
    pub(super) dashes: Vec<bool>,
    /// The line that says how many columns there are.
    pub(super) first_line: u64,
}

/// A file that is read by a plan. What contradicts the plan is an error.
pub(super) struct Delimited {
    source: Arc<Source>,
    plan: Plan,
    records: csv::Reader<Tidy<Decoded>>,
    record: StringRecord,
    rows: u64,
}

impl Delimited {
    pub(super) fn open(source: Arc<Source>, plan: Plan) -> Result<Self, DataError> {
        let width = plan.columns.len();
        if width > MAX_COLUMNS {
            let reason = format!("it has {width} columns; at most {MAX_COLUMNS} are read");
            return Err(TableError::new(TableFault::ConstraintError, source.shown(), reason).into());
        }
        let records = begin(&source, &plan)?;
        Ok(Self { source, plan, records, record: StringRecord::new(), rows: 0 })
    }

    fn wrong_width(&self, line: u64) -> DataError {
        let Plan { marks, columns, first_line, .. } = &self.plan;
        let (got, want) = (self.record.len(), columns.len());
        let path = self.source.shown();
        let delimiter = char::from(marks.delimiter);
        let cells = |count: usize| if count == 1 { "1 cell".to_owned() } else { format!("{count} cells") };
        let reason = format!(
            "it has {}, where line {first_line} has {}; cells are separated by {}",
            cells(got),
            cells(want),
            super::dialect::delimiter_word(delimiter)
        );
        let mend = match () {
            () if got == want + 1 && self.record.iter().next_back().is_some_and(|cell| cell.trim().is_empty()) => {
                "remove the delimiter at the end of the rows, or give the header one too"
            }
            () if got == want + 1 && want > 1 && self.plan.header && self.rows == 0 => {
                "if each row begins with its name, as R writes it, write it with col.names = NA or row.names = FALSE"
            }
            () if self.rows <= u64::from(!self.plan.header) => {
                "remove what stands above the table, or name the delimiter with data.dialect.delimiter"
            }
            () => "repair the row, quote cells that hold the delimiter, or say data.dialect.delimiter",
        };
        let code = if got < want { TableFault::MissingCell } else { TableFault::ExtraCell };
        let mut error = TableError::new(code, path, reason).line(line).mend(mend);
        if let Some(extra) = self.record.get(want) {
            error.mend = format!("the first of too many is \"{}\"; {}", shortened(extra.trim()), error.mend);
        } else if let Some(lacking) = columns.get(got) {
            error = error.column(lacking);
        }
        error.into()
    }

    /// Copies the cells of the record.
    fn copy(&self, row: &mut Row, line: u64) {
        let Plan { missing, dashes, decimal_comma, .. } = &self.plan;
        row.begin(line);
        let mut begin = row.add(self.record.as_slice());
        for (column, cell) in self.record.iter().enumerate() {
            let text = cell.trim_start();
            let from = begin + (cell.len() - text.len());
            begin += cell.len();
            let text = text.trim_end();
            row.push(match () {
                () if missing.is(text) => Stored::Missing,
                () if values::is_dash(text) && dashes[column] => Stored::Missing,
                () => match decimal_comma.then(|| comma_number(text)).flatten() {
                    Some(number) => Stored::Number(number),
                    None => Stored::Text { from, to: from + text.len() },
                },
            });
        }
    }
}

/// The number with a decimal comma, or with points between thousands; none for whole numbers without either, which may
/// be codes.
fn comma_number(text: &str) -> Option<f64> {
    text.bytes().any(|byte| matches!(byte, b',' | b'.')).then(|| number(text, true)).flatten()
}

fn begin(source: &Source, plan: &Plan) -> Result<csv::Reader<Tidy<Decoded>>, DataError> {
    let (bytes, _) = source.bytes()?;
    let mut records = plan.marks.rows(Decoded::new(bytes, plan.encoding));
    if plan.header {
        let mut names = StringRecord::new();
        records.read_record(&mut names).map_err(|error| failed(source.shown(), error, plan.first_line))?;
    }
    Ok(records)
}

impl Rows for Delimited {
    fn columns(&self) -> &[String] {
        &self.plan.columns
    }

    fn read(&mut self, row: &mut Row) -> Result<bool, DataError> {
        match self.records.read_record(&mut self.record) {
            Ok(true) => {}
            Ok(false) => return Ok(false),
            Err(error) => {
                let line = self.records.position().line().saturating_sub(1);
                return Err(failed(self.source.shown(), error, line));
            }
        }
        let line = line_of(&self.records, &self.record);
        if self.record.len() != self.plan.columns.len() {
            return Err(self.wrong_width(line));
        }
        self.rows += 1;
        self.copy(row, line);
        Ok(true)
    }

    fn file(&self) -> &Path {
        self.source.shown()
    }

    fn rewind(&mut self) -> Result<(), DataError> {
        self.records = begin(&self.source, &self.plan)?;
        self.rows = 0;
        Ok(())
    }
}
