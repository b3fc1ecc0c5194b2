//! Files that are whole or not there.
//!
//! Why not a crate such as `atomic-write-file`: it names the file written aside at random or not at all, so what a
//! killed process leaves is never cleared away or the file system must have `O_TMPFILE`, and an error does not say
//! which step failed. Here the name is fixed, so that the next attempt takes the place of what a killed one left.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
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
/// any instant, the old file or the new one is there. The file aside, `path` with the ending `tmp`, is always a new one:
/// what a killed process left under its name is removed, and a link there is removed and not followed.
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
    match std::fs::remove_file(aside) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed("remove what is left aside of")(error)),
        _ => {}
    }
    let mut options = OpenOptions::new();
    // O_EXCL: whoever puts something under this name in between, a link to a foreign file say, makes the write fail.
    options.create_new(true).write(true);
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

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    use super::*;

    #[test]
    fn a_link_under_the_name_of_the_file_aside_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (foreign, path) = (folder.path().join("foreign"), folder.path().join("identity.key"));
        std::fs::write(&foreign, "not ours").unwrap();
        symlink(&foreign, folder.path().join("identity.tmp")).unwrap();
        write_whole(&path, b"secret", Readers::Owner).unwrap();
        assert_eq!(std::fs::read(&foreign).unwrap(), b"not ours");
        assert_eq!(std::fs::read(&path).unwrap(), b"secret");
        assert!(std::fs::symlink_metadata(&path).unwrap().is_file());
    }

    #[test]
    fn what_a_killed_process_left_aside_is_replaced_with_its_mode() {
        let folder = tempfile::tempdir().unwrap();
        let (left, path) = (folder.path().join("identity.tmp"), folder.path().join("identity.key"));
        std::fs::write(&left, "half of it, and longer than the whole").unwrap();
        std::fs::set_permissions(&left, std::fs::Permissions::from_mode(0o666)).unwrap();
        write_whole(&path, b"secret", Readers::Owner).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"secret");
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert!(!left.exists());
    }
}
