//! The directory of a node, and files that are whole or not there.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use peerlearn_runtime::files::{Readers, write_whole};

use super::lock::Lock;
use super::{RegistryError, private};

/// Addresses of the own node that are remembered.
const MAX_ADDRESSES: usize = 32;
/// Starts that fit before the counter of restarts, see `peer::actor`.
const MOST_STARTS: u32 = (1 << 24) - 1;
/// How far beyond the clock, in minutes, a counter begins anew whose file is damaged: 30 days. It was ahead of the clock by one
/// for every start beyond one a minute.
const AHEAD: u32 = 30 * 24 * 60;

/// A node's directory, locked against other nodes while this lives.
#[derive(Debug)]
pub struct Home {
    path: PathBuf,
    lock: Lock,
    notes: Mutex<Vec<String>>,
}

impl Home {
    /// Makes the directory if need be, locks it, and makes it its owner's alone.
    ///
    /// # Errors
    /// It cannot be made or written, or another node runs in it.
    pub fn open(path: &Path) -> Result<Self, RegistryError> {
        let failed = |source| RegistryError::Io { action: "create directory", path: path.to_owned(), source };
        private::create(path).map_err(failed)?;
        let mut lock = Lock::take(path)?;
        let notes = private::tighten(path);
        if private::is_private(path) {
            lock.take_directory(path)?;
        }
        private::clear_unfinished(path);
        Ok(Self { path: path.to_owned(), lock, notes: Mutex::new(notes) })
    }

    /// Lets another node run here, although parts of this one may still hold the directory; they write nothing more.
    pub(crate) fn release(&self) {
        self.lock.release();
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Remembers something to be said of this home.
    pub(super) fn note(&self, note: String) {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).push(note);
    }

    /// What was found amiss here since the last call, in words: each is told once, and to the log where nobody asks.
    pub fn take_notes(&self) -> Vec<String> {
        std::mem::take(&mut *self.notes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Where the node listened when it last ran; nothing where that is not known.
    pub fn addresses_before(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.file("addresses")).unwrap_or_default();
        text.lines().take(MAX_ADDRESSES).map(str::to_owned).collect()
    }

    /// Remembers where the node listens.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn remember_addresses(&self, addresses: &[String]) -> Result<(), RegistryError> {
        Ok(write_whole(&self.file("addresses"), addresses.join("\n").as_bytes(), Readers::Owner)?)
    }

    /// Counts this start: a number above those of all starts before. Where the counter is damaged it begins anew beyond the
    /// clock, which is said: others take what comes under a smaller number for a replay.
    ///
    /// # Errors
    /// The counter cannot be read or written.
    pub fn count_start(&self) -> Result<u32, RegistryError> {
        let path = self.file("starts");
        // Never below the clock, which stands in for the counter while this file cannot be written.
        let clock = minutes_since_2025();
        let held = read_if_there(&path)?;
        let count = |bytes: &[u8]| std::str::from_utf8(bytes).ok()?.trim().parse::<u32>().ok();
        let now = match held.as_deref().map(|bytes| count(bytes).filter(|count| *count < MOST_STARTS)) {
            None => clock.max(1),
            Some(Some(before)) => (before + 1).max(clock),
            Some(None) => {
                let now = clock + AHEAD;
                self.note(format!(
                    "{} is damaged: it is no number of starts below {MOST_STARTS}; this node counts on from {now}, which is \
                     above what others have seen of it",
                    path.display()
                ));
                now
            }
        };
        write_whole(&path, format!("{now}\n").as_bytes(), Readers::Owner)?;
        Ok(now)
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        self.take_notes().into_iter().for_each(|note| tracing::warn!("{note}"));
    }
}

/// The bytes of a file; `None` where there is none.
pub(super) fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>, RegistryError> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(RegistryError::Io { action: "read", path: path.to_owned(), source }),
    }
}

/// What stands in for the counter of starts while its file cannot be written: it only has to grow.
pub(crate) fn minutes_since_2025() -> u32 {
    let since_1970 = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    // 22 bits, so that the counter of restarts fits behind it.
    (since_1970.as_secs().saturating_sub(1_735_689_600) / 60) as u32 & 0x3f_ffff
}
