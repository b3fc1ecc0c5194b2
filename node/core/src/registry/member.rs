//! Who a node is to others in its task, and whom it has seen there.

use std::path::Path;

use peerlearn_protocols::id::{PeerId, TaskId};
use peerlearn_runtime::files::{Readers, write_whole};
use peerlearn_task::access::Member;
use serde::{Deserialize, Serialize};

use super::home::read_if_there;
use super::{Home, RegistryError};

/// The file with the own name and membership.
const OWN: &str = "member.json";
/// The file with those seen.
const SEEN: &str = "members.json";

/// What a node shows of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnMember {
    /// What it calls itself.
    pub name: String,
    /// Its membership, where it has one.
    #[serde(default, with = "packed", skip_serializing_if = "Option::is_none")]
    pub member: Option<Member>,
}

/// A use of an invitation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InviteUse {
    /// Its public key.
    pub key: PeerId,
    /// What it is called; empty where that is not known.
    #[serde(default)]
    pub label: String,
}

/// A peer that was let in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenMember {
    /// The peer.
    pub peer: PeerId,
    /// What it calls itself.
    pub name: String,
    /// When it was first let in, in seconds since 1970.
    pub since: u64,
    /// Whether an owner has vouched for it, or it is one.
    #[serde(default)]
    pub by_owner: bool,
    /// The invitation by which it came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invite: Option<InviteUse>,
    /// The membership that this node, an owner's, has signed for it.
    #[serde(default, with = "packed", skip_serializing_if = "Option::is_none")]
    pub papers: Option<Member>,
}

/// What a node shows of itself in its task; `None` where that was never decided.
///
/// # Errors
/// The file is damaged, or cannot be read.
pub fn member_of(home: &Path) -> Result<Option<OwnMember>, RegistryError> {
    read(&home.join(OWN))
}

/// Everyone who was let in by this node for this task.
///
/// # Errors
/// The file is damaged, or cannot be read.
pub fn seen_of(home: &Path, task: &TaskId) -> Result<Vec<SeenMember>, RegistryError> {
    let seen: Option<Seen> = read(&home.join(SEEN))?;
    Ok(seen.filter(|seen| seen.task == *task).map_or_else(Vec::new, |seen| seen.members))
}

/// Those seen, and in which task.
#[derive(Serialize, Deserialize)]
struct Seen {
    task: TaskId,
    members: Vec<SeenMember>,
}

impl Home {
    /// Remembers what this node shows of itself.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn remember_member(&self, own: &OwnMember) -> Result<(), RegistryError> {
        write(&self.file(OWN), own)
    }

    /// Remembers whom this node has let in for this task.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn remember_seen(&self, task: TaskId, members: Vec<SeenMember>) -> Result<(), RegistryError> {
        write(&self.file(SEEN), &Seen { task, members })
    }
}

fn read<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<Option<T>, RegistryError> {
    let Some(bytes) = read_if_there(path)? else { return Ok(None) };
    let read = serde_json::from_slice(&bytes);
    read.map(Some).map_err(|error| RegistryError::Damaged { path: path.to_owned(), reason: error.to_string() })
}

/// Writes a file that only its owner may read, where it is not like that already.
fn write<T: Serialize>(path: &Path, value: &T) -> Result<(), RegistryError> {
    let damaged =
        |error: serde_json::Error| RegistryError::Damaged { path: path.to_owned(), reason: error.to_string() };
    let bytes = serde_json::to_vec_pretty(value).map_err(damaged)?;
    match read_if_there(path)?.is_some_and(|held| held == bytes) {
        true => Ok(()),
        false => Ok(write_whole(path, &bytes, Readers::Owner)?),
    }
}

/// Memberships as base64url of their bytes.
mod packed {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use peerlearn_task::access::Member;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(member: &Option<Member>, serializer: S) -> Result<S::Ok, S::Error> {
        member.as_ref().map(|member| URL_SAFE_NO_PAD.encode(member.to_bytes())).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Member>, D::Error> {
        let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(serde::de::Error::custom)?;
        Member::from_bytes(&bytes).map(Some).ok_or_else(|| serde::de::Error::custom("no membership"))
    }
}
