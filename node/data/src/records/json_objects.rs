//! Where one JSON object ends and the next begins, without a look at what they mean.

use std::io::{self, Read};
use std::path::Path;

use super::text::malformed;
use super::tidy::MAX_ROW_BYTES;
use super::wrong::{TableError, TableFault};
use crate::DataError;

const BUFFER: usize = 1 << 16;

/// The objects of a text, one after the other, or in one array.
pub(super) struct Objects<R> {
    inner: R,
    input: Vec<u8>,
    rest: std::ops::Range<usize>,
    line: u64,
    after_return: bool,
    array: Array,
    object: Vec<u8>,
    begins: u64,
}

/// Whether the objects are in an array.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Array {
    /// Nothing was read yet.
    Unknown,
    No,
    Open,
    Closed,
}

/// Why there is no next object.
#[derive(Debug)]
pub(super) enum Fault {
    Read(io::Error),
    /// The text ends within an object or array that begins in this line.
    End(u64),
    /// Something else than an object.
    Other(u64, String),
    TooLong(u64),
}

impl Fault {
    pub(super) fn is_end(&self) -> bool {
        matches!(self, Self::End(_))
    }

    pub(super) fn said(self, path: &Path) -> DataError {
        let new = |code, reason: &str, line| TableError::new(code, path, reason).line(line);
        match self {
            Self::Read(source) => match malformed(&source, path) {
                Some(error) => error.into(),
                None => DataError::Read { path: path.to_owned(), source },
            },
            Self::End(line) => new(TableFault::FormatError, "the file ends before what begins here does", line)
                .mend("it is cut short; copy it again")
                .into(),
            Self::Other(line, got) => {
                new(TableFault::FormatError, "is no JSON object, where the next row is expected", line)
                    .got(&got)
                    .mend("write one object a line, as {\"age\": 41, \"label\": \"yes\"}")
                    .into()
            }
            Self::TooLong(line) => {
                let reason = format!("the object that begins here is longer than {} MiB", MAX_ROW_BYTES >> 20);
                new(TableFault::ConstraintError, &reason, line).into()
            }
        }
    }
}

/// Where in an object the reader is.
#[derive(Default)]
struct Within {
    depth: usize,
    text: bool,
    escaped: bool,
}

impl Within {
    /// Whether the object ends with this byte.
    fn ends(&mut self, byte: u8) -> bool {
        match byte {
            _ if self.escaped => self.escaped = false,
            b'\\' if self.text => self.escaped = true,
            b'"' => self.text = !self.text,
            _ if self.text => {}
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        self.depth == 0
    }
}

impl<R> Objects<R> {
    /// The object that was read last.
    pub(super) fn object(&self) -> &[u8] {
        &self.object
    }

    /// The line in which it begins.
    pub(super) fn begins(&self) -> u64 {
        self.begins
    }
}

impl<R: Read> Objects<R> {
    pub(super) fn new(inner: R) -> Self {
        let (input, object, rest) = (vec![0; BUFFER], Vec::new(), 0..0);
        Self { inner, input, rest, line: 1, after_return: false, array: Array::Unknown, object, begins: 1 }
    }

    /// Reads on; whether there is an object.
    pub(super) fn advance(&mut self) -> Result<bool, Fault> {
        loop {
            let Some(byte) = self.byte()? else {
                return if self.array == Array::Open { Err(Fault::End(self.begins)) } else { Ok(false) };
            };
            match (byte, self.array) {
                (b' ' | b'\t' | b'\n' | b'\r', _) => {}
                (b',', Array::Open) => {}
                (b'[', Array::Unknown) => self.array = Array::Open,
                (b']', Array::Open) => self.array = Array::Closed,
                (b'{', Array::Unknown | Array::No | Array::Open) => {
                    if self.array == Array::Unknown {
                        self.array = Array::No;
                    }
                    self.whole_object()?;
                    return Ok(true);
                }
                (other, _) => return Err(self.other(other)),
            }
        }
    }

    fn whole_object(&mut self) -> Result<(), Fault> {
        let mut within = Within { depth: 1, ..Within::default() };
        self.begins = self.line;
        self.object.clear();
        self.object.push(b'{');
        loop {
            let Some(byte) = self.byte()? else { return Err(Fault::End(self.begins)) };
            self.object.push(byte);
            if within.ends(byte) {
                return Ok(());
            }
            if self.object.len() > MAX_ROW_BYTES {
                return Err(Fault::TooLong(self.begins));
            }
        }
    }

    fn byte(&mut self) -> Result<Option<u8>, Fault> {
        if self.rest.is_empty() {
            let read = self.inner.read(&mut self.input).map_err(Fault::Read)?;
            self.rest = 0..read;
        }
        let Some(at) = self.rest.next() else { return Ok(None) };
        let byte = self.input[at];
        let after_return = std::mem::replace(&mut self.after_return, byte == b'\r');
        self.line += u64::from(byte == b'\r' || (byte == b'\n' && !after_return));
        Ok(Some(byte))
    }

    /// What is there instead of an object.
    fn other(&mut self, first: u8) -> Fault {
        let line = self.line;
        let mut text = vec![first];
        while text.len() < 200 {
            match self.byte() {
                Ok(Some(byte)) if byte != b'\n' => text.push(byte),
                _ => break,
            }
        }
        Fault::Other(line, String::from_utf8_lossy(&text).trim().to_owned())
    }
}
