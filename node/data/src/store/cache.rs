//! Encoded tables in a folder, found again by what they were made of.
//!
//! A file is the rows, then labels, numbers to be answered and a check of every block, then a head in JSON that says how many
//! there are, then a hash of all that follows the rows, the length of the head and a mark. It gets its name when it is whole.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use peerlearn_protocols::dataset::{Stored, Values};
use serde::{Deserialize, Serialize};

use super::file::read_exact_at;
use super::{Blocks, FileRows, StoreWriter};
use crate::DataError;
use crate::table::Reading;

/// How the names of files end that are being written.
pub(super) const UNFINISHED: &str = ".part";
const FINISHED: &str = ".rows";
/// Raised when rows are encoded or written otherwise.
const VERSION: u32 = 1;
const MARK: &[u8; 8] = b"PLROWS01";
/// Bytes of a file at its beginning and at its end that its name depends on.
const ENDS: u64 = 1 << 20;
/// How long a file that is being written may be left untouched before it counts as left behind.
const LEFT_BEHIND: Duration = Duration::from_secs(24 * 3600);
/// Length of what ends a file: hash, length of the head, mark.
const TAIL: u64 = 32 + 8 + 8;

/// Where the rows of one table are kept.
#[derive(Debug)]
pub(crate) struct Place {
    folder: PathBuf,
    /// Of the names of all files of this source.
    source: String,
    path: PathBuf,
}

/// What is kept with the rows.
pub(crate) struct Beside<'a> {
    /// Shapes: `[rows]`.
    pub labels: &'a [u32],
    /// Shapes: `[rows]`, or empty.
    pub targets: &'a [f32],
    /// What somebody should know.
    pub notes: &'a [String],
    /// What the reader made of the file.
    pub understood: &'a str,
}

/// What was found.
pub(crate) struct Found {
    pub features: Values,
    pub labels: Vec<u32>,
    pub targets: Vec<f32>,
    pub notes: Vec<String>,
    pub understood: String,
}

#[derive(Serialize, Deserialize)]
struct Head {
    rows: u64,
    width: u64,
    block_rows: u64,
    targets: bool,
    notes: Vec<String>,
    understood: String,
}

impl Place {
    /// The place of a table that is read so, in a folder; `None` for what cannot be told from another: standard input and pipes.
    pub fn of(folder: &Path, path: &Path, how: &Reading<'_>, label: Option<&str>) -> Option<Self> {
        let path = std::fs::canonicalize(path).ok()?;
        let mut key = blake3::Hasher::new();
        let reading = (how.schema, &how.charter.accepts, &how.charter.checks, how.numbers);
        let config = (&how.config.map, &how.config.dialect, label);
        let said = serde_json::to_vec(&(VERSION, env!("CARGO_PKG_VERSION"), reading, config)).ok()?;
        key.update(&said);
        fingerprint(&path, &mut key).ok()?;
        let source = blake3::hash(path.as_os_str().as_encoded_bytes()).to_hex()[..16].to_owned();
        let file = folder.join(format!("{source}-{}{FINISHED}", &key.finalize().to_hex()[..32]));
        Some(Self { folder: folder.to_owned(), source, path: file })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What is kept there for rows of this width; `None` where there is nothing, and the reason where it is damaged.
    pub fn find(&self, width: usize) -> Result<Option<Found>, String> {
        match File::open(&self.path) {
            Ok(file) => read(file, &self.path, width).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Gives rows their name, and removes what was kept of earlier states of their source.
    pub fn keep(&self, mut writer: StoreWriter, beside: &Beside<'_>) -> Result<FileRows, DataError> {
        write_end(&mut writer, beside)?;
        let rows = writer.keep()?;
        self.remove_others();
        Ok(rows)
    }

    /// What cannot be removed is a matter of space only.
    fn remove_others(&self) {
        let Ok(entries) = std::fs::read_dir(&self.folder) else { return };
        for entry in entries.flatten() {
            let (name, path) = (entry.file_name().to_string_lossy().into_owned(), entry.path());
            let touched = entry.metadata().and_then(|metadata| metadata.modified());
            let idle = touched.ok().and_then(|at| SystemTime::now().duration_since(at).ok()).unwrap_or_default();
            let is_old =
                name.ends_with(FINISHED) && path != self.path || name.ends_with(UNFINISHED) && idle > LEFT_BEHIND;
            if name.starts_with(&format!("{}-", self.source)) && is_old {
                let _ = std::fs::remove_file(path);
            }
        }
    }
}

/// Length, time of change, first and last bytes of a file, or of every file of a folder.
fn fingerprint(path: &Path, key: &mut blake3::Hasher) -> io::Result<()> {
    let metadata = std::fs::metadata(path)?;
    if metadata.is_dir() {
        let mut files = std::fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
        files.sort();
        for file in files.iter().filter(|file| file.is_file()) {
            key.update(file.as_os_str().as_encoded_bytes());
            fingerprint(file, key)?;
        }
        return Ok(());
    }
    if !metadata.is_file() {
        return Err(io::ErrorKind::Unsupported.into());
    }
    let changed = metadata.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
    key.update(&metadata.len().to_le_bytes()).update(&changed.as_nanos().to_le_bytes());
    let mut file = File::open(path)?;
    let mut ends = Vec::new();
    (&mut file).take(ENDS).read_to_end(&mut ends)?;
    file.seek(SeekFrom::Start(metadata.len().saturating_sub(ENDS)))?;
    file.take(ENDS).read_to_end(&mut ends)?;
    key.update(&ends);
    Ok(())
}

fn write_end(writer: &mut StoreWriter, beside: &Beside<'_>) -> Result<(), DataError> {
    let (rows, blocks) = (beside.labels.len(), writer.blocks());
    let head = Head {
        rows: rows as u64,
        width: blocks.width as u64,
        block_rows: blocks.rows as u64,
        targets: !beside.targets.is_empty(),
        notes: beside.notes.to_vec(),
        understood: beside.understood.to_owned(),
    };
    let (file, checks) = writer.end()?;
    write_beside(file, checks, beside, &head).map_err(|source| writer.failed(source))
}

/// Writes what follows the rows.
fn write_beside(file: &mut File, checks: &[u64], beside: &Beside<'_>, head: &Head) -> io::Result<()> {
    let (mut out, mut hasher) = (io::BufWriter::new(file), blake3::Hasher::new());
    let mut put = |bytes: &[u8]| {
        hasher.update(bytes);
        out.write_all(bytes)
    };
    beside.labels.iter().try_for_each(|label| put(&label.to_le_bytes()))?;
    beside.targets.iter().try_for_each(|target| put(&target.to_le_bytes()))?;
    checks.iter().try_for_each(|check| put(&check.to_le_bytes()))?;
    let head = serde_json::to_vec(head)?;
    put(&head)?;
    out.write_all(hasher.finalize().as_bytes())?;
    out.write_all(&(head.len() as u64).to_le_bytes())?;
    out.write_all(MARK)?;
    out.flush()?;
    // Before the file gets its name.
    out.get_ref().sync_all()
}

fn read(file: File, path: &Path, width: usize) -> Result<Found, String> {
    let cut = || "it was cut".to_owned();
    let length = file.metadata().map_err(|error| error.to_string())?.len();
    let at = |offset: u64, length: u64| -> Result<Vec<u8>, String> {
        let mut bytes = vec![0; usize::try_from(length).map_err(|_| cut())?];
        read_exact_at(&file, &mut bytes, offset).map_err(|error| error.to_string())?;
        Ok(bytes)
    };
    let end = length.checked_sub(TAIL).ok_or_else(cut)?;
    let tail = at(end, TAIL)?;
    let (hash, rest) = tail.split_at(32);
    let (head_length, mark) = rest.split_at(8);
    if mark != MARK {
        return Err(cut());
    }
    let head_length = u64::from_le_bytes(*head_length.first_chunk().ok_or_else(cut)?);
    let head_at = end.checked_sub(head_length).ok_or_else(cut)?;
    let head: Head = serde_json::from_slice(&at(head_at, head_length)?).map_err(|error| error.to_string())?;
    let rows = usize::try_from(head.rows).map_err(|_| cut())?;
    let blocks = Blocks::of(width);
    if (head.width, head.block_rows) != (width as u64, blocks.rows as u64) {
        return Err(format!("its rows have {} values, not {width}", head.width));
    }
    let checks = blocks.count(rows);
    let counts = [rows, if head.targets { rows } else { 0 }, checks];
    let bytes: u128 = counts.iter().zip([4, 4, 8]).map(|(count, each)| *count as u128 * each).sum();
    let begin = rows as u128 * blocks.row_bytes() as u128;
    if begin + bytes != u128::from(head_at) {
        return Err(cut());
    }
    let (mut hasher, mut offset) = (blake3::Hasher::new(), begin as u64);
    let mut next = |count: usize, each: u64| -> Result<Vec<u8>, String> {
        let bytes = at(offset, count as u64 * each)?;
        offset += count as u64 * each;
        hasher.update(&bytes);
        Ok(bytes)
    };
    let labels: Vec<u32> = next(counts[0], 4)?.as_chunks().0.iter().map(|label| u32::from_le_bytes(*label)).collect();
    let targets = next(counts[1], 4)?.as_chunks().0.iter().map(|target| f32::from_le_bytes(*target)).collect();
    let checks = next(counts[2], 8)?.as_chunks().0.iter().map(|check| u64::from_le_bytes(*check)).collect();
    next(usize::try_from(head_length).map_err(|_| cut())?, 1)?;
    if hasher.finalize().as_bytes() != hash {
        return Err("its labels are not what was written".to_owned());
    }
    let file = FileRows::new(file, path.to_owned(), rows, width, checks);
    let features = Values::Stored(Stored::new(Arc::new(file)));
    Ok(Found { features, labels, targets, notes: head.notes, understood: head.understood })
}
