//! The key of a home, and the public id beside it, by which a damaged or lost key is noticed: any 32 bytes are a key, so that
//! one flipped bit makes another peer, which nobody knows.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use peerlearn_network::Identity;
use peerlearn_protocols::id::PeerId;
use peerlearn_runtime::files::{Readers, write_whole};

use super::home::read_if_there;
use super::{Home, RegistryError};

/// The file with the secret.
const SECRET: &str = "identity.key";
/// The file with the public id, as hexadecimal digits.
const PUBLIC: &str = "identity.pub";

impl Home {
    /// The identity of this node, made on the first call.
    ///
    /// # Errors
    /// The file is damaged, gone, may be read by others, or cannot be read or written. An existing file is never replaced.
    pub fn identity(&self) -> Result<Identity, RegistryError> {
        let identity = match identity_of(self.path())? {
            Some(identity) => identity,
            None => {
                let identity = Identity::generate();
                write_whole(&self.file(SECRET), &identity.secret(), Readers::Owner)?;
                identity
            }
        };
        let path = self.file(PUBLIC);
        // Homes of earlier versions have none, nor has one whose start was broken off between the two files.
        if public_in(&path)?.is_none() {
            let line = format!("{}\n", identity.peer());
            if let Err(error) = write_whole(&path, line.as_bytes(), Readers::Owner) {
                self.note(format!("{error}; damage to the key of this node will not be noticed"));
            }
        }
        Ok(identity)
    }
}

/// The identity in a home directory, without locking it; `None` when there is none and never was.
///
/// # Errors
/// The file is damaged, may be read by others, cannot be read, gives another id than the one kept beside it, or is gone while
/// that one is there.
pub fn identity_of(home: &Path) -> Result<Option<Identity>, RegistryError> {
    let (path, public) = (home.join(SECRET), home.join(PUBLIC));
    let Some(secret) = read_if_there(&path)? else {
        // Without a key even a damaged id says that there was one.
        return match public_in(&public)? {
            Some(kept) => Err(RegistryError::KeyGone { path, public, kept }),
            None => Ok(None),
        };
    };
    check_private(&path)?;
    let reason = "it is no ed25519 key of 32 bytes; put it back from a copy".to_owned();
    let secret = <[u8; 32]>::try_from(secret).map_err(|_| RegistryError::Damaged { path: path.clone(), reason })?;
    let identity = Identity::from_secret(secret);
    match public_in(&public)? {
        Some(kept) if kept != identity.peer() => {
            Err(RegistryError::OtherKey { path, public, found: identity.peer(), kept })
        }
        _ => Ok(Some(identity)),
    }
}

/// The public id in a file; `None` where there is none.
fn public_in(path: &Path) -> Result<Option<PeerId>, RegistryError> {
    let Some(bytes) = read_if_there(path)? else { return Ok(None) };
    let peer = std::str::from_utf8(&bytes).ok().and_then(|text| text.trim().parse().ok());
    let reason = "it is no id of 64 hexadecimal digits; put it back from a copy, or, where identity.key is known to be good, \
                  remove it: it is then written anew";
    match peer {
        Some(peer) => Ok(Some(peer)),
        None => Err(RegistryError::Damaged { path: path.to_owned(), reason: reason.to_owned() }),
    }
}

fn check_private(path: &Path) -> Result<(), RegistryError> {
    let failed = |source| RegistryError::Io { action: "read", path: path.to_owned(), source };
    let mode = std::fs::metadata(path).map_err(failed)?.permissions().mode() & 0o777;
    match mode & 0o077 {
        0 => Ok(()),
        _ => Err(RegistryError::Exposed { path: path.to_owned(), mode }),
    }
}
