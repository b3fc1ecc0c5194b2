//! A model in chunks, each with its hash, and one hash over all.

use crate::id::{Hash, Root};

/// Bytes of every chunk but the last. Measured best between 64 and 256 KiB for a libp2p stream.
pub const CHUNK_BYTES: usize = 256 * 1024;
/// Most chunks of a model: 2^15 x 256 KiB = 8 GiB, twice the largest layout in f32.
pub const MAX_CHUNKS: u32 = 1 << 15;

/// The hashes of all chunks of one encoded model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChunkManifest {
    bytes: u64,
    hashes: Vec<Hash>,
}

impl ChunkManifest {
    /// Cuts `blob` into chunks and hashes each.
    pub fn of(blob: &[u8]) -> Self {
        Self { bytes: blob.len() as u64, hashes: blob.chunks(CHUNK_BYTES).map(Hash::of).collect() }
    }

    /// Puts a manifest together from hashes that a peer sent; `None` when they are not the preimage of `root` or not as
    /// many as `bytes` needs.
    pub fn verified(root: Root, bytes: u64, hashes: Vec<Hash>) -> Option<Self> {
        let manifest = Self { bytes, hashes };
        (chunk_count(bytes) == Some(manifest.hashes.len() as u32) && manifest.root() == root).then_some(manifest)
    }

    /// The hash over all chunk hashes and the length.
    pub fn root(&self) -> Root {
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"peerlearn model 1");
        hasher.update(&self.bytes.to_le_bytes());
        for hash in &self.hashes {
            hasher.update(hash.as_bytes());
        }
        Root(*hasher.finalize().as_bytes())
    }

    /// Bytes of the whole model.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The hash of each chunk, in order.
    pub fn hashes(&self) -> &[Hash] {
        &self.hashes
    }

    /// Bytes of chunk `index`; zero beyond the end.
    pub fn chunk_bytes(&self, index: u32) -> usize {
        let start = u64::from(index) * CHUNK_BYTES as u64;
        self.bytes.saturating_sub(start).min(CHUNK_BYTES as u64) as usize
    }
}

/// Number of chunks of a model of `bytes`; `None` for an empty or too large one.
pub fn chunk_count(bytes: u64) -> Option<u32> {
    let count = bytes.div_ceil(CHUNK_BYTES as u64);
    (1..=u64::from(MAX_CHUNKS)).contains(&count).then_some(count as u32)
}
