//! The address book.

use std::path::Path;

use peerlearn_protocols::id::PeerId;
use peerlearn_runtime::files::{Readers, write_whole};
use serde::{Deserialize, Serialize};

use super::RegistryError;

/// Most entries kept, most recently heard first: enough to find a network again after most of it has moved.
pub(super) const MAX_ENTRIES: usize = 64;
/// Largest book read: 64 entries of 10 addresses of 256 bytes, twice.
const MAX_BYTES: u64 = 512 * 1024;

/// A peer met before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BookEntry {
    /// The peer.
    pub peer: PeerId,
    /// Where it was.
    pub addresses: Vec<String>,
}

pub(super) fn save(path: &Path, entries: &[BookEntry]) -> Result<(), RegistryError> {
    let kept = &entries[..entries.len().min(MAX_ENTRIES)];
    let damaged = |error: serde_json::Error| damaged(path, &error);
    Ok(write_whole(path, &serde_json::to_vec_pretty(kept).map_err(damaged)?, Readers::Owner)?)
}

/// Reads the book; a node without one knows nobody.
pub(super) fn load(path: &Path) -> Result<Vec<BookEntry>, RegistryError> {
    let failed = |source| RegistryError::Io { action: "read", path: path.to_owned(), source };
    match std::fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
        Ok(metadata) if metadata.len() > MAX_BYTES => {
            let reason = format!("{} bytes, at most {MAX_BYTES} are read", metadata.len());
            return Err(RegistryError::Damaged { path: path.to_owned(), reason });
        }
        Ok(_) => {}
    }
    let bytes = std::fs::read(path).map_err(failed)?;
    serde_json::from_slice(&bytes).map_err(|error| damaged(path, &error))
}

fn damaged(path: &Path, error: &serde_json::Error) -> RegistryError {
    RegistryError::Damaged { path: path.to_owned(), reason: error.to_string() }
}
