//! IDX files, the format of MNIST: a directory with `train-images-idx3-ubyte`, `train-labels-idx1-ubyte` and, if there
//! are any, the `t10k` files; plain or gzipped.

use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use peerlearn_protocols::dataset::pick;

use super::raw::{ChooseRows, Raw};
use super::{DataError, Values, packed};

/// Largest file read, unpacked: 16 times MNIST.
const MAX_BYTES: u64 = 1 << 30;
/// Longest header: four bytes, and four for each of 255 dimensions.
const MAX_HEADER: u64 = 1024;

/// Reads a directory: the training rows that are wanted, test rows where there are any, and the files they came from.
///
/// # Errors
/// A file is missing, damaged or too large; the two of a pair do not fit.
pub(super) fn load(directory: &Path, choose: ChooseRows<'_>) -> Result<(Raw, Option<Raw>, Vec<PathBuf>), DataError> {
    let missing = || DataError::NoIdx { directory: directory.to_owned() };
    let (train, mut files) = pair(directory, "train", choose)?.ok_or_else(missing)?;
    let test = pair(directory, "t10k", &|_, _| Ok(None))?.map(|(test, more)| {
        files.extend(more);
        test
    });
    Ok((train, test, files))
}

fn pair(directory: &Path, stem: &str, choose: ChooseRows<'_>) -> Result<Option<(Raw, Vec<PathBuf>)>, DataError> {
    let images = find(directory, &format!("{stem}-images-idx3-ubyte"));
    let labels = find(directory, &format!("{stem}-labels-idx1-ubyte"));
    match (images, labels) {
        (Some(images), Some(labels)) => Ok(Some((read_pair(&images, &labels, choose)?, vec![images, labels]))),
        (None, None) => Ok(None),
        _ => Err(DataError::NoIdx { directory: directory.to_owned() }),
    }
}

fn find(directory: &Path, name: &str) -> Option<PathBuf> {
    [name.to_owned(), format!("{name}.gz")].into_iter().map(|name| directory.join(name)).find(|path| path.is_file())
}

/// Labels first: they decide which of the far larger images are kept.
fn read_pair(images_path: &Path, labels_path: &Path, choose: ChooseRows<'_>) -> Result<Raw, DataError> {
    let images = Idx::open(images_path, 3)?;
    let labels = Idx::open(labels_path, 1)?;
    if images.sizes[0] != labels.sizes[0] {
        let reason = format!("it has {} labels for {} images", labels.sizes[0], images.sizes[0]);
        return Err(DataError::File { path: labels_path.to_owned(), reason });
    }
    let labels: Vec<u32> = labels.rows(None)?.into_iter().map(u32::from).collect();
    let classes = labels.iter().max().map_or(0, |most| *most + 1);
    if labels.is_empty() {
        return Err(DataError::File { path: images_path.to_owned(), reason: "it has no images".to_owned() });
    }
    if labels.iter().all(|label| *label == labels[0]) {
        let reason = format!("every label is {}; 2 or more classes are needed", labels[0]);
        return Err(DataError::File { path: labels_path.to_owned(), reason });
    }
    let rows = choose(&labels, classes as usize)?;
    let input = vec![1, images.sizes[1], images.sizes[2]];
    Ok(Raw {
        input,
        columns: Vec::new(),
        classes: (0..classes).map(|class| class.to_string()).collect(),
        features: Values::Bytes(Arc::new(images.rows(rows.as_deref())?)),
        labels: match rows {
            None => labels,
            Some(rows) => pick(&labels, 1, &rows),
        },
    })
}

/// An IDX file of bytes, plain or gzipped, read up to the end of its header.
pub struct Idx<'a> {
    path: &'a Path,
    sizes: Vec<usize>,
    /// Their product: bytes that must follow.
    claimed: u64,
    content: Box<dyn Read>,
}

impl<'a> Idx<'a> {
    /// Checks the header of a file with this many dimensions.
    ///
    /// # Errors
    /// It cannot be read, is no such file, or claims to be larger than a gibibyte.
    pub fn open(path: &'a Path, dimensions: usize) -> Result<Self, DataError> {
        let content = packed::open(path, MAX_BYTES + MAX_HEADER)?;
        let mut idx = Self { path, sizes: Vec::new(), claimed: 0, content };
        if idx.word()? != [0, 0, 8, dimensions as u8] {
            return Err(idx.wrong(format!("it is no IDX file of bytes with {dimensions} dimensions")));
        }
        for _ in 0..dimensions {
            let size = u32::from_be_bytes(idx.word()?) as usize;
            idx.sizes.push(size);
        }
        match idx.sizes.iter().try_fold(1u64, |product, &size| product.checked_mul(size as u64)) {
            Some(claimed) if claimed <= MAX_BYTES => Ok(Self { claimed, ..idx }),
            _ => Err(idx.wrong(format!("its header claims sizes {:?}, more than {MAX_BYTES} bytes", idx.sizes))),
        }
    }

    /// Its sizes, as the header has them: as many as it has dimensions.
    pub fn sizes(&self) -> &[usize] {
        &self.sizes
    }

    /// The rows `wanted`, in that order, or all. Whatever is wanted, the file is read to its end, and must be as long
    /// as its header says. Shapes: answer `[wanted, product of the other sizes]`.
    ///
    /// # Errors
    /// It cannot be read, or is shorter or longer than its header says.
    pub fn rows(mut self, wanted: Option<&[usize]>) -> Result<Vec<u8>, DataError> {
        let (kept, read) = match wanted {
            None => {
                // A growing vector would be up to twice as large as what is in it.
                let mut all = vec![0; self.claimed as usize];
                let read = self.fill(&mut all)?;
                (all, read)
            }
            Some(wanted) => self.pick(wanted)?,
        };
        let rest = std::io::copy(&mut self.content, &mut std::io::sink()).map_err(|source| self.failed(source))?;
        let follow = read as u64 + rest;
        if follow != self.claimed {
            return Err(self.wrong(format!("its header claims sizes {:?}, but {follow} bytes follow", self.sizes)));
        }
        Ok(kept)
    }

    /// Reads up to the last row wanted. Answers the rows, and how many bytes were read.
    fn pick(&mut self, wanted: &[usize]) -> Result<(Vec<u8>, usize), DataError> {
        let width: usize = self.sizes[1..].iter().product();
        let mut places: Vec<(usize, usize)> = wanted.iter().copied().zip(0..).collect();
        places.sort_unstable();
        let (mut kept, mut row, mut read) = (vec![0; wanted.len() * width], vec![0; width], 0);
        let mut places = places.into_iter().peekable();
        for index in 0..self.sizes[0] {
            if places.peek().is_none() {
                break;
            }
            let filled = self.fill(&mut row)?;
            read += filled;
            if filled < width {
                break;
            }
            while let Some((_, place)) = places.next_if(|(wanted, _)| *wanted == index) {
                kept[place * width..][..width].copy_from_slice(&row);
            }
        }
        Ok((kept, read))
    }

    /// Reads as much as there is, and answers how much that was.
    fn fill(&mut self, out: &mut [u8]) -> Result<usize, DataError> {
        let mut filled = 0;
        while filled < out.len() {
            match self.content.read(&mut out[filled..]) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(self.failed(error)),
            }
        }
        Ok(filled)
    }

    fn word(&mut self) -> Result<[u8; 4], DataError> {
        let mut word = [0; 4];
        match self.fill(&mut word)? {
            4 => Ok(word),
            _ => Err(self.wrong("it ends within its header".to_owned())),
        }
    }

    fn wrong(&self, reason: String) -> DataError {
        DataError::File { path: self.path.to_owned(), reason }
    }

    fn failed(&self, source: std::io::Error) -> DataError {
        DataError::Read { path: self.path.to_owned(), source }
    }
}
