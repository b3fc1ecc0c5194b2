//! The numbers that a node has agreed on with others, and what it told of its own rows.

use std::collections::BTreeMap;
use std::path::Path;

use peerlearn_runtime::files::{Readers, write_whole};
use peerlearn_task::Schema;
use peerlearn_task::frame::{Frame, Voice};
use serde::{Deserialize, Serialize};

use super::home::read_if_there;
use super::task::FRAME;
use super::{Home, RegistryError};

/// What a home directory keeps of a task whose peers agree on numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KeptFrame {
    /// The numbers that the node trains in.
    pub frame: Frame,
    /// What it told of its own rows; nothing where it had nothing to tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<KeptTold>,
}

/// What a node told of its own rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KeptTold {
    /// Seconds since 1970 when it was made, which is its version too.
    pub version: u64,
    /// The rows that it was made of.
    pub rows: usize,
    /// By column.
    pub columns: BTreeMap<String, Voice>,
}

/// What a home directory keeps of numbers that were agreed on; `None` where nothing was, for other columns, or where the file is
/// damaged: models are not told in these numbers, so others can be agreed on.
pub fn frame_of(home: &Path, schema: &Schema) -> Option<KeptFrame> {
    let bytes = read_if_there(&home.join(FRAME)).ok().flatten()?;
    let kept: Option<KeptFrame> = serde_json::from_slice(&bytes).ok();
    kept.filter(|kept| kept.frame.numbers.fits(schema))
}

impl Home {
    /// Remembers what was agreed on.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn remember_frame(&self, kept: &KeptFrame) -> Result<(), RegistryError> {
        let path = self.file(FRAME);
        let bytes = serde_json::to_vec_pretty(kept);
        let bytes = bytes.map_err(|error| RegistryError::Damaged { path: path.clone(), reason: error.to_string() })?;
        match read_if_there(&path)?.is_some_and(|held| held == bytes) {
            true => Ok(()),
            false => Ok(write_whole(&path, &bytes, Readers::Owner)?),
        }
    }
}
