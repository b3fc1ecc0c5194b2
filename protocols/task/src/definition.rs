//! The hashed part of a task: what all of its peers mean by a weight, and what may leave them.

use peerlearn_protocols::id::{PeerId, TaskId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use crate::output::OutputKind;
use crate::schema::Schema;
use crate::text::clean;

/// Version of the format.
pub const FORMAT: u32 = 1;
/// Most bytes of a canonical form.
pub const MAX_BYTES: usize = 256 * 1024;
/// Most owners.
const MAX_OWNERS: usize = 16;
/// What keeps hashes of tasks apart from all other hashes.
const CONTEXT: &str = "peerlearn 2026 task v1";

/// The model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelSpec {
    /// Family with its sizes: `linear`, `mlp:64,32`, `cnn`, or the name of a model of one's own.
    pub net: String,
    /// `cross-entropy` for classes, `mse` or `mae` for a number.
    pub loss: String,
    /// Hash of names and shapes of the parameters of a model of one's own; for the built-in ones they follow from the rest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layout: Option<String>,
}

/// The hashed part of a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Definition {
    /// Version of the format.
    pub format: u32,
    /// A word that keeps otherwise equal tasks apart.
    pub name: String,
    /// Public keys; any one of them may invite, upgrade and change the charter. Without any, the task is open and fixed.
    #[serde(default)]
    pub owners: Vec<PeerId>,
    /// The task that this one continues.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<TaskId>,
    /// The model.
    pub model: ModelSpec,
    /// What goes in and what comes out.
    #[serde(flatten)]
    pub schema: Schema,
}

/// A task that contradicts itself or cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TaskError {
    /// Written by a newer program.
    #[error("format {got}: written by a newer peerlearn; this one reads up to {FORMAT}")]
    Newer {
        /// Its version.
        got: u32,
    },
    /// A key contradicts others.
    #[error("{key}: {reason}")]
    Key {
        /// The key.
        key: String,
        /// What is wrong.
        reason: String,
    },
    /// No canonical form.
    #[error("the task is damaged: {reason}")]
    Damaged {
        /// What is wrong.
        reason: String,
    },
}

impl TaskError {
    pub(crate) fn key(key: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Key { key: key.into(), reason: reason.into() }
    }
}

impl Definition {
    /// A definition without owners and parent.
    ///
    /// # Errors
    /// Something in it contradicts itself.
    pub fn new(name: &str, model: ModelSpec, schema: Schema) -> Result<Self, TaskError> {
        Self { format: FORMAT, name: name.to_owned(), owners: Vec::new(), parent: None, model, schema }.normalized()
    }

    /// Checks everything and brings names and lists to their one form and order.
    ///
    /// # Errors
    /// The first key that contradicts itself or others.
    pub fn normalized(mut self) -> Result<Self, TaskError> {
        if self.format != FORMAT {
            return Err(TaskError::Newer { got: self.format });
        }
        let fits = (1..=64).contains(&self.name.len()) && self.name.bytes().all(|byte| byte.is_ascii_graphic());
        if !fits {
            return Err(TaskError::key(
                "name",
                format!("{:?}: 1 to 64 printable characters without spaces", self.name),
            ));
        }
        if self.owners.len() > MAX_OWNERS {
            return Err(TaskError::key("owners", format!("at most {MAX_OWNERS}")));
        }
        self.owners.sort();
        self.owners.dedup();
        self.schema.normalize()?;
        self.check_model()?;
        match self.canonical().len() {
            bytes if bytes > MAX_BYTES => {
                Err(TaskError::key("columns", format!("the task takes {bytes} bytes, more than {MAX_BYTES}")))
            }
            _ => Ok(self),
        }
    }

    fn check_model(&self) -> Result<(), TaskError> {
        clean(&self.model.net).map_err(|reason| TaskError::key("model.net", reason))?;
        let fits = match self.schema.output.kind {
            OutputKind::Classes => self.model.loss == "cross-entropy",
            OutputKind::Number => matches!(self.model.loss.as_str(), "mse" | "mae"),
        };
        match fits {
            true => Ok(()),
            false => Err(TaskError::key(
                "model.loss",
                format!("{:?}: cross-entropy for classes, mse or mae for a number", self.model.loss),
            )),
        }
    }

    /// The bytes that are hashed: JSON with all defaults written out, keys sorted by code point, no space, numbers that are not
    /// whole as strings.
    pub fn canonical(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        // A definition has only text keys and finite numbers, so it always has a JSON form.
        canonical(&serde_json::to_value(self).unwrap_or_default(), &mut bytes);
        bytes
    }

    /// Reads a canonical form.
    ///
    /// # Errors
    /// It is too long, no definition, contradicts itself, or is not in canonical form.
    pub fn from_canonical(bytes: &[u8]) -> Result<Self, TaskError> {
        let damaged = |reason: String| TaskError::Damaged { reason };
        if bytes.len() > MAX_BYTES {
            return Err(damaged(format!("more than {MAX_BYTES} bytes")));
        }
        #[derive(Deserialize)]
        struct Version {
            format: u32,
        }
        let version: Version = serde_json::from_slice(bytes).map_err(|error| damaged(error.to_string()))?;
        if version.format > FORMAT {
            return Err(TaskError::Newer { got: version.format });
        }
        let read: Self = serde_json::from_slice(bytes).map_err(|error| damaged(error.to_string()))?;
        let definition = read.normalized()?;
        match definition.canonical() == bytes {
            true => Ok(definition),
            false => Err(damaged("it is not in canonical form".to_owned())),
        }
    }

    /// The name of the task: blake3 of the canonical form, in a context of its own.
    pub fn id(&self) -> TaskId {
        TaskId(blake3::derive_key(CONTEXT, &self.canonical()))
    }
}

fn canonical(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Object(fields) => {
            let mut keys: Vec<&String> = fields.keys().collect();
            keys.sort();
            out.push(b'{');
            for (at, key) in keys.into_iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                out.extend(Value::String(key.clone()).to_string().into_bytes());
                out.push(b':');
                canonical(&fields[key], out);
            }
            out.push(b'}');
        }
        Value::Array(items) => {
            out.push(b'[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                canonical(item, out);
            }
            out.push(b']');
        }
        other => out.extend(other.to_string().into_bytes()),
    }
}

#[cfg(test)]
mod tests;
