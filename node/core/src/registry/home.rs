//! The directory of a node, and files that are whole or not there.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use peerlearn_network::Identity;
use peerlearn_runtime::files::{Readers, write_whole};

use super::RegistryError;

/// Addresses of the own node that are remembered.
const MAX_ADDRESSES: usize = 32;

/// A node's directory, locked against other nodes while this lives.
#[derive(Debug)]
pub struct Home {
    path: PathBuf,
    lock: File,
}

impl Home {
    /// Makes the directory if need be and locks it.
    ///
    /// # Errors
    /// It cannot be made or written, or another node runs in it.
    pub fn open(path: &Path) -> Result<Self, RegistryError> {
        let failed = |action, path: &Path| {
            let path = path.to_owned();
            move |source| RegistryError::Io { action, path, source }
        };
        std::fs::create_dir_all(path).map_err(failed("create directory", path))?;
        let lock_path = path.join("lock");
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(&lock_path);
        // A directory that has become read-only can still be locked, and what is in it can still be read.
        let lock =
            lock.or_else(|error| File::open(&lock_path).map_err(|_| error)).map_err(failed("open", &lock_path))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), lock }),
            Err(TryLockError::WouldBlock) => Err(RegistryError::Locked { path: path.to_owned() }),
            Err(TryLockError::Error(source)) => Err(failed("lock", &lock_path)(source)),
        }
    }

    /// Lets another node run here, although parts of this one may still hold the directory; they write nothing more.
    pub(crate) fn release(&self) {
        // The end of the process releases it in any case.
        let _ = self.lock.unlock();
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The identity of this node, made on the first call.
    ///
    /// # Errors
    /// The file is damaged, may be read by others, or cannot be read or written. An existing file is never replaced.
    pub fn identity(&self) -> Result<Identity, RegistryError> {
        if let Some(identity) = identity_of(&self.path)? {
            return Ok(identity);
        }
        let identity = Identity::generate();
        write_whole(&self.file("identity.key"), &identity.secret(), Readers::Owner)?;
        Ok(identity)
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
        Ok(write_whole(&self.file("addresses"), addresses.join("\n").as_bytes(), Readers::Usual)?)
    }

    /// Counts this start: a number above those of all starts before.
    ///
    /// # Errors
    /// The counter cannot be read or written.
    pub fn count_start(&self) -> Result<u32, RegistryError> {
        let path = self.file("starts");
        let before = match std::fs::read_to_string(&path) {
            Ok(text) => text.trim().parse().map_err(|_| RegistryError::Damaged {
                path: path.clone(),
                reason: format!("{:?} is no number", text.chars().take(20).collect::<String>()),
            })?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => 0u32,
            Err(source) => return Err(RegistryError::Io { action: "read", path, source }),
        };
        // Never below the clock, which stands in for the counter while this file cannot be written.
        let now = before.saturating_add(1).max(minutes_since_2025());
        write_whole(&path, format!("{now}\n").as_bytes(), Readers::Usual)?;
        Ok(now)
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

/// The identity in a home directory, without locking it; `None` when there is none.
///
/// # Errors
/// The file is damaged, may be read by others, or cannot be read.
pub fn identity_of(home: &Path) -> Result<Option<Identity>, RegistryError> {
    let path = home.join("identity.key");
    let Some(secret) = read_if_there(&path)? else { return Ok(None) };
    check_private(&path)?;
    let reason = "it is no ed25519 key of 32 bytes".to_owned();
    let secret = <[u8; 32]>::try_from(secret).map_err(|_| RegistryError::Damaged { path, reason })?;
    Ok(Some(Identity::from_secret(secret)))
}

#[cfg(unix)]
fn check_private(path: &Path) -> Result<(), RegistryError> {
    use std::os::unix::fs::PermissionsExt;
    let failed = |source| RegistryError::Io { action: "read", path: path.to_owned(), source };
    let mode = std::fs::metadata(path).map_err(failed)?.permissions().mode() & 0o777;
    match mode & 0o077 {
        0 => Ok(()),
        _ => Err(RegistryError::Exposed { path: path.to_owned(), mode }),
    }
}

#[cfg(not(unix))]
fn check_private(_: &Path) -> Result<(), RegistryError> {
    Ok(())
}

/// What stands in for the counter of starts while its file cannot be written: it only has to grow.
pub(crate) fn minutes_since_2025() -> u32 {
    let since_1970 = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    // 22 bits, so that the counter of restarts fits behind it.
    (since_1970.as_secs().saturating_sub(1_735_689_600) / 60) as u32 & 0x3f_ffff
}
