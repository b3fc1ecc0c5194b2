//! A task that is being learnt: what was agreed on, with the parameters that follow from it.

use std::sync::Arc;

use peerlearn_protocols::id::TaskId;
use peerlearn_protocols::params::Layout;
use serde::{Deserialize, Serialize};

use crate::definition::Definition;
use crate::document::Document;
use crate::schema::{FrameRule, InputKind};

/// A task that is being learnt: two peers learn together exactly when their tasks have the same [`Task::id`].
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    document: Arc<Document>,
    id: TaskId,
    layout: Layout,
}

/// The parts of a task that people can read, for tickets, `status` and refusals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskSummary {
    /// Hash of the task.
    pub id: TaskId,
    /// See [`Definition::name`].
    pub network: String,
    /// Model family with its sizes.
    pub model: String,
    /// Shape of one example.
    pub input: Vec<usize>,
    /// Number of classes; 1 where the answer is a number.
    pub classes: usize,
    /// How raw values become inputs: `declared`, `agreed`, `per-peer`, or `unit:MAX` for pictures.
    pub scaling: String,
    /// One line for people.
    #[serde(default)]
    pub title: String,
}

impl Task {
    /// A task with the parameters that its model has.
    pub fn new(document: Arc<Document>, layout: Layout) -> Self {
        let id = document.definition.id();
        Self { document, id, layout }
    }

    /// The name of the task: it names the gossip topic and seeds the initial weights.
    pub fn id(&self) -> TaskId {
        self.id
    }

    /// What was agreed on.
    pub fn document(&self) -> &Arc<Document> {
        &self.document
    }

    /// The hashed part.
    pub fn definition(&self) -> &Definition {
        &self.document.definition
    }

    /// Names and shapes of the shared parameters.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The readable part.
    pub fn summary(&self) -> TaskSummary {
        self.document.summary()
    }
}

impl Document {
    /// The readable part.
    pub fn summary(&self) -> TaskSummary {
        let definition = &self.definition;
        let schema = &definition.schema;
        let scaling = match (schema.kind, schema.frame.rule) {
            (InputKind::Table, FrameRule::Declared) => "declared".to_owned(),
            (InputKind::Table, FrameRule::Agreed) => "agreed".to_owned(),
            (InputKind::Table, FrameRule::PerPeer) => "per-peer".to_owned(),
            _ => format!("unit:{}", schema.most().unwrap_or(1.0)),
        };
        TaskSummary {
            id: definition.id(),
            network: definition.name.clone(),
            model: definition.model.net.clone(),
            input: schema.shape(),
            classes: schema.output.width(),
            scaling,
            title: self.charter.about.title.clone(),
        }
    }

    /// The bytes in which a task travels: definition and charter as one JSON object.
    pub fn to_bytes(&self) -> Vec<u8> {
        // Text keys and finite numbers only: there always is a JSON form.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads what [`Document::to_bytes`] wrote, wherever it comes from.
    ///
    /// # Errors
    /// It is too long, no task, or contradicts itself.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, crate::TaskError> {
        let damaged = |reason: String| crate::TaskError::Damaged { reason };
        if bytes.len() > MAX_TRAVEL {
            return Err(damaged(format!("more than {MAX_TRAVEL} bytes")));
        }
        let document: Self = serde_json::from_slice(bytes).map_err(|error| damaged(error.to_string()))?;
        let definition = document.definition.normalized()?;
        let charter = document.charter.normalized(&definition)?;
        Ok(Self { definition, charter })
    }
}

/// Most bytes of a task that travels.
pub const MAX_TRAVEL: usize = 2 * crate::MAX_BYTES;
