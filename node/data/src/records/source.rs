//! Where the bytes of a table come from: a file, standard input or a pipe, packed or not.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;

use super::dialect::Packed;
use crate::DataError;

/// Bytes that are read from a file at once.
const BUFFER: usize = 1 << 16;

/// Bytes that are read on, unpacked.
pub(crate) type Bytes = Box<dyn Read + Send>;

/// Something that can be read more than once. What comes through a pipe is copied to a temporary file without a name, which
/// the system removes when nobody has it open any more.
#[derive(Debug)]
pub(super) struct Source {
    shown: PathBuf,
    spooled: Option<File>,
}

impl Source {
    /// The source of this path; `-` is standard input.
    pub(super) fn of(path: &Path) -> Result<Self, DataError> {
        if path == Path::new("-") {
            let shown = PathBuf::from("standard input");
            let spooled = Some(spool(&mut io::stdin().lock(), &shown)?);
            return Ok(Self { shown, spooled });
        }
        let failed = |source| DataError::Read { path: path.to_owned(), source };
        let spooled = match std::fs::metadata(path).map_err(failed)?.is_file() {
            true => None,
            false => Some(spool(&mut File::open(path).map_err(failed)?, path)?),
        };
        Ok(Self { shown: path.to_owned(), spooled })
    }

    /// What messages call it.
    pub(super) fn shown(&self) -> &Path {
        &self.shown
    }

    /// The system's complaint about it.
    pub(super) fn failed(&self, source: io::Error) -> DataError {
        DataError::Read { path: self.shown.clone(), source }
    }

    /// The file, from its beginning. At most one of a pipe is read at a time.
    pub(super) fn file(&self) -> Result<File, DataError> {
        let file = match &self.spooled {
            None => File::open(&self.shown),
            Some(file) => file.try_clone().and_then(|mut file| {
                file.rewind()?;
                Ok(file)
            }),
        };
        file.map_err(|error| self.failed(error))
    }

    /// Its bytes from the beginning, unpacked, and what they were packed with.
    pub(super) fn bytes(&self) -> Result<(Bytes, Packed), DataError> {
        unpacked(self.file()?).map_err(|error| self.failed(error))
    }
}

fn spool(from: &mut dyn Read, shown: &Path) -> Result<File, DataError> {
    let copy = |from: &mut dyn Read| {
        let mut file = tempfile::tempfile()?;
        io::copy(from, &mut file)?;
        Ok(file)
    };
    copy(from).map_err(|source| DataError::Read { path: shown.to_owned(), source })
}

/// The bytes of a file, unpacked if they begin as gzip and Zstandard do, whatever its name is.
pub(crate) fn unpacked(file: File) -> io::Result<(Bytes, Packed)> {
    let mut reader = BufReader::with_capacity(BUFFER, file);
    let head = reader.fill_buf()?;
    if head.starts_with(&[0x1f, 0x8b]) {
        let inner = MultiGzDecoder::new(reader);
        return Ok((Box::new(Unpacking { inner, format: "gzip" }), Packed::Gz));
    }
    if head.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        let inner = zstd::stream::read::Decoder::with_buffer(reader)?;
        return Ok((Box::new(Unpacking { inner, format: "Zstandard" }), Packed::Zst));
    }
    Ok((Box::new(reader), Packed::None))
}

/// A decoder whose complaints say what it decodes.
struct Unpacking<R> {
    inner: R,
    format: &'static str,
}

impl<R: Read> Read for Unpacking<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.inner.read(buffer).map_err(|error| {
            let reason = format!("it is packed with {} and cut short or damaged ({error}); copy it again", self.format);
            io::Error::new(error.kind(), reason)
        })
    }
}

/// Fills a buffer as far as there is something to read.
pub(super) fn read_up_to(reader: &mut dyn Read, most: usize, into: &mut Vec<u8>) -> io::Result<()> {
    reader.take(most as u64).read_to_end(into).map(|_| ())
}
