//! What one peer tells of its columns.

use std::collections::BTreeMap;

use peerlearn_protocols::id::{Hash, PeerId, TaskId};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::schema::{Merge, Schema};
use crate::{Moments, Scale};

/// What keeps signatures of summaries apart from all others of the same key.
const CONTEXT: &[u8] = b"peerlearn 2026 summary v1";
/// Bytes of the peer and the version in front, and of the signature behind.
const AROUND: usize = 32 + 8 + 64;
/// Largest size of a mean or deviation, and the inverse of the smallest deviation: squares of it are finite.
const LARGEST: f64 = 1e150;

/// What a peer tells of one column.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Voice {
    /// Mean, of at most 1e150.
    pub mean: f64,
    /// Standard deviation, from 1e-150 to 1e150.
    pub sd: f64,
    /// Number of values; only where moments are pooled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
}

/// What a peer tells of its columns, signed by it. It holds no names: columns stand in the order of the task.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// The task that the columns are of.
    pub task: TaskId,
    /// The peer.
    pub peer: PeerId,
    /// A later one replaces those before.
    pub version: u64,
    /// The columns that something is told of.
    pub columns: BTreeMap<String, Voice>,
    /// ed25519 of the peer over [`Summary::message`].
    pub signature: [u8; 64],
}

/// Bytes that are no summary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SummaryError {
    /// Too short, too long, or a mark that is neither 0 nor 1.
    #[error("a summary has another form")]
    Form,
    /// A mean or deviation that is not finite, a deviation that is not above 0, or either too large.
    #[error("a summary holds numbers that no column has")]
    Number,
}

/// What is told of columns with these moments: nothing where a column has fewer than `frame.min_rows` values (2 at least) or all
/// of them are the same. For the median, the deviation has two digits and the mean is rounded to an eighth of it, and the number of
/// values is not told; pooled, all three are exact.
pub fn told(schema: &Schema, moments: &BTreeMap<String, Moments>) -> BTreeMap<String, Voice> {
    let rules = &schema.frame;
    let voice = |(name, moments): (&String, &Moments)| {
        let is_number = schema.columns.get(name).is_some_and(|column| column.kind.is_numeric());
        let has_spread = moments.sd() > 1e-9 * moments.mean.abs().max(1e-3) && moments.sd().is_finite();
        if !is_number || moments.count < u64::from(rules.min_rows.max(2)) || !has_spread {
            return None;
        }
        let voice = match rules.merge {
            Merge::Pooled => Voice { mean: moments.mean, sd: moments.sd(), count: Some(moments.count) },
            Merge::Median => {
                let (mean, sd) = moments.rounded()?;
                Voice { mean: mean.get(), sd: sd.get(), count: None }
            }
        };
        voice.is_sound(rules.merge).then(|| (name.clone(), voice))
    };
    moments.iter().filter_map(voice).collect()
}

impl Voice {
    fn is_sound(&self, merge: Merge) -> bool {
        let counted = match merge {
            Merge::Median => self.count.is_none(),
            Merge::Pooled => self.count.is_some_and(|count| (2..=1 << 53).contains(&count)),
        };
        counted && self.mean.abs() <= LARGEST && (1.0 / LARGEST..=LARGEST).contains(&self.sd)
    }

    /// The same as a scale.
    pub fn scale(self) -> Scale {
        Scale { mean: self.mean, sd: self.sd }
    }
}

impl Summary {
    /// A summary without a signature yet.
    pub fn unsigned(task: TaskId, peer: PeerId, version: u64, columns: BTreeMap<String, Voice>) -> Self {
        Self { task, peer, version, columns, signature: [0; 64] }
    }

    /// The bytes that a signature covers: a context of its own, the task, and everything but the signature.
    pub fn message(&self, schema: &Schema) -> Vec<u8> {
        [CONTEXT, &self.task.0, &self.body(schema)].concat()
    }

    /// Its hash: the same for two summaries exactly when they say the same.
    pub fn hash(&self, schema: &Schema) -> Hash {
        Hash(*blake3::hash(&self.message(schema)).as_bytes())
    }

    /// The bytes in which it travels: peer, version, for each number column of the task a 0, or a 1 with mean, deviation and
    /// (pooled) count, and the signature; numbers little-endian.
    pub fn to_bytes(&self, schema: &Schema) -> Vec<u8> {
        [self.body(schema).as_slice(), &self.signature].concat()
    }

    fn body(&self, schema: &Schema) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(Self::most_bytes(schema));
        bytes.extend(self.peer.0);
        bytes.extend(self.version.to_le_bytes());
        for name in names(schema) {
            match self.columns.get(name) {
                None => bytes.push(0),
                Some(voice) => {
                    bytes.push(1);
                    bytes.extend(voice.mean.to_le_bytes());
                    bytes.extend(voice.sd.to_le_bytes());
                    voice.count.iter().for_each(|count| bytes.extend(count.to_le_bytes()));
                }
            }
        }
        bytes
    }

    /// Most bytes of a summary of a task.
    pub fn most_bytes(schema: &Schema) -> usize {
        let each = if schema.frame.merge == Merge::Pooled { 25 } else { 17 };
        AROUND + each * names(schema).count()
    }

    /// Reads what [`Summary::to_bytes`] wrote, wherever it comes from. The signature is not checked.
    ///
    /// # Errors
    /// It is no summary of this task.
    pub fn from_bytes(bytes: &[u8], task: TaskId, schema: &Schema) -> Result<Self, SummaryError> {
        let mut rest = bytes;
        let peer = PeerId(take(&mut rest)?);
        let version = u64::from_le_bytes(take(&mut rest)?);
        let mut columns = BTreeMap::new();
        for name in names(schema) {
            match take::<1>(&mut rest)? {
                [0] => {}
                [1] => {
                    let [mean, sd] = [take(&mut rest)?, take(&mut rest)?].map(f64::from_le_bytes);
                    let count = match schema.frame.merge {
                        Merge::Median => None,
                        Merge::Pooled => Some(u64::from_le_bytes(take(&mut rest)?)),
                    };
                    let voice = Voice { mean, sd, count };
                    if !voice.is_sound(schema.frame.merge) {
                        return Err(SummaryError::Number);
                    }
                    columns.insert(name.clone(), voice);
                }
                _ => return Err(SummaryError::Form),
            }
        }
        let signature = take(&mut rest)?;
        match rest.is_empty() {
            true => Ok(Self { task, peer, version, columns, signature }),
            false => Err(SummaryError::Form),
        }
    }
}

/// The columns that something may be told of, in their order.
fn names(schema: &Schema) -> impl Iterator<Item = &String> {
    schema.columns.iter().filter(|(_, column)| column.kind.is_numeric()).map(|(name, _)| name)
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], SummaryError> {
    let (taken, behind) = rest.split_first_chunk::<N>().ok_or(SummaryError::Form)?;
    *rest = behind;
    Ok(*taken)
}
