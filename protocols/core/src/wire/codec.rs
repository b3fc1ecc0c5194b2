//! Frames to bytes and back: the only place that names bincode.
//!
//! bincode 2.0.1 is frozen and unmaintained (RUSTSEC-2025-0141); its format is small, and other crates read it byte for
//! byte. Its decoder accepts trailing bytes, its limit does not apply to encoding, and it decodes NaN: all three are
//! checked here or in `validate` of the kind.

use thiserror::Error;

use super::{MAGIC, VERSION};
use crate::codec::{Codec, CodecSet};
use crate::id::{Hash, PeerId, Root, TaskId};

pub use bincode::{Decode, Encode};

/// Bytes before the body: magic, version, kind.
pub const HEADER_BYTES: usize = 4;

/// Why bytes are not a message. Always the sender's fault.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum WireError {
    /// Longer than the kind allows.
    #[error("message of {got} bytes is over the limit of {limit} bytes")]
    TooLong {
        /// Bytes given.
        got: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// Shorter than a frame header, or not ours.
    #[error("not a peerlearn frame")]
    NotAFrame,
    /// Another version of the protocol.
    #[error("peer speaks wire version {theirs}, this node speaks {ours}")]
    Version {
        /// Version in the frame.
        theirs: u8,
        /// [`VERSION`].
        ours: u8,
    },
    /// A frame of another kind than the one expected here.
    #[error("frame kind {got} where {want} was expected")]
    Kind {
        /// Kind in the frame.
        got: u8,
        /// Kind expected.
        want: u8,
    },
    /// The body ends early, claims more than the limit, or has an unknown variant.
    #[error("malformed body of frame kind {kind}")]
    Malformed {
        /// Kind of the frame.
        kind: u8,
    },
    /// Bytes are left after the body.
    #[error("{left} bytes after the body")]
    Trailing {
        /// Number of bytes left.
        left: usize,
    },
    /// Well-formed, but a value breaks a rule of its kind.
    #[error("invalid value: {rule}")]
    Invalid {
        /// The rule that is broken.
        rule: &'static str,
    },
}

/// A kind of frame.
///
/// Implementors are listed in [`crate::wire`]; no other module derives the codec traits.
pub trait Wire: Encode + Decode<()> + Sized {
    /// Tag in the frame header; append only.
    const KIND: u8;
    /// Most bytes of a whole frame.
    const LIMIT: usize;

    /// Checks the rules that types cannot express: counts, lengths, finite floats.
    ///
    /// # Errors
    /// [`WireError::Invalid`] with the broken rule.
    fn validate(&self) -> Result<(), WireError>;

    /// Encodes a whole frame.
    ///
    /// # Errors
    /// The value breaks its own rules or its frame would be over [`Wire::LIMIT`].
    fn to_bytes(&self) -> Result<Vec<u8>, WireError> {
        self.validate()?;
        let mut frame = vec![MAGIC[0], MAGIC[1], VERSION, Self::KIND];
        let body = bincode::encode_to_vec(self, bincode::config::standard())
            .map_err(|_| WireError::Malformed { kind: Self::KIND })?;
        frame.extend_from_slice(&body);
        if frame.len() > Self::LIMIT {
            return Err(WireError::TooLong { got: frame.len(), limit: Self::LIMIT });
        }
        Ok(frame)
    }

    /// Decodes a whole frame; nothing is allocated beyond [`MAX_CLAIM`] whatever the bytes claim.
    ///
    /// # Errors
    /// Any [`WireError`]; each is the sender's fault.
    fn from_bytes(frame: &[u8]) -> Result<Self, WireError> {
        if frame.len() > Self::LIMIT {
            return Err(WireError::TooLong { got: frame.len(), limit: Self::LIMIT });
        }
        let body = open_frame(frame, Self::KIND)?;
        let limited = bincode::config::standard().with_limit::<MAX_CLAIM>();
        let (value, used): (Self, usize) =
            bincode::decode_from_slice(body, limited).map_err(|_| WireError::Malformed { kind: Self::KIND })?;
        if used != body.len() {
            return Err(WireError::Trailing { left: body.len() - used });
        }
        value.validate()?;
        Ok(value)
    }
}

/// Most bytes that claims in one frame may add up to while decoding: twice the largest kind, as a varint may stand for
/// more memory than it takes on the wire.
pub const MAX_CLAIM: usize = 128 * 1024;

fn open_frame(frame: &[u8], want: u8) -> Result<&[u8], WireError> {
    let (header, body) = frame.split_at_checked(HEADER_BYTES).ok_or(WireError::NotAFrame)?;
    if header[..2] != MAGIC {
        return Err(WireError::NotAFrame);
    }
    if header[2] != VERSION {
        return Err(WireError::Version { theirs: header[2], ours: VERSION });
    }
    if header[3] != want {
        return Err(WireError::Kind { got: header[3], want });
    }
    Ok(body)
}

macro_rules! transparent {
    ($($name:ident: $inner:ty),*) => {$(
        impl Encode for $name {
            fn encode<E: bincode::enc::Encoder>(&self, encoder: &mut E) -> Result<(), bincode::error::EncodeError> {
                self.0.encode(encoder)
            }
        }

        impl<C> Decode<C> for $name {
            fn decode<D: bincode::de::Decoder<Context = C>>(
                decoder: &mut D,
            ) -> Result<Self, bincode::error::DecodeError> {
                <$inner as Decode<C>>::decode(decoder).map(Self)
            }
        }

        bincode::impl_borrow_decode!($name);
    )*};
}

transparent!(PeerId: [u8; 32], TaskId: [u8; 32], Root: [u8; 32], Hash: [u8; 32], CodecSet: u8);

impl Encode for Codec {
    fn encode<E: bincode::enc::Encoder>(&self, encoder: &mut E) -> Result<(), bincode::error::EncodeError> {
        self.tag().encode(encoder)?;
        // Codecs without a parameter had their tag alone from the beginning.
        if self.parameter() > 0 { self.parameter().encode(encoder) } else { Ok(()) }
    }
}

impl<C> Decode<C> for Codec {
    fn decode<D: bincode::de::Decoder<Context = C>>(decoder: &mut D) -> Result<Self, bincode::error::DecodeError> {
        let tag = <u8 as Decode<C>>::decode(decoder)?;
        let has_parameter = [Codec::Fragment(0), Codec::TopK(0)].iter().any(|codec| codec.tag() == tag);
        let parameter = if has_parameter { <u16 as Decode<C>>::decode(decoder)? } else { 0 };
        Codec::from_wire(tag, parameter).ok_or(bincode::error::DecodeError::Other("unknown codec"))
    }
}

bincode::impl_borrow_decode!(Codec);
