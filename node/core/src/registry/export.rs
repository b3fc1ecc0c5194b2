//! A model for other programs: `model.safetensors` and `manifest.json`.

use std::path::Path;

use peerlearn_data::Preprocessing;
use peerlearn_protocols::params::{Layout, TensorSpec};
use peerlearn_protocols::task::Task;
use peerlearn_runtime::files::{Readers, write_whole};
use serde::{Deserialize, Serialize};

use super::checkpoint::tensors;
use super::{Checkpoint, RegistryError};

/// What a model is. Field names are stable; new fields may be added.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Name and version of this format.
    pub format: String,
    /// Version of the program.
    pub version: String,
    /// Hash of the task.
    pub task: String,
    /// Name of the network.
    pub network: String,
    /// The model family.
    pub model: String,
    /// Shape of one example.
    pub input: Vec<usize>,
    /// Names of the features of a table, in the order of the inputs; empty for images.
    #[serde(default)]
    pub columns: Vec<String>,
    /// Names of the classes, in the order of the outputs.
    pub classes: Vec<String>,
    /// How raw values become inputs.
    pub scaling: String,
    /// Under `standard`: mean and standard deviation of each feature; an input is the value less the mean, by the deviation.
    #[serde(default)]
    pub moments: Vec<(f32, f32)>,
    /// Rounds closed.
    pub round: u64,
    /// Sample-steps over the ancestry.
    pub age: u64,
    /// Accuracy on the rows to measure on, if there were any.
    pub accuracy: Option<f32>,
    /// Names and shapes in the order of the layout. Weights of dense layers are `[inputs, outputs]`.
    pub tensors: Vec<TensorSpec>,
}

impl Manifest {
    /// Describes a checkpoint.
    pub fn new(task: &Task, checkpoint: &Checkpoint, rows: &Preprocessing, accuracy: Option<f32>) -> Self {
        Self {
            format: "peerlearn model 1".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            task: task.id().to_string(),
            network: task.network.clone(),
            model: task.model.clone(),
            input: task.input.clone(),
            columns: rows.columns.clone(),
            classes: rows.classes.clone(),
            scaling: rows.scaling.to_string(),
            moments: rows.moments.clone(),
            round: checkpoint.round,
            age: checkpoint.snapshot.age,
            accuracy,
            tensors: task.layout.tensors().to_vec(),
        }
    }
}

/// Writes a model to a directory, which is made if need be: the moving average, where the checkpoint has one.
///
/// # Errors
/// The system refused.
pub fn export(
    directory: &Path,
    layout: &Layout,
    checkpoint: &Checkpoint,
    manifest: &Manifest,
) -> Result<(), RegistryError> {
    let failed = |source| RegistryError::Io { action: "create directory", path: directory.to_owned(), source };
    std::fs::create_dir_all(directory).map_err(failed)?;
    let model = directory.join("model.safetensors");
    let views: Vec<_> = tensors("", layout, checkpoint.snapshot.answer()).collect();
    let damaged = |reason: String| RegistryError::Damaged { path: model.clone(), reason };
    let bytes = safetensors::serialize(views, None).map_err(|error| damaged(error.to_string()))?;
    write_whole(&model, &bytes, Readers::Usual)?;
    let json = serde_json::to_vec_pretty(manifest).map_err(|error| damaged(error.to_string()))?;
    Ok(write_whole(&directory.join("manifest.json"), &json, Readers::Usual)?)
}
