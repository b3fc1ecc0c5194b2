//! The checkpoint: a safetensors file that any tool can open.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use peerlearn_learner::Snapshot;
use peerlearn_protocols::id::{Hash, TaskId};
use peerlearn_protocols::mixing::push_sum::Account;
use peerlearn_protocols::params::Layout;
use peerlearn_runtime::files::{Readers, write_whole};
use safetensors::tensor::{Dtype, SafeTensors, View};

use super::RegistryError;
use super::home::read_if_there;

/// Where a restart goes on from.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    /// Rounds closed.
    pub round: u64,
    /// The state of the learner.
    pub snapshot: Arc<Snapshot>,
    /// Mass of the model, and what was given and taken, under push-sum.
    pub account: Option<Account>,
}

/// What to do where no checkpoint is whole.
const WITHOUT_PREVIOUS: &str =
    "; there is no whole one before it: put one back from a copy, or remove checkpoint*.safetensors to begin anew";
/// The kinds of state, each a copy of the layout under its own prefix.
const PARTS: [&str; 5] = ["model", "correction", "outer.slow", "outer.velocity", "average"];

/// A tensor as safetensors writes it.
pub(super) struct Floats<'a> {
    pub shape: &'a [usize],
    pub values: &'a [f32],
}

impl View for Floats<'_> {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        self.values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>().into()
    }

    fn data_len(&self) -> usize {
        self.values.len() * 4
    }
}

/// Names and views of all tensors of a layout, under a prefix.
pub(super) fn tensors<'a>(
    prefix: &'a str,
    layout: &'a Layout,
    flat: &'a [f32],
) -> impl Iterator<Item = (String, Floats<'a>)> + 'a {
    layout.tensors().iter().zip(layout.ranges()).map(move |(tensor, range)| {
        (format!("{prefix}{}", tensor.name), Floats { shape: &tensor.shape, values: &flat[range] })
    })
}

pub(super) fn save(path: &Path, task: TaskId, layout: &Layout, checkpoint: &Checkpoint) -> Result<(), RegistryError> {
    let Checkpoint { round, snapshot, account } = checkpoint;
    let mut metadata = HashMap::from([
        ("format".to_owned(), "peerlearn checkpoint 1".to_owned()),
        ("task".to_owned(), task.to_string()),
        ("round".to_owned(), round.to_string()),
        ("age".to_owned(), snapshot.age.to_string()),
        ("schedule".to_owned(), snapshot.schedule.to_string()),
        ("digest".to_owned(), digest(checkpoint).to_string()),
    ]);
    if let Some(account) = account {
        metadata.insert("account".to_owned(), written(account));
    }
    let [model, correction, slow, velocity, average] = PARTS.map(|part| format!("{part}."));
    let mut views: Vec<(String, Floats<'_>)> = tensors(&model, layout, &snapshot.params).collect();
    snapshot.correction.iter().for_each(|flat| views.extend(tensors(&correction, layout, flat)));
    if let Some((a, b)) = &snapshot.outer {
        views.extend(tensors(&slow, layout, a).chain(tensors(&velocity, layout, b)));
    }
    snapshot.average.iter().for_each(|flat| views.extend(tensors(&average, layout, flat)));
    let bytes = safetensors::serialize(views, Some(metadata)).map_err(|error| damaged(path, &error.to_string()))?;
    keep_previous(path);
    Ok(write_whole(path, &bytes, Readers::Owner)?)
}

/// The checkpoint in a home directory.
pub(super) fn path_in(home: &Path) -> PathBuf {
    home.join("checkpoint.safetensors")
}

fn previous_of(path: &Path) -> PathBuf {
    path.with_extension("previous.safetensors")
}

/// Gives the checkpoint a second name, so that it outlives its successor: a disk may lose bytes that it said it had.
fn keep_previous(path: &Path) {
    // Where the newest is gone, the one before is all there is.
    if path.exists() {
        let previous = previous_of(path);
        // The first checkpoint has no predecessor, and some file systems have no links: then there is none to fall back to.
        let _ = std::fs::remove_file(&previous);
        let _ = std::fs::hard_link(path, &previous);
    }
}

/// Takes a damaged checkpoint out of the way, so that it does not take the place of the good one before it at the next save.
pub(super) fn set_aside(home: &Path) {
    let path = path_in(home);
    // Where nothing can be renamed, nothing is saved either.
    let _ = std::fs::rename(&path, path.with_extension("damaged.safetensors"));
}

/// Whether a model is kept in a home directory.
pub fn has_checkpoint(home: &Path) -> bool {
    let path = path_in(home);
    path.exists() || previous_of(&path).exists()
}

/// A checkpoint, and why it is not the newest where it is not.
pub(super) type Found = (Option<Checkpoint>, Option<RegistryError>);

/// Reads the newest checkpoint in a home directory that is whole, without locking the directory.
///
/// # Errors
/// There is a checkpoint, but none is whole, or it belongs to another task.
pub(super) fn load_newest(home: &Path, task: TaskId, layout: &Layout) -> Result<Found, RegistryError> {
    let path = path_in(home);
    let previous = || load(&previous_of(&path), task, layout);
    match load(&path, task, layout) {
        Ok(None) => {
            let found = previous()?;
            let gone = found.is_some().then_some(RegistryError::Gone { path });
            Ok((found, gone))
        }
        Ok(found) => Ok((found, None)),
        Err(RegistryError::Damaged { path, reason }) => {
            let error = |more: &str| RegistryError::Damaged { path: path.clone(), reason: format!("{reason}{more}") };
            match previous() {
                Ok(Some(previous)) => Ok((Some(previous), Some(error("")))),
                _ => Err(error(WITHOUT_PREVIOUS)),
            }
        }
        Err(error) => Err(error),
    }
}

/// Reads the newest checkpoint in a home directory that is whole, without locking the directory; `None` when there is
/// none.
///
/// # Errors
/// There is a checkpoint, but none is whole, or it belongs to another task.
pub fn load_checkpoint(home: &Path, task: TaskId, layout: &Layout) -> Result<Option<Checkpoint>, RegistryError> {
    let (found, damaged) = load_newest(home, task, layout)?;
    if let (Some(found), Some(error)) = (&found, damaged) {
        tracing::warn!(%error, round = found.round, "the newest checkpoint cannot be read; this is the one before");
    }
    Ok(found)
}

fn load(path: &Path, task: TaskId, layout: &Layout) -> Result<Option<Checkpoint>, RegistryError> {
    let Some(bytes) = read_if_there(path)? else { return Ok(None) };
    let wrong = |reason: &str| damaged(path, reason);
    let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|error| wrong(&error.to_string()))?;
    let header = header.metadata().clone().unwrap_or_default();
    let field = |name: &str| header.get(name).ok_or_else(|| wrong(&format!("its header has no {name}")));
    let number = |name: &str| field(name)?.parse::<u64>().map_err(|_| wrong(&format!("its {name} is no number")));
    if field("task")? != &task.to_string() {
        let theirs = field("task")?.chars().take(8).collect();
        return Err(RegistryError::OtherTask { path: path.to_owned(), theirs, ours: task.short() });
    }
    let file = SafeTensors::deserialize(&bytes).map_err(|error| wrong(&error.to_string()))?;
    let [params, correction, slow, velocity, average] = PARTS.map(|part| read_part(&file, part, layout));
    let snapshot = Snapshot {
        params: params.ok_or_else(|| wrong("its parameters do not have the shapes of the task"))?,
        age: number("age")?,
        schedule: number("schedule")?,
        correction,
        average,
        outer: slow.zip(velocity),
    };
    let account = header.get("account").map(|text| serde_json::from_str(text));
    let account = account.transpose().map_err(|_| wrong("its account of mass cannot be read"))?;
    let checkpoint = Checkpoint { round: number("round")?, snapshot: Arc::new(snapshot), account };
    if field("digest")? != &digest(&checkpoint).to_string() || layout.check(&checkpoint.snapshot.params).is_err() {
        return Err(wrong("its digest does not fit its content"));
    }
    Ok(Some(checkpoint))
}

fn read_part(file: &SafeTensors<'_>, part: &str, layout: &Layout) -> Option<Vec<f32>> {
    let mut flat = Vec::with_capacity(layout.len());
    for tensor in layout.tensors() {
        let view = file.tensor(&format!("{part}.{}", tensor.name)).ok()?;
        if view.dtype() != Dtype::F32 || view.shape() != tensor.shape {
            return None;
        }
        flat.extend(view.data().as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)));
    }
    Some(flat)
}

/// An account as JSON: an object of numbers and ids, so writing it cannot fail.
fn written(account: &Account) -> String {
    serde_json::to_string(account).unwrap_or_default()
}

fn digest(Checkpoint { round, snapshot, account }: &Checkpoint) -> Hash {
    let mut hasher = blake3::Hasher::new();
    let outer = snapshot.outer.iter().flat_map(|(slow, velocity)| [slow, velocity]);
    for part in [&snapshot.params].into_iter().chain(&snapshot.correction).chain(outer).chain(&snapshot.average) {
        hasher.update(&(part.len() as u64).to_le_bytes());
        part.iter().for_each(|value| {
            hasher.update(&value.to_le_bytes());
        });
    }
    hasher.update(&snapshot.age.to_le_bytes());
    hasher.update(&snapshot.schedule.to_le_bytes());
    hasher.update(&round.to_le_bytes());
    account.iter().for_each(|account| {
        hasher.update(written(account).as_bytes());
    });
    Hash(*hasher.finalize().as_bytes())
}

fn damaged(path: &Path, reason: &str) -> RegistryError {
    RegistryError::Damaged { path: path.to_owned(), reason: reason.to_owned() }
}
