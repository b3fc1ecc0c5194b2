//! Homes of peers that share one volume: each peer takes the first that nobody lives in.
//!
//! Replicas of a container get one and the same volume, and names that change with every new container. So a home is
//! not tied to a container but claimed: `DIR/1`, `DIR/2` and so on, each locked while somebody lives there. Whoever
//! comes later, after a restart or in place of a container that is gone, goes on with an identity and a state that are
//! free. A lock ends with its process, however that ends.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Most homes in one directory.
const MOST: usize = 10_000;
/// The file in a home that is locked; it holds the name of the host that its peer runs on.
const CLAIM: &str = "claim";

/// Why there is no home.
#[derive(Debug, Error)]
pub enum HomesError {
    /// A file or directory cannot be handled.
    #[error("cannot {action} {path}: {source}", path = path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// With what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Somebody lives in all of them.
    #[error("all {MOST} homes in {path} are taken", path = path.display())]
    Full {
        /// Where they are.
        path: PathBuf,
    },
}

/// A home, as long as this lives.
#[derive(Debug)]
pub struct Claim {
    /// Where it is.
    pub path: PathBuf,
    /// Its number, from 1.
    pub number: usize,
    _lock: File,
}

/// Takes the first home in a directory that nobody lives in, and makes it if need be.
///
/// # Errors
/// The directory cannot be written, or is full.
pub fn claim(homes: &Path) -> Result<Claim, HomesError> {
    for number in 1..=MOST {
        let path = homes.join(number.to_string());
        fs::create_dir_all(&path).map_err(failed("make", &path))?;
        let file = path.join(CLAIM);
        let open = OpenOptions::new().create(true).truncate(false).write(true).open(&file);
        let mut lock = open.map_err(failed("open", &file))?;
        match lock.try_lock() {
            Ok(()) => {
                let host = host();
                let write = lock.set_len(0).and_then(|()| lock.write_all(host.as_bytes()));
                write.map_err(failed("write", &file))?;
                return Ok(Claim { path, number, _lock: lock });
            }
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(source)) => return Err(failed("lock", &file)(source)),
        }
    }
    Err(HomesError::Full { path: homes.to_owned() })
}

/// The home that a peer of this host has claimed.
///
/// # Errors
/// The directory cannot be read.
pub fn own(homes: &Path) -> Result<Option<PathBuf>, HomesError> {
    let host = host();
    let entries = fs::read_dir(homes).map_err(failed("read", homes))?.flatten();
    let is_own = |home: &PathBuf| fs::read_to_string(home.join(CLAIM)).is_ok_and(|claimed| claimed == host);
    // A home that an earlier container of this name had is free now.
    let is_taken = |home: &PathBuf| {
        let lock = File::open(home.join(CLAIM)).and_then(|file| file.try_lock_shared().map_err(io::Error::from));
        lock.is_err()
    };
    Ok(entries.map(|entry| entry.path()).find(|home| is_own(home) && is_taken(home)))
}

/// The name of this host; in a container, usually its id.
fn host() -> String {
    fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned()
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> HomesError {
    let path = path.to_owned();
    move |source| HomesError::Io { action, path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_home_is_taken_once_and_taken_again_when_it_is_free() {
        let folder = tempfile::tempdir().unwrap();
        let (first, second) = (claim(folder.path()).unwrap(), claim(folder.path()).unwrap());
        assert_eq!((first.number, second.number), (1, 2));
        drop(first);
        let third = claim(folder.path()).unwrap();
        assert_eq!(third.number, 1);
        drop(third);
        assert_eq!(own(folder.path()).unwrap(), Some(second.path.clone()));
        drop(second);
        assert_eq!(own(folder.path()).unwrap(), None);
        assert!(own(&folder.path().join("nowhere")).is_err());
    }
}
