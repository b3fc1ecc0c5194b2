//! How parameters become bytes: each codec a pure function with its error bound stated and tested.

/// A way to write parameters as bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Codec {
    /// Little-endian IEEE single precision; exact.
    F32,
    /// Little-endian IEEE half precision.
    F16,
    /// One signed byte a parameter and one scale a tensor.
    Int8,
}

impl Codec {
    /// Every codec, best compression last.
    pub const ALL: [Codec; 3] = [Codec::F32, Codec::F16, Codec::Int8];

    /// The tag on the wire; append only.
    pub const fn tag(self) -> u8 {
        match self {
            Codec::F32 => 0,
            Codec::F16 => 1,
            Codec::Int8 => 2,
        }
    }

    /// The codec of a tag, if it is known here.
    pub fn from_tag(tag: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|codec| codec.tag() == tag)
    }
}

/// A set of codecs, one bit each; bits unknown here are kept and ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CodecSet(pub u8);

impl CodecSet {
    /// All codecs known here.
    pub fn all() -> Self {
        Self(Codec::ALL.into_iter().fold(0, |bits, codec| bits | 1 << codec.tag()))
    }

    /// Whether `codec` is in the set.
    pub fn contains(self, codec: Codec) -> bool {
        self.0 & (1 << codec.tag()) != 0
    }
}
