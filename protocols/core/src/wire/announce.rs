//! The small signed message by which peers find each other and each other's models.

use super::codec::{Decode, Encode, Wire, WireError};
use crate::codec::CodecSet;
use crate::id::{PeerId, Root, TaskId};

/// Most addresses in one announcement: a laptop has IPv4, IPv6, TCP, QUIC and one relayed address, twice.
pub const MAX_ADDRESSES: usize = 10;
/// Most bytes of one address: a QUIC address behind a relay, with two peer ids, is 180.
pub const MAX_ADDRESS_BYTES: usize = 256;

/// A multiaddress in its text form. What it means is `node`'s business; here it is a bounded printable string.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct Address(pub String);

/// What a peer says of itself: where it is and what it has. At most a few a minute; see `membership` for the rate.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub struct Announcement {
    /// The task this peer works on.
    pub task: TaskId,
    /// Grows with every announcement of this peer, also across restarts: start counter in the upper 32 bits, message
    /// counter in the lower. A lower or equal one is a replay.
    pub sequence: u64,
    /// Where the peer can be dialled, most useful first.
    pub addresses: Vec<Address>,
    /// Rounds this peer has closed.
    pub round: u64,
    /// Rows the peer trains on; a hint, never a weight by itself.
    pub samples: u32,
    /// The newest model, once there is one.
    pub offer: Option<OfferSummary>,
    /// Codecs this peer can send.
    pub codecs: CodecSet,
    /// How the model looks from inside.
    pub sketch: ModelSummary,
}

/// The newest model of a peer, in short.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct OfferSummary {
    /// Content hash of the model in the peer's preferred codec.
    pub root: Root,
    /// Bytes of the encoded model.
    pub bytes: u64,
    /// Sample-steps that went into the model over its ancestry.
    pub age: u64,
}

/// A few numbers about a model, for people and for filters; never trusted.
#[derive(Debug, Clone, Copy, PartialEq, Default, Encode, Decode)]
pub struct ModelSummary {
    /// Euclidean norm of the shared parameters.
    pub norm: f32,
    /// Loss on the peer's own validation part.
    pub validation_loss: f32,
}

/// What every address keeps to, wherever it is told.
pub(super) fn check_addresses(addresses: &[Address]) -> Result<(), WireError> {
    if addresses.iter().any(|address| address.0.is_empty() || address.0.len() > MAX_ADDRESS_BYTES) {
        return Err(WireError::Invalid { rule: "an address has 1 to 256 bytes" });
    }
    if !addresses.iter().all(|address| address.0.bytes().all(|byte| byte.is_ascii_graphic())) {
        return Err(WireError::Invalid { rule: "an address is printable text" });
    }
    Ok(())
}

impl Wire for Announcement {
    const KIND: u8 = 1;
    // Ten addresses of 256 bytes and 200 bytes of fields, with the signature around it, stay under gossip's 4 KiB.
    const LIMIT: usize = 3 * 1024;

    fn validate(&self) -> Result<(), WireError> {
        if self.addresses.len() > MAX_ADDRESSES {
            return Err(WireError::Invalid { rule: "at most 10 addresses" });
        }
        check_addresses(&self.addresses)?;
        if !self.sketch.norm.is_finite() || !self.sketch.validation_loss.is_finite() {
            return Err(WireError::Invalid { rule: "sketch numbers are finite" });
        }
        Ok(())
    }
}

/// An announcement with its author and the author's signature over the bytes as they are.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub struct Signed {
    /// The author.
    pub author: PeerId,
    /// ed25519 over [`Signed::message_to_sign`].
    pub signature: [u8; 64],
    /// A frame of an [`Announcement`].
    pub body: Vec<u8>,
}

impl Signed {
    /// The bytes a signature covers: a domain string, so that no other signature of the same key fits, and the body.
    pub fn message_to_sign(body: &[u8]) -> Vec<u8> {
        [b"peerlearn announcement 1".as_slice(), body].concat()
    }
}

impl std::fmt::Debug for Signed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Signed({:?}, {} bytes)", self.author, self.body.len())
    }
}

impl Wire for Signed {
    const KIND: u8 = 2;
    // The limit of a gossip message on our topics.
    const LIMIT: usize = 4 * 1024;

    fn validate(&self) -> Result<(), WireError> {
        if self.body.len() > Announcement::LIMIT {
            return Err(WireError::Invalid { rule: "a signed body is at most 3 KiB" });
        }
        Ok(())
    }
}
