//! A model ready to be pulled.

use std::ops::Range;
use std::sync::Arc;

use super::blob::Blob;
use super::bulk::BulkRequest;
use super::control::{MAX_HASHES, Offer};
use super::manifest::{CHUNK_BYTES, ChunkManifest};
use crate::codec::Codec;
use crate::id::Hash;
use crate::params::Layout;

/// An encoded model with its manifest, ready to be pulled.
#[derive(Debug, Clone)]
pub struct Publication {
    /// What it is offered as.
    pub offer: Offer,
    /// The hashes of its chunks.
    pub manifest: ChunkManifest,
    /// The bytes; shared with the pulls under way, never copied.
    pub blob: Arc<Vec<u8>>,
    /// Whether the bytes are a compressed frame, which only those get who ask for it.
    pub compressed: bool,
}

impl Publication {
    /// Cuts and hashes an encoded model.
    pub fn new(blob: Arc<Vec<u8>>, codec: Codec, age: u64, round: u64, samples: u32) -> Self {
        let manifest = ChunkManifest::of(&blob);
        let offer = Offer { root: manifest.root(), bytes: manifest.bytes(), codec, age, round, samples };
        Self { offer, manifest, blob, compressed: false }
    }

    /// Hashes of chunks from `first` on, as many as one answer holds.
    pub fn hashes(&self, first: usize) -> Vec<Hash> {
        self.manifest.hashes().iter().skip(first).take(MAX_HASHES).copied().collect()
    }

    /// The bytes asked for on a stream; `None` for those of another model or out of its range.
    pub fn open(&self, request: &BulkRequest) -> Option<(Arc<Vec<u8>>, Range<usize>)> {
        let chunk = CHUNK_BYTES;
        let start = (request.first as usize).checked_mul(chunk)?;
        let end = (request.first as usize).checked_add(request.count as usize)?.checked_mul(chunk)?;
        let is_within = request.root == self.offer.root && start < self.blob.len();
        is_within.then(|| (Arc::clone(&self.blob), start..end.min(self.blob.len())))
    }

    /// The same model as a compressed frame of these bytes.
    #[cfg(feature = "zstd")]
    fn as_compressed(&self, bytes: Vec<u8>) -> Self {
        let Offer { codec, age, round, samples, .. } = self.offer;
        Self { compressed: true, ..Self::new(Arc::new(bytes), codec, age, round, samples) }
    }

    /// The same model in another codec, or in the same one as a compressed frame; `None` where that cannot be, or where
    /// compression does not pay.
    pub fn recoded(&self, codec: Codec, compressed: bool, layout: &Layout) -> Option<Self> {
        if compressed {
            return self.compressed_frame();
        }
        let bytes = Blob::parse(&self.blob, layout).ok()?.transcode(codec).ok()?;
        let Offer { age, round, samples, .. } = self.offer;
        Some(Self::new(Arc::new(bytes), codec, age, round, samples))
    }

    #[cfg(feature = "zstd")]
    fn compressed_frame(&self) -> Option<Self> {
        super::compressed::compress(&self.blob).map(|frame| self.as_compressed(frame))
    }

    #[cfg(not(feature = "zstd"))]
    fn compressed_frame(&self) -> Option<Self> {
        None
    }
}
