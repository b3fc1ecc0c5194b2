//! Names: of a peer, of a task, of a model. All are 32 bytes that compare, order and print alike.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

/// A 32-byte name could not be read from text.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("expected 64 hexadecimal digits, got {got:?}")]
pub struct ParseIdError {
    /// The text that was given, cut to 80 characters.
    pub got: String,
}

/// Numbers that compare as the bytes do.
fn words(bytes: &[u8; 32]) -> impl Iterator<Item = u64> + '_ {
    bytes.as_chunks().0.iter().map(|word| u64::from_be_bytes(*word))
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash)]
        pub struct $name(pub [u8; 32]);

        impl Ord for $name {
            /// Byte by byte; in words, the first of which nearly always decides, as names are hashes and keys.
            fn cmp(&self, other: &Self) -> Ordering {
                words(&self.0).cmp(words(&other.0))
            }
        }

        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }

        impl $name {
            /// The raw bytes.
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }

            /// The first eight hexadecimal digits, for people; never use it to compare.
            pub fn short(&self) -> String {
                self.0[..4].iter().map(|byte| format!("{byte:02x}")).collect()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.short())
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                parse_hex(text).map(Self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

id! {
    /// A peer: its ed25519 public key. Node code turns it into a libp2p `PeerId` and back, without loss.
    PeerId
}
id! {
    /// A task: the blake3 hash of what all peers of a network agree on; see `Definition::id` of `peerlearn-task`.
    TaskId
}
id! {
    /// The content of a model as it travels: blake3 over the hashes of its chunks (see `wire::manifest`).
    Root
}
id! {
    /// A blake3 hash of anything else: a chunk, a layout.
    Hash
}

impl Hash {
    /// Hashes `bytes` with blake3.
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }
}

fn parse_hex(text: &str) -> Result<[u8; 32], ParseIdError> {
    let wrong = || ParseIdError { got: text.chars().take(80).collect() };
    let digits = text.as_bytes();
    if digits.len() != 64 {
        return Err(wrong());
    }
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let high = (pair[0] as char).to_digit(16).ok_or_else(wrong)?;
        let low = (pair[1] as char).to_digit(16).ok_or_else(wrong)?;
        *byte = (high * 16 + low) as u8;
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_round_trips_and_bad_text_is_refused() {
        let id = PeerId([0xab; 32]);
        assert_eq!(id.to_string().parse::<PeerId>(), Ok(id));
        assert!("ab".parse::<PeerId>().is_err());
        assert!("g".repeat(64).parse::<PeerId>().is_err());
        // 64 bytes of text that are not 64 digits must not panic on a character border.
        assert!("ä".repeat(32).parse::<PeerId>().is_err());
    }

    #[test]
    fn names_are_in_the_order_of_their_bytes() {
        let mut names: Vec<[u8; 32]> = (0..200).map(|n: u32| *blake3::hash(&n.to_be_bytes()).as_bytes()).collect();
        // Alike but for one byte, wherever it is.
        names.extend((0..32).map(|at| std::array::from_fn(|n| if n == at { 200 } else { 100 })));
        for one in &names {
            for other in &names {
                assert_eq!(PeerId(*one).cmp(&PeerId(*other)), one.cmp(other));
            }
        }
    }
}
