//! Files, plain or gzipped, that are read up to a limit.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use flate2::read::GzDecoder;

use super::DataError;

/// Opens a file, decompressed if its name ends in `.gz`. Whoever reads more than `most` bytes from it gets an error.
pub(super) fn open(path: &Path, most: u64) -> Result<Box<dyn Read>, DataError> {
    let file = File::open(path).map_err(|source| DataError::Read { path: path.to_owned(), source })?;
    let packed = path.extension().is_some_and(|extension| extension == "gz");
    Ok(match packed {
        true => Box::new(Limited { inner: BufReader::new(GzDecoder::new(file)), most, left: most }),
        false => Box::new(Limited { inner: BufReader::new(file), most, left: most }),
    })
}

/// A reader that fails beyond its limit.
struct Limited<R> {
    inner: R,
    most: u64,
    left: u64,
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 && !buffer.is_empty() {
            return match self.inner.read(&mut [0])? {
                0 => Ok(0),
                _ => Err(io::Error::other(format!("it is larger than {} bytes", self.most))),
            };
        }
        let read = (&mut self.inner).take(self.left).read(buffer)?;
        self.left -= read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    #[test]
    fn a_file_is_never_held_beyond_the_limit() {
        let directory = tempfile::tempdir().unwrap();
        let (packed, plain) = (directory.path().join("zeros.gz"), directory.path().join("zeros"));
        let mut encoder = GzEncoder::new(File::create(&packed).unwrap(), Compression::fast());
        encoder.write_all(&[0; 1000]).unwrap();
        encoder.finish().unwrap();
        std::fs::write(&plain, [0; 1000]).unwrap();
        for path in [packed, plain] {
            let mut bytes = Vec::new();
            assert_eq!(open(&path, 1000).unwrap().read_to_end(&mut bytes).unwrap(), 1000);
            let error = open(&path, 999).unwrap().read_to_end(&mut bytes).unwrap_err();
            assert!(error.to_string().contains("larger than 999 bytes"), "{error}");
        }
    }
}
