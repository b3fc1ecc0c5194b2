//! How raw rows become the inputs of a model: kept beside the model, so that other rows mean the same to it.

use std::path::Path;

use peerlearn_task::{Charter, FrameRule, InputKind, Numbers, Schema};
use serde::{Deserialize, Serialize};

use super::table::{Reading, read_features};
use super::{DataConfig, DataError, arrays};

/// What a model was trained to take and to answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Preprocessing {
    /// What goes in and what comes out.
    pub schema: Schema,
    /// What the numbers of a table are scaled by.
    pub numbers: Numbers,
}

/// Rows without answers, ready for a model.
#[derive(Debug, Clone, PartialEq)]
pub struct Unanswered {
    /// Shapes: `[rows, width]` with `width = product of the shape of an example`.
    pub features: Vec<f32>,
    /// A name for each row: that of an image's file; empty for tables.
    pub names: Vec<String>,
    /// What somebody should know.
    pub notes: Vec<String>,
}

impl Preprocessing {
    /// What a schema says by itself.
    pub fn of(schema: Schema) -> Self {
        let numbers = Numbers::declared(&schema);
        Self { schema, numbers }
    }

    /// Names of the inputs of a table, in their order; none for pictures.
    pub fn columns(&self) -> Vec<String> {
        self.schema.slots().iter().map(peerlearn_task::Slot::name).collect()
    }

    /// Whether each peer scales by its own rows and these numbers say by what.
    pub(super) fn is_own(&self) -> bool {
        self.schema.frame.rule == FrameRule::PerPeer
    }

    /// Whether the numbers are those that the schema says by itself.
    pub(super) fn is_untouched(&self) -> bool {
        self.numbers == Numbers::declared(&self.schema)
    }

    /// Reads rows without answers and brings them to the inputs of the model: a table that has the columns, by name, or
    /// pictures. `config` says how the file differs from what the task expects.
    ///
    /// # Errors
    /// The file cannot be read, lacks a column, or holds what the task refuses.
    pub fn read(&self, path: &Path, config: &DataConfig, charter: &Charter) -> Result<Unanswered, DataError> {
        if self.schema.kind == InputKind::Table {
            let how = Reading { schema: &self.schema, charter, numbers: &self.numbers, config, beside: &[] };
            let (features, notes) = read_features(path, &how)?;
            return Ok(Unanswered { features, names: Vec::new(), notes });
        }
        let geometry = self.schema.image.as_ref().map(arrays::Geometry::of);
        let (names, values) = arrays::images(path, geometry.as_ref(), &self.schema.shape())?;
        let most = self.schema.most().unwrap_or(1.0);
        let features = values.to_vec().into_iter().map(|value| value / most).collect();
        Ok(Unanswered { features, names, notes: Vec::new() })
    }
}
