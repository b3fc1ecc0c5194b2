//! All bytes that leave a node.
//!
//! | kind | travels by | limit | module |
//! |---|---|---|---|
//! | [`Signed`] [`Announcement`] | gossip | 4 KiB | `announce` |
//! | [`Request`], [`Response`] | request-response | 10 KiB, 64 KiB | `control` |
//! | [`BulkRequest`], [`BulkStart`] and raw chunks | stream | 64 bytes, then 256 KiB a chunk | `bulk` |
//! | [`Blob`](blob::Blob): an encoded model | in chunks | what its layout and codec say | `blob` |
//!
//! A frame is magic `PL`, version, kind, body. The version is also part of every protocol name ([`VERSION`]), so two
//! peers that differ refuse each other by name before a frame is read. Bytes are hashed and signed as received:
//! bincode's integers have more than one encoding.

pub mod announce;
pub mod blob;
pub mod bulk;
pub mod codec;
#[cfg(feature = "zstd")]
pub mod compressed;
pub mod control;
pub mod descriptor;
mod encoder;
pub mod manifest;
pub mod publication;

pub use announce::{Address, Announcement, ModelSummary, OfferSummary, Signed};
pub use bulk::{BulkRequest, BulkStart};
pub use codec::{Wire, WireError};
pub use control::{Offer, Refusal, Request, Response};
pub use descriptor::Descriptor;
pub use encoder::Encoder;
pub use manifest::{CHUNK_BYTES, ChunkManifest};
pub use publication::Publication;

/// Version of everything in this module. Any change to bytes or meaning is a new version.
pub const VERSION: u8 = 1;

/// The first two bytes of every frame.
pub const MAGIC: [u8; 2] = *b"PL";
