//! IDX files, the format of MNIST: a directory with `train-images-idx3-ubyte`, `train-labels-idx1-ubyte` and, if there
//! are any, the `t10k` files; plain or gzipped, whatever their names say.

use std::fs::File;
use std::io::{BufReader, ErrorKind, Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flate2::read::GzDecoder;
use peerlearn_protocols::dataset::pick;

use super::idx_names::{Set, sets};
use super::{Parts, summary};
use crate::raw::{ChooseRows, Raw};
use crate::{DataError, Values};

/// Largest file read, unpacked: 16 times MNIST.
const MAX_BYTES: u64 = 1 << 30;
/// Longest header: four bytes, and four for each of 255 dimensions.
const MAX_HEADER: u64 = 1024;

/// Whether a file starts as IDX files of bytes do.
pub(super) fn is_one(path: &Path) -> bool {
    let mut start = [0; 4];
    open(path, 4).is_ok_and(|mut content| content.read_exact(&mut start).is_ok() && matches!(start, [0, 0, 8, 1..=4]))
}

/// Opens a file, decompressed if it starts as gzip does. It ends after `most` bytes.
fn open(path: &Path, most: u64) -> Result<Box<dyn Read>, DataError> {
    let failed = |source| DataError::Read { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(failed)?;
    let mut start = Vec::new();
    (&mut file).take(2).read_to_end(&mut start).map_err(failed)?;
    file.rewind().map_err(failed)?;
    Ok(match start[..] {
        [0x1f, 0x8b] => Box::new(BufReader::new(GzDecoder::new(file)).take(most)),
        _ => Box::new(BufReader::new(file).take(most)),
    })
}

/// Reads a directory: the training rows that are wanted, and test rows where there are any.
///
/// # Errors
/// A file is missing, damaged or too large; the two of a pair do not fit; there are several data sets.
pub(super) fn load(directory: &Path, choose: ChooseRows<'_>) -> Result<Parts, DataError> {
    let wrong = |reason| DataError::File { path: directory.to_owned(), reason };
    if directory.is_file() {
        let reason = "it is one IDX file; name the folder that holds it with the other one, images and labels";
        return Err(wrong(reason.to_owned()));
    }
    let mut found = sets(directory);
    found.retain(|set| set.train != [None, None]);
    let Some(set) = found.pop() else { return Err(super::nothing(directory)) };
    if !found.is_empty() {
        let mut names: Vec<String> = found.iter().chain([&set]).map(named).collect();
        names.sort();
        let reason = format!(
            "it holds {} data sets: {}; move the files of the one to learn from into a folder of their own, and name \
             that folder",
            names.len(),
            names.join(", ")
        );
        return Err(wrong(reason));
    }
    let (train, total) = pair(directory, &set.train, choose)?.ok_or_else(|| super::nothing(directory))?;
    let test = pair(directory, &set.test, &|_, _| Ok(None))?.map(|(test, _)| test);
    let files: Vec<PathBuf> = set.train.iter().chain(&set.test).flatten().cloned().collect();
    let what = format!("images of the IDX files {}", named(&set));
    Ok(Parts { train, test, files, most: 255.0, total, what, notes: Vec::new() })
}

/// A set by the name of its first file.
fn named(set: &Set) -> String {
    set.train.iter().flatten().next().map(|path| path.display().to_string()).unwrap_or_default()
}

/// The rows of a pair of files that are wanted, and how many it has; `None` if there is neither.
fn pair(
    directory: &Path,
    files: &[Option<PathBuf>; 2],
    choose: ChooseRows<'_>,
) -> Result<Option<(Raw, usize)>, DataError> {
    match files {
        [Some(images), Some(labels)] => read_pair(images, labels, choose).map(Some),
        [None, None] => Ok(None),
        [Some(one), None] | [None, Some(one)] => {
            let name = one.file_name().unwrap_or_default().to_string_lossy();
            let there = format!("{name} without the other of its pair; it holds {}", summary::listing(directory));
            Err(DataError::NoIdx { directory: directory.to_owned(), there })
        }
    }
}

/// Labels first: they decide which of the far larger images are kept.
fn read_pair(images_path: &Path, labels_path: &Path, choose: ChooseRows<'_>) -> Result<(Raw, usize), DataError> {
    let images = Idx::open(images_path, 3)?;
    let labels = Idx::open(labels_path, 1)?;
    if images.sizes[0] != labels.sizes[0] {
        let reason = format!("it has {} labels for {} images", labels.sizes[0], images.sizes[0]);
        return Err(DataError::File { path: labels_path.to_owned(), reason });
    }
    let (classes, labels) = classes(&labels.rows(None)?);
    if labels.is_empty() {
        return Err(DataError::File { path: images_path.to_owned(), reason: "it has no images".to_owned() });
    }
    let (rows, total) = (choose(&labels, classes.len())?, labels.len());
    let raw = Raw {
        input: vec![1, images.sizes[1], images.sizes[2]],
        classes,
        features: Values::Bytes(Arc::new(images.rows(rows.as_deref())?)),
        labels: match rows {
            None => labels,
            Some(rows) => pick(&labels, 1, &rows),
        },
        targets: Vec::new(),
    };
    Ok((raw, total))
}

/// The numbers that occur, as names, and the label of each row: EMNIST's letters start at 1.
fn classes(marks: &[u8]) -> (Vec<String>, Vec<u32>) {
    let mut places = [None; 256];
    marks.iter().for_each(|&mark| places[usize::from(mark)] = Some(0));
    let mut names = Vec::new();
    for (mark, place) in places.iter_mut().enumerate().filter(|(_, place)| place.is_some()) {
        *place = Some(names.len() as u32);
        names.push(mark.to_string());
    }
    let labels = marks.iter().filter_map(|&mark| places[usize::from(mark)]).collect();
    (names, labels)
}

/// The images of one file, with the numbers of their rows from 1, and their shape.
///
/// # Errors
/// It is no IDX file of images, or is damaged or too large.
pub(super) fn images(path: &Path) -> Result<(Vec<String>, Vec<usize>, Values), DataError> {
    let images = Idx::open(path, 3)?;
    let (rows, input) = (images.sizes[0], vec![1, images.sizes[1], images.sizes[2]]);
    let values = Values::Bytes(Arc::new(images.rows(None)?));
    Ok(((1..=rows).map(|row| row.to_string()).collect(), input, values))
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
        let content = open(path, MAX_BYTES + MAX_HEADER)?;
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
