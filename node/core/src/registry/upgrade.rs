//! A home directory that goes on with the successor of its task.

use peerlearn_learner::{LearnError, ModelFamily, Snapshot, build};
use peerlearn_task::{CarryError, Document, Numbers, carry};
use std::sync::Arc;
use thiserror::Error;

use super::checkpoint::{self, Checkpoint, load_checkpoint};
use super::{Home, HomeTask, RegistryError, task_of};

/// Why a home directory cannot go on with another task.
#[derive(Debug, Error)]
pub enum UpgradeError {
    /// Nothing is learnt there.
    #[error("nothing has been learnt here yet; start with peerlearn run --task")]
    Nothing,
    /// The new task is the successor of another one.
    #[error("the new task continues task {theirs}, this home holds {ours}")]
    NotParent {
        /// What it continues.
        theirs: String,
        /// The task here.
        ours: String,
    },
    /// The weights mean nothing there.
    #[error(transparent)]
    Carry(#[from] CarryError),
    /// The model cannot be made.
    #[error("{0}")]
    Model(String),
    /// The home cannot be read or written.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

impl From<LearnError> for UpgradeError {
    fn from(error: LearnError) -> Self {
        Self::Model(error.to_string())
    }
}

impl Home {
    /// Puts the successor of the task in its place, with the weights that mean the same in both. Control variate, moving average
    /// and outer step begin anew.
    ///
    /// # Errors
    /// Nothing is learnt here, the new task continues another one, or no weights carry over. Nothing is changed then.
    pub fn upgrade(&self, new: &Document) -> Result<(), UpgradeError> {
        let kept = task_of(self.path())?.ok_or(UpgradeError::Nothing)?;
        let (old, id) = (&kept.document.definition, kept.document.definition.id());
        if new.definition.parent != Some(id) {
            let theirs = new.definition.parent.map_or("none".to_owned(), |parent| parent.short());
            return Err(UpgradeError::NotParent { theirs, ours: id.short() });
        }
        let layout = |definition: &peerlearn_task::Definition| -> Result<_, UpgradeError> {
            let family: ModelFamily =
                definition.model.net.parse().map_err(|reason| UpgradeError::Model(format!("{reason}")))?;
            Ok(build(&family, &definition.schema.shape(), definition.schema.output.width())?.layout().clone())
        };
        let (before, after) = (layout(old)?, layout(&new.definition)?);
        let held = load_checkpoint(self.path(), id, &before)?.ok_or(UpgradeError::Nothing)?;
        let params = carry((old, &before, held.snapshot.answer()), (&new.definition, &after))?;
        let snapshot = Snapshot { age: held.snapshot.age, schedule: 0, ..Snapshot::fresh(params) };
        let checkpoint = Checkpoint { round: held.round, snapshot: Arc::new(snapshot), account: None };
        let numbers = Numbers::declared(&new.definition.schema);
        // The checkpoint first: it names its task, so a crash in between leaves a home that is refused in words.
        checkpoint::save(&checkpoint::path_in(self.path()), new.definition.id(), &after, &checkpoint)?;
        Ok(self.remember_task(&HomeTask { document: new.clone(), numbers })?)
    }
}
