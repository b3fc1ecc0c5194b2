//! Encodings: which one a file has, and its text in UTF-8.

use std::io::{self, Read};
use std::path::Path;

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Decoder, DecoderResult, Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

use super::kinds;
use super::source::Bytes;
use super::wrong::{TableError, TableFault};
use crate::DataError;

const BUFFER: usize = 1 << 16;
const UTF_8_BOM: &[u8] = b"\xef\xbb\xbf";

/// What to say about a text that is not in the encoding that its beginning has.
pub(super) const SAY_ENCODING: &str =
    "save it as UTF-8, or say what it is, for example data.dialect.encoding = \"windows-1252\"";

/// An encoding, and how it was found if that may be wrong.
pub(super) struct Found {
    pub(super) encoding: &'static Encoding,
    pub(super) guessed: Option<String>,
}

/// The encoding of a file with this beginning, or the one the user says.
pub(super) fn find(head: &[u8], whole: bool, said: Option<&str>, path: &Path) -> Result<Found, DataError> {
    let sure = |encoding| Ok(Found { encoding, guessed: None });
    if let Some(said) = said {
        let unknown = || {
            TableError::new(TableFault::DialectError, path, format!("no encoding {said:?} is known")).mend(
                "data.dialect.encoding takes utf-8, utf-16le, utf-16be, windows-1252, iso-8859-2, shift_jis and so on",
            )
        };
        return sure(Encoding::for_label(said.as_bytes()).ok_or_else(unknown)?);
    }
    if let [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] = head {
        let error = TableError::new(TableFault::EncodingError, path, "it is text in UTF-32");
        return Err(error.mend("save it as UTF-8").into());
    }
    if let Some((encoding, _)) = Encoding::for_bom(head) {
        return sure(encoding);
    }
    if let Some(encoding) = utf_16(head) {
        let guessed = Some(format!("{} without a mark at the beginning", encoding.name()));
        return Ok(Found { encoding, guessed });
    }
    let controls = head.iter().filter(|byte| matches!(byte, 0..=8 | 14..=25 | 27..=31 | 127)).count();
    if head.contains(&0) || controls * 100 > head.len() {
        return Err(kinds::no_text(path).into());
    }
    other(head, whole, path)
}

/// UTF-8, or what one that knows languages takes the bytes for.
fn other(head: &[u8], whole: bool, path: &Path) -> Result<Found, DataError> {
    let (mut valid, mut invalid, mut first, mut at) = (0, 0, None, 0);
    for chunk in head.utf8_chunks() {
        valid += chunk.valid().chars().filter(|sign| !sign.is_ascii()).count();
        at += chunk.valid().len();
        // A character that the part of the file cuts is no fault.
        let cut = at + chunk.invalid().len() == head.len() && !whole;
        if !chunk.invalid().is_empty() && !cut {
            invalid += 1;
            first.get_or_insert(at);
        }
        at += chunk.invalid().len();
    }
    let Some(first) = first else { return Ok(Found { encoding: UTF_8, guessed: None }) };
    let line = 1 + head[..first].iter().filter(|&&byte| byte == b'\n').count() as u64;
    // Text in another encoding is UTF-8 by accident in few places.
    if valid > invalid {
        let reason = format!("byte 0x{:02X} is no UTF-8, which the rest of the file is", head[first]);
        return Err(TableError::new(TableFault::EncodingError, path, reason).line(line).mend(SAY_ENCODING).into());
    }
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(head, whole);
    let encoding = detector.guess(None, Utf8Detection::Deny);
    let note = format!(
        "the encoding is {}, as line {line} is no UTF-8 (else say data.dialect.encoding)",
        if encoding == WINDOWS_1252 { "windows-1252 (Latin-1)" } else { encoding.name() }
    );
    Ok(Found { encoding, guessed: Some(note) })
}

/// UTF-16 by its zeros: text of mostly Latin letters has one in every other place.
fn utf_16(head: &[u8]) -> Option<&'static Encoding> {
    let pairs = head.len() / 2;
    let zeros = |at: usize| head.iter().skip(at).step_by(2).filter(|&&byte| byte == 0).count();
    let (even, odd) = (zeros(0), zeros(1));
    match pairs {
        0..=3 => None,
        _ if odd * 10 > pairs * 6 && even == 0 => Some(UTF_16LE),
        _ if even * 10 > pairs * 6 && odd == 0 => Some(UTF_16BE),
        _ => None,
    }
}

/// What is wrong with the bytes of a text.
#[derive(Debug, thiserror::Error)]
#[error("line {line} is no text in {encoding}")]
pub(super) struct Malformed {
    pub(super) line: u64,
    pub(super) encoding: &'static str,
}

/// Text in UTF-8 without a mark at its beginning. Text that claims to be UTF-8 is not checked here.
pub(crate) struct Decoded {
    inner: Bytes,
    decoder: Option<Decoder>,
    input: Vec<u8>,
    /// What of the input is not decoded yet.
    rest: std::ops::Range<usize>,
    output: Vec<u8>,
    given: usize,
    lines: u64,
    started: bool,
    ended: bool,
}

impl Decoded {
    pub(crate) fn new(inner: Bytes, encoding: &'static Encoding) -> Self {
        let decoder = (encoding != UTF_8).then(|| encoding.new_decoder_with_bom_removal());
        let (input, output) = (vec![0; BUFFER], Vec::new());
        let (rest, given, lines, started, ended) = (0..0, 0, 0, false, false);
        Self { inner, decoder, input, rest, output, given, lines, started, ended }
    }

    /// Reads input until there are some bytes; whether there are more.
    fn fill(&mut self) -> io::Result<()> {
        while !self.ended && self.rest.is_empty() {
            let read = self.inner.read(&mut self.input)?;
            self.ended = read == 0;
            self.rest = 0..read;
        }
        Ok(())
    }

    fn decode(&mut self) -> io::Result<()> {
        let Some(decoder) = &mut self.decoder else { return Ok(()) };
        self.output.resize(3 * BUFFER, 0);
        let source = &self.input[self.rest.clone()];
        let (result, read, written) = decoder.decode_to_utf8_without_replacement(source, &mut self.output, self.ended);
        self.output.truncate(written);
        self.given = 0;
        self.rest.start += read;
        self.lines += self.output.iter().filter(|&&byte| byte == b'\n').count() as u64;
        match result {
            DecoderResult::InputEmpty | DecoderResult::OutputFull => Ok(()),
            DecoderResult::Malformed(..) => {
                let encoding = decoder.encoding().name();
                Err(io::Error::new(io::ErrorKind::InvalidData, Malformed { line: self.lines + 1, encoding }))
            }
        }
    }

    /// The first bytes, without a mark.
    fn start(&mut self) -> io::Result<()> {
        self.started = true;
        if self.decoder.is_some() {
            return Ok(());
        }
        let mut head = Vec::new();
        super::source::read_up_to(&mut self.inner, UTF_8_BOM.len(), &mut head)?;
        self.output = if head == UTF_8_BOM { Vec::new() } else { head };
        Ok(())
    }
}

impl Read for Decoded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if !self.started {
            self.start()?;
        }
        loop {
            let left = &self.output[self.given..];
            if !left.is_empty() {
                let some = left.len().min(buffer.len());
                buffer[..some].copy_from_slice(&left[..some]);
                self.given += some;
                return Ok(some);
            }
            if self.decoder.is_none() {
                return self.inner.read(buffer);
            }
            let ended = self.ended;
            self.fill()?;
            if ended {
                return Ok(0);
            }
            self.decode()?;
        }
    }
}

/// The beginning of a text in UTF-8. A character or line that the part cuts is left out.
pub(super) fn decoded(head: &[u8], whole: bool, encoding: &'static Encoding, path: &Path) -> Result<String, DataError> {
    let mut text = Vec::new();
    let bytes: Bytes = Box::new(io::Cursor::new(head.to_vec()));
    let mut decoder = Decoded::new(bytes, encoding);
    let result = decoder.read_to_end(&mut text);
    let cut = !whole;
    if let Err(error) = result
        && !cut
    {
        return Err(malformed(&error, path).unwrap_or_else(|| kinds::no_text(path)).into());
    }
    let text = match String::from_utf8(text) {
        Ok(text) => text,
        Err(error) if cut && error.utf8_error().error_len().is_none() => {
            let valid = error.utf8_error().valid_up_to();
            String::from_utf8_lossy(&error.as_bytes()[..valid]).into_owned()
        }
        Err(error) => {
            let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let line = 1 + valid.iter().filter(|&&byte| byte == b'\n').count() as u64;
            let reason = "it is no text in UTF-8";
            return Err(TableError::new(TableFault::EncodingError, path, reason).line(line).mend(SAY_ENCODING).into());
        }
    };
    Ok(text)
}

/// The complaint in an error of [`Decoded`].
pub(super) fn malformed(error: &io::Error, path: &Path) -> Option<TableError> {
    let Malformed { line, encoding } = error.get_ref()?.downcast_ref()?;
    let reason = format!("it is no text in {encoding}");
    Some(TableError::new(TableFault::EncodingError, path, reason).line(*line).mend(SAY_ENCODING))
}
