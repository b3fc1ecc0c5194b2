//! Files that are whole or not there.
//!
//! Why not a crate such as `atomic-write-file`: it names the file written aside at random or not at all, so what a
//! killed process leaves is never cleared away or the file system must have `O_TMPFILE`, and an error does not say
//! which step failed. Here the name is fixed, so that the next attempt takes the place of what a killed one left.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// A file could not be written; the old one is untouched.
#[derive(Debug, Error)]
#[error("cannot {action} {path}: {source}", path = path.display())]
pub struct WriteError {
    /// What was tried.
    pub action: &'static str,
    /// The file.
    pub path: PathBuf,
    /// What the system said.
    pub source: std::io::Error,
}

/// Who may read a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readers {
    /// Whoever the system lets.
    Usual,
    /// Its owner alone.
    Owner,
}

/// Writes a file aside, syncs it, renames it into place and syncs the directory: after kill -9 or a loss of power at
/// any instant, the old file or the new one is there.
///
/// # Errors
/// The system refused; the old file is then untouched.
pub fn write_whole(path: &Path, bytes: &[u8], readers: Readers) -> Result<(), WriteError> {
    let aside = path.with_extension("tmp");
    let result = write_aside(path, &aside, bytes, readers);
    if result.is_err() {
        // What is left of a failed attempt takes space that may be what is missing.
        let _ = std::fs::remove_file(&aside);
    }
    result
}

fn write_aside(path: &Path, aside: &Path, bytes: &[u8], readers: Readers) -> Result<(), WriteError> {
    let failed = |action| move |source| WriteError { action, path: path.to_owned(), source };
    let mut options = OpenOptions::new();
    options.create(true).truncate(true).write(true);
    #[cfg(unix)]
    if readers == Readers::Owner {
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    }
    let mut file = options.open(aside).map_err(failed("write"))?;
    file.write_all(bytes).map_err(failed("write"))?;
    file.sync_all().map_err(failed("sync"))?;
    std::fs::rename(aside, path).map_err(failed("replace"))?;
    // The rename itself is only safe once the directory is.
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(failed("sync the directory of"))
}
