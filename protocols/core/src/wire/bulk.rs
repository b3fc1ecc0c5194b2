//! The two small frames before raw chunks flow on a stream.

use super::codec::{Decode, Encode, Wire, WireError};
use super::manifest::MAX_CHUNKS;
use crate::id::Root;

/// "Send me these chunks." Written once by the puller, behind a length byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct BulkRequest {
    /// The model.
    pub root: Root,
    /// First chunk wanted.
    pub first: u32,
    /// Number of chunks wanted, at least 1.
    pub count: u32,
}

/// The answer of the holder, behind a length byte; raw chunks follow after [`BulkStart::Sending`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum BulkStart {
    /// The chunks follow, back to back, without framing.
    Sending,
    /// The model is no longer held.
    Gone,
    /// Too many pulls at once.
    Busy,
}

impl Wire for BulkRequest {
    const KIND: u8 = 5;
    // A hash and two varints.
    const LIMIT: usize = 64;

    fn validate(&self) -> Result<(), WireError> {
        let end = u64::from(self.first) + u64::from(self.count);
        if self.count == 0 || end > u64::from(MAX_CHUNKS) {
            return Err(WireError::Invalid { rule: "a chunk range is not empty and within a model" });
        }
        Ok(())
    }
}

impl Wire for BulkStart {
    const KIND: u8 = 6;
    // A tag.
    const LIMIT: usize = 64;

    fn validate(&self) -> Result<(), WireError> {
        Ok(())
    }
}
