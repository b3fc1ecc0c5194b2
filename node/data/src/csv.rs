//! CSV files whose form is known: commas, double quotes, UTF-8, plain or packed with gzip or Zstandard. Files of unknown form
//! are for [`records`](super::records).

use std::fs::File;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use csv::StringRecord;
use encoding_rs::UTF_8;

use super::DataError;
use super::records::source::unpacked;
use super::records::text::Decoded;
use super::records::tidy::{Marks, Tidy, failed, line_of};

/// Fewest and most columns; wider tables are images or text and have better formats.
const COLUMNS: std::ops::RangeInclusive<usize> = 2..=65_536;

/// A CSV file that is read row by row: at least two columns, and as many in every row.
pub struct CsvReader {
    path: PathBuf,
    header: Vec<String>,
    width: Option<usize>,
    records: csv::Reader<Tidy<Decoded>>,
    record: StringRecord,
}

impl CsvReader {
    /// Opens a file whose first line names the columns, or is a row already.
    ///
    /// # Errors
    /// It cannot be read, or has too few or too many columns, or one of its names twice.
    pub fn open(path: &Path, has_header: bool) -> Result<Self, DataError> {
        let read = |source| DataError::Read { path: path.to_owned(), source };
        let (bytes, _) = File::open(path).and_then(unpacked).map_err(read)?;
        let mut records = Marks::COMMAS.rows(Decoded::new(bytes, UTF_8));
        let (mut header, mut record) = (Vec::new(), StringRecord::new());
        if has_header {
            records.read_record(&mut record).map_err(|error| failed(path, error, 1))?;
            header.extend(record.iter().map(|name| name.trim().to_owned()));
            check_header(path, &header)?;
        }
        let width = has_header.then_some(header.len());
        Ok(Self { path: path.to_owned(), header, width, records, record })
    }

    /// Names of the columns; none without a header.
    pub fn header(&self) -> &[String] {
        &self.header
    }

    /// The column of this name.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.header.iter().position(|column| column == name)
    }

    /// The next row; lines without anything are passed over.
    ///
    /// # Errors
    /// It cannot be read, is no text, or has another number of columns.
    pub fn next_row(&mut self) -> Result<Option<Row<'_>>, DataError> {
        match self.records.read_record(&mut self.record) {
            Ok(true) => {}
            Ok(false) => return Ok(None),
            Err(error) => return Err(failed(&self.path, error, self.records.position().line().saturating_sub(1))),
        }
        let line = line_of(&self.records, &self.record);
        let (got, want) = (self.record.len(), *self.width.get_or_insert(self.record.len()));
        let reason = match () {
            () if !COLUMNS.contains(&want) => columns_needed(want),
            () if got != want => format!("it has {got} columns, where the first line has {want}"),
            () => return Ok(Some(Row { path: &self.path, header: &self.header, line, record: &self.record })),
        };
        Err(DataError::Row { path: self.path.clone(), line, reason })
    }
}

/// One row.
pub struct Row<'a> {
    path: &'a Path,
    header: &'a [String],
    line: u64,
    record: &'a StringRecord,
}

impl Row<'_> {
    /// Its line in the file, from 1.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// Number of its cells, the same for every row.
    #[expect(clippy::len_without_is_empty, reason = "a row has at least two cells")]
    pub fn len(&self) -> usize {
        self.record.len()
    }

    /// The cell in a column; empty where there is no such column.
    pub fn cell(&self, column: usize) -> &str {
        self.record.get(column).unwrap_or_default().trim()
    }

    /// The cell in a column as a finite number.
    ///
    /// # Errors
    /// It is none.
    pub fn number<N: Number>(&self, column: usize) -> Result<N, DataError> {
        let value = self.cell(column).parse::<N>().ok().filter(|value| value.is_finite());
        value.ok_or_else(|| DataError::NotANumber {
            path: self.path.to_owned(),
            line: self.line,
            column: self.header.get(column).map_or_else(|| (column + 1).to_string(), String::clone),
            got: self.cell(column).chars().take(40).collect(),
        })
    }

    /// A complaint about this row.
    pub fn wrong(&self, reason: impl Into<String>) -> DataError {
        DataError::Row { path: self.path.to_owned(), line: self.line, reason: reason.into() }
    }
}

/// A kind of number that cells are read as.
pub trait Number: FromStr {
    /// Whether it is neither NaN nor infinite.
    fn is_finite(&self) -> bool;
}

impl Number for f32 {
    fn is_finite(&self) -> bool {
        f32::is_finite(*self)
    }
}

impl Number for f64 {
    fn is_finite(&self) -> bool {
        f64::is_finite(*self)
    }
}

fn check_header(path: &Path, header: &[String]) -> Result<(), DataError> {
    let wrong = |reason: String| DataError::File { path: path.to_owned(), reason };
    if !COLUMNS.contains(&header.len()) {
        let other = header.first().and_then(|only| [';', '\t', '|'].into_iter().find(|&sign| only.contains(sign)));
        let hint = other
            .map_or(String::new(), |sign| format!("; its columns look separated by {sign:?}, and commas are read"));
        return Err(wrong(columns_needed(header.len()) + &hint));
    }
    let mut sorted: Vec<&String> = header.iter().collect();
    sorted.sort();
    match sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(wrong(format!("its header has the column {:?} twice", pair[0]))),
        None => Ok(()),
    }
}

fn columns_needed(got: usize) -> String {
    format!("it has {got} columns; {} to {} are needed", COLUMNS.start(), COLUMNS.end())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader(text: &str, has_header: bool) -> (tempfile::TempDir, Result<CsvReader, DataError>) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("rows.csv");
        std::fs::write(&path, text).unwrap();
        let opened = CsvReader::open(&path, has_header);
        (directory, opened)
    }

    #[test]
    fn rows_know_their_line_and_empty_lines_are_none() {
        let (_directory, reader) = reader("a, b\n\n1,\"two\nlines\"\r\n \n\n 3 , 4.5 \n", true);
        let mut reader = reader.unwrap();
        assert_eq!((reader.header(), reader.column("b")), (&["a".to_owned(), "b".to_owned()][..], Some(1)));
        let row = reader.next_row().unwrap().unwrap();
        assert_eq!((row.line(), row.cell(0), row.cell(1), row.cell(2)), (3, "1", "two\nlines", ""));
        let row = reader.next_row().unwrap().unwrap();
        assert_eq!((row.line(), row.number::<f64>(1).unwrap()), (7, 4.5));
        assert!(reader.next_row().unwrap().is_none());
    }

    #[test]
    fn a_line_may_end_in_any_of_the_usual_ways() {
        for text in ["a,b\n1,2\n\n3,4", "a,b\r\n1,2\r\n\r\n3,4\r\n", "a,b\r1,2\r\r3,4\r"] {
            let (_directory, reader) = reader(text, true);
            let mut reader = reader.unwrap();
            let mut rows = Vec::new();
            while let Some(row) = reader.next_row().unwrap() {
                rows.push((row.line(), row.number::<f32>(0).unwrap(), row.number::<f32>(1).unwrap()));
            }
            assert_eq!(rows, [(2, 1.0, 2.0), (4, 3.0, 4.0)], "{text:?}");
        }
    }

    #[test]
    fn without_a_header_the_first_row_says_how_many_columns_there_are() {
        let (_directory, reader) = reader("1,2\n3,x\n5,6,7\n", false);
        let mut reader = reader.unwrap();
        assert_eq!(reader.next_row().unwrap().unwrap().len(), 2);
        let error = reader.next_row().unwrap().unwrap().number::<f32>(1).unwrap_err().to_string();
        assert!(error.contains("line 2, column \"2\": \"x\""), "{error}");
        let error = reader.next_row().map(|_| ()).unwrap_err().to_string();
        assert!(error.contains("line 3: it has 3 columns, where the first line has 2"), "{error}");
    }
}
