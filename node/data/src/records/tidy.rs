//! Lines of cells in the form that the csv crate takes: every line ends in a line feed, nothing is before a quote, and
//! any number of spaces between cells is one, where spaces separate cells.

use std::io::{self, Read};
use std::path::Path;

use super::text::malformed;
use super::wrong::{TableError, TableFault};
use crate::DataError;

const BUFFER: usize = 1 << 16;

/// Longest row, in bytes. What is longer is most often a quote that nothing closes.
pub(super) const MAX_ROW_BYTES: usize = 16 << 20;
/// Most columns.
pub(super) const MAX_COLUMNS: usize = 65_536;

/// What has a meaning in a text with cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Marks {
    /// What separates cells. A space stands for any number of spaces and tabs.
    pub(crate) delimiter: u8,
    pub(crate) quote: Option<u8>,
    /// Lines at the beginning that are passed over.
    pub(crate) skip: u64,
}

impl Marks {
    /// Commas and double quotes.
    pub(crate) const COMMAS: Self = Self { delimiter: b',', quote: Some(b'"'), skip: 0 };

    /// The rows of a text.
    pub(crate) fn rows<R: Read>(self, text: R) -> csv::Reader<Tidy<R>> {
        csv::ReaderBuilder::new()
            .delimiter(self.delimiter)
            .quoting(self.quote.is_some())
            .quote(self.quote.unwrap_or(b'"'))
            .flexible(true)
            .has_headers(false)
            .buffer_capacity(BUFFER)
            .from_reader(Tidy::new(text, self))
    }
}

/// The line of the file in which the row begins that was read last.
///
/// Where a row begins for the csv crate is before the empty lines in front of it; where it ends is sure.
pub(crate) fn line_of<R: Read>(reader: &csv::Reader<R>, record: &csv::StringRecord) -> u64 {
    let within = record.as_slice().bytes().filter(|&byte| byte == b'\n').count();
    reader.position().line().saturating_sub(1 + within as u64)
}

/// The text of a reader, tidied.
pub(crate) struct Tidy<R> {
    inner: R,
    marks: Marks,
    input: Vec<u8>,
    output: Vec<u8>,
    given: usize,
    state: State,
    after_return: bool,
    ended: bool,
    /// The line that is read, the one in which the row begins, and the one in which the last quote was opened.
    line: u64,
    begins: u64,
    opened: u64,
    /// Bytes of the row so far.
    row: usize,
}

/// Where in the text the reader is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before the first sign of a line.
    Line,
    /// Before the first sign of another cell.
    Begin,
    Within,
    Quoted,
    /// After a quote that closes a cell, or is the first of two that stand for one.
    Closed,
    /// After a cell, where spaces separate cells.
    Gap,
}

/// A text that the csv crate would read wrongly.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    #[error("the quote opened in line {0} is never closed")]
    Unclosed(u64),
    #[error("the row in line {0} is longer than {MAX_ROW_BYTES} bytes")]
    TooLong(u64),
}

impl<R: Read> Tidy<R> {
    fn new(inner: R, marks: Marks) -> Self {
        let (input, output) = (vec![0; BUFFER], Vec::with_capacity(BUFFER + 2));
        let (given, state, after_return, ended) = (0, State::Line, false, false);
        let (line, begins, opened, row) = (1, 1, 1, 0);
        Self { inner, marks, input, output, given, state, after_return, ended, line, begins, opened, row }
    }

    fn fill(&mut self) -> io::Result<()> {
        self.output.clear();
        self.given = 0;
        while self.output.is_empty() && !self.ended {
            let mut input = std::mem::take(&mut self.input);
            let read = self.inner.read(&mut input);
            if let Ok(read) = read {
                self.pass(&input[..read]);
                self.ended = read == 0;
            }
            self.input = input;
            read?;
            if self.row > MAX_ROW_BYTES {
                return Err(io::Error::new(io::ErrorKind::InvalidData, Broken::TooLong(self.begins)));
            }
            if self.ended {
                self.end()?;
            }
        }
        Ok(())
    }

    fn end(&mut self) -> io::Result<()> {
        match self.state {
            State::Quoted => Err(io::Error::new(io::ErrorKind::InvalidData, Broken::Unclosed(self.opened))),
            State::Line => Ok(()),
            _ => {
                self.output.push(b'\n');
                Ok(())
            }
        }
    }

    fn pass(&mut self, input: &[u8]) {
        let mut at = 0;
        while let Some(&byte) = input.get(at) {
            let after_return = std::mem::replace(&mut self.after_return, byte == b'\r');
            at += 1;
            match byte {
                b'\n' if after_return => {}
                b'\n' | b'\r' => self.line_end(),
                _ if self.line <= self.marks.skip => {}
                _ => {
                    self.sign(byte);
                    // Most bytes mean nothing.
                    let run = self.run(&input[at..]);
                    self.output.extend_from_slice(&input[at..at + run]);
                    self.row += 1 + run;
                    at += run;
                }
            }
        }
    }

    fn line_end(&mut self) {
        self.line += 1;
        self.output.push(b'\n');
        if self.state == State::Quoted {
            self.row += 1;
        } else if self.row <= MAX_ROW_BYTES {
            self.row = 0;
            self.begins = self.line;
            self.state = State::Line;
        }
    }

    /// How many of the next bytes change nothing.
    fn run(&self, bytes: &[u8]) -> usize {
        let Marks { delimiter, quote, .. } = self.marks;
        let stops = |byte: u8| match self.state {
            State::Within => byte == delimiter || matches!(byte, b'\n' | b'\r') || (delimiter == b' ' && byte == b'\t'),
            State::Quoted => Some(byte) == quote || matches!(byte, b'\n' | b'\r'),
            _ => true,
        };
        bytes.iter().position(|&byte| stops(byte)).unwrap_or(bytes.len())
    }

    /// Passes on one byte that ends no line.
    fn sign(&mut self, byte: u8) {
        let spaced = self.marks.delimiter == b' ';
        let (is_space, is_quote) = (matches!(byte, b' ' | b'\t'), Some(byte) == self.marks.quote);
        self.state = match self.state {
            State::Quoted if is_quote => State::Closed,
            State::Quoted => State::Quoted,
            State::Closed if is_quote => State::Quoted,
            State::Within | State::Closed | State::Gap if spaced && is_space => return self.state = State::Gap,
            State::Line if spaced && is_space => return,
            State::Gap => {
                self.output.push(b' ');
                self.opening(is_quote)
            }
            _ if byte == self.marks.delimiter => State::Begin,
            State::Line | State::Begin if is_space => return,
            State::Line | State::Begin => self.opening(is_quote),
            State::Within | State::Closed => State::Within,
        };
        self.output.push(byte);
    }

    fn opening(&mut self, is_quote: bool) -> State {
        if !is_quote {
            return State::Within;
        }
        self.opened = self.line;
        State::Quoted
    }
}

impl<R: Read> Read for Tidy<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.given == self.output.len() {
            self.fill()?;
        }
        let left = &self.output[self.given..];
        let some = left.len().min(buffer.len());
        buffer[..some].copy_from_slice(&left[..some]);
        self.given += some;
        Ok(some)
    }
}

/// What is wrong with a text, in words.
pub(crate) fn failed(path: &Path, error: csv::Error, line: u64) -> DataError {
    let reason = error.to_string();
    match error.into_kind() {
        csv::ErrorKind::Io(source) => broken(path, source),
        csv::ErrorKind::Utf8 { err, .. } => {
            let reason = format!("the cell in column {} is no text in UTF-8", err.field() + 1);
            let error = TableError::new(TableFault::EncodingError, path, reason).line(line);
            error.mend(super::text::SAY_ENCODING).into()
        }
        _ => TableError::new(TableFault::FormatError, path, reason).line(line).into(),
    }
}

fn broken(path: &Path, source: io::Error) -> DataError {
    if let Some(error) = malformed(&source, path) {
        return error.into();
    }
    match source.get_ref().and_then(|inner| inner.downcast_ref::<Broken>()) {
        Some(Broken::Unclosed(line)) => {
            TableError::new(TableFault::FormatError, path, "a quote is opened here and never closed")
                .line(*line)
                .mend("close it, or say data.dialect.quote = \"\" if quotes are signs like others")
                .into()
        }
        Some(Broken::TooLong(line)) => {
            let reason = format!("the row that begins here is longer than {} MiB", MAX_ROW_BYTES >> 20);
            TableError::new(TableFault::ConstraintError, path, reason)
                .line(*line)
                .mend("look for a quote that nothing closes; data.dialect.quote = \"\" makes quotes signs like others")
                .into()
        }
        None => DataError::Read { path: path.to_owned(), source },
    }
}
