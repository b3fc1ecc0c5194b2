//! What a shuffle tells of a peer: who it is and where it can be dialled.

use super::announce::{Address, check_addresses};
use super::codec::{Decode, Encode, WireError};
use crate::id::PeerId;

/// Most descriptors in one message: the sender and eight of those it knows.
pub const MAX_DESCRIPTORS: usize = 9;
/// Most addresses in one descriptor: TCP and QUIC, over IPv4 and IPv6. An announcement may hold more; hearsay is
/// dialled once, not for ever.
pub const MAX_TOLD_ADDRESSES: usize = 4;

/// A peer, as another one tells of it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Descriptor {
    /// Who it is.
    pub peer: PeerId,
    /// Where it can be dialled, most useful first; at least one.
    pub addresses: Vec<Address>,
    /// Shuffles since it was last heard, as told.
    pub age: u32,
}

pub(super) fn check(descriptors: &[Descriptor]) -> Result<(), WireError> {
    if descriptors.len() > MAX_DESCRIPTORS {
        return Err(WireError::Invalid { rule: "at most 9 descriptors" });
    }
    if !descriptors.iter().all(|told| (1..=MAX_TOLD_ADDRESSES).contains(&told.addresses.len())) {
        return Err(WireError::Invalid { rule: "a descriptor has 1 to 4 addresses" });
    }
    descriptors.iter().try_for_each(|told| check_addresses(&told.addresses))
}
