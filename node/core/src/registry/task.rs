//! The task of a home directory: what is learnt there, and what its numbers are scaled by.

use std::path::Path;

use peerlearn_data::Preprocessing;
use peerlearn_runtime::files::{Readers, write_whole};
use peerlearn_task::{Document, FrameRule, Numbers};

use super::home::read_if_there;
use super::{Home, RegistryError};

/// The file with the task.
const TASK: &str = "task.json";
/// The file with what columns are scaled by, or with what was agreed on.
pub(super) const FRAME: &str = "frame.json";

/// What is learnt in a home directory.
#[derive(Debug, Clone, PartialEq)]
pub struct HomeTask {
    /// What was agreed on.
    pub document: Document,
    /// What columns are scaled by. Where peers agree on numbers these are still those of the task, which models are told and kept
    /// in; what was agreed on is in [`super::frame_of`].
    pub numbers: Numbers,
}

impl HomeTask {
    /// How raw rows become inputs there.
    pub fn preprocessing(&self) -> Preprocessing {
        Preprocessing { schema: self.document.definition.schema.clone(), numbers: self.numbers.clone() }
    }
}

/// What is learnt in a home directory; `None` where nothing was yet.
///
/// # Errors
/// A file is damaged, or cannot be read.
pub fn task_of(home: &Path) -> Result<Option<HomeTask>, RegistryError> {
    let path = home.join(TASK);
    let Some(bytes) = read_if_there(&path)? else { return Ok(None) };
    let damaged = |path: &Path, reason: String| RegistryError::Damaged { path: path.to_owned(), reason };
    let document = Document::from_bytes(&bytes).map_err(|error| damaged(&path, error.to_string()))?;
    let path = home.join(FRAME);
    let held = if is_agreed(&document) { None } else { read_if_there(&path)? };
    let numbers = match held {
        None => Numbers::declared(&document.definition.schema),
        Some(bytes) => serde_json::from_slice(&bytes).map_err(|error| damaged(&path, error.to_string()))?,
    };
    match numbers.fits(&document.definition.schema) {
        true => Ok(Some(HomeTask { document, numbers })),
        false => Err(damaged(&path, "its columns are not those of task.json".to_owned())),
    }
}

/// Whether the file with numbers is that of [`super::KeptFrame`].
fn is_agreed(document: &Document) -> bool {
    document.definition.schema.frame.rule == FrameRule::Agreed
}

impl Home {
    /// Remembers what is learnt here.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn remember_task(&self, task: &HomeTask) -> Result<(), RegistryError> {
        let path = self.file(FRAME);
        let frame = serde_json::to_vec_pretty(&task.numbers);
        let frame = frame.map_err(|error| RegistryError::Damaged { path: path.clone(), reason: error.to_string() })?;
        let frame = (!is_agreed(&task.document)).then_some((path, frame));
        for (path, bytes) in [(self.file(TASK), task.document.to_bytes())].into_iter().chain(frame) {
            // Most starts find what they would write.
            if read_if_there(&path)?.is_none_or(|held| held != bytes) {
                write_whole(&path, &bytes, Readers::Owner)?;
            }
        }
        Ok(())
    }
}
