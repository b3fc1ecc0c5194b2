//! A model for other programs: a folder that says everything that is needed to use it.
//!
//! ```text
//! DIR/
//!   model.safetensors   the weights
//!   manifest.json       columns, preprocessing, layers, classes, metrics
//!   schema.json         the columns as a Frictionless Table Schema v2, for tables
//!   task.json           the bytes that are hashed to the id of the task
//!   predict.py          raw rows or pictures to answers with NumPy, for models that are dense layers
//!   README.md           for people
//! ```

mod manifest;

use std::path::Path;

use peerlearn_runtime::files::{Readers, write_whole};
use peerlearn_task::{InputKind, Task, table_schema};

pub use manifest::Manifest;

use super::checkpoint::tensors;
use super::{Checkpoint, RegistryError};

/// Writes a model to a directory, which is made if need be: the moving average, where the checkpoint has one. Answers the names
/// of the files.
///
/// # Errors
/// The system refused.
pub fn export(
    directory: &Path,
    task: &Task,
    checkpoint: &Checkpoint,
    manifest: &Manifest,
) -> Result<Vec<&'static str>, RegistryError> {
    let failed = |source| RegistryError::Io { action: "create directory", path: directory.to_owned(), source };
    std::fs::create_dir_all(directory).map_err(failed)?;
    let damaged = |name: &str, reason: String| RegistryError::Damaged { path: directory.join(name), reason };
    let views: Vec<_> = tensors("", task.layout(), checkpoint.snapshot.answer()).collect();
    let model = safetensors::serialize(views, None).map_err(|error| damaged("model.safetensors", error.to_string()))?;
    let json = |name, value: serde_json::Result<Vec<u8>>| value.map_err(|error| damaged(name, error.to_string()));
    let mut files = vec![
        ("model.safetensors", model),
        ("manifest.json", json("manifest.json", serde_json::to_vec_pretty(manifest))?),
        ("task.json", task.definition().canonical()),
        ("README.md", manifest.readme(task).into_bytes()),
    ];
    if task.definition().schema.kind == InputKind::Table {
        let schema = serde_json::to_vec_pretty(&table_schema(task.document()));
        files.push(("schema.json", json("schema.json", schema)?));
    }
    if let Some(program) = manifest.program() {
        files.push(("predict.py", program.as_bytes().to_vec()));
    }
    for (name, bytes) in &files {
        write_whole(&directory.join(name), bytes, Readers::Usual)?;
    }
    Ok(files.into_iter().map(|(name, _)| name).collect())
}
