//! The model on disk: `eval`, `predict`, `export`.

use std::path::Path;

use peerlearn::NodeConfig;
use peerlearn::data::{Loaded, Preprocessing, load_as};
use peerlearn::learner::{Learner, build};
use peerlearn::node::{NodeError, task_of};
use peerlearn::protocols::task::Task;
use peerlearn::registry::{self, Checkpoint, Manifest};
use serde_json::json;

use super::args::{EvalArgs, ExportArgs, PredictArgs};
use super::error::{CliError, Exit};
use super::node::settings;

/// Rows that a model answers for at a time: enough to keep it busy, few enough for any memory.
const ROWS_AT_A_TIME: usize = 1024;

/// The model on disk, with everything that belongs to it.
struct OnDisk {
    checkpoint: Checkpoint,
    learner: Box<dyn Learner>,
    data: Loaded,
    task: Task,
}

fn on_disk(home: &Path, config: &NodeConfig) -> Result<OnDisk, CliError> {
    let identity = registry::identity_of(home)?.map_or([0; 32], |identity| identity.peer().0);
    let before = registry::preprocessing_of(home)?;
    let data = load_as(&config.data, &identity, before.as_ref()).map_err(NodeError::Data)?;
    let (checkpoint, learner, task) = model_on_disk(home, config, &data.preprocessing())?;
    Ok(OnDisk { checkpoint, learner, data, task })
}

/// The model itself: what the node answers with, and what is exported.
fn model_on_disk(
    home: &Path,
    config: &NodeConfig,
    rows: &Preprocessing,
) -> Result<(Checkpoint, Box<dyn Learner>, Task), CliError> {
    let mut learner = build(&config.task.model, &rows.input, rows.classes.len())?;
    let task = task_of(&config.task.network, &config.task.model.to_string(), rows, learner.layout().clone());
    let checkpoint = registry::load_checkpoint(home, task.id(), learner.layout())?;
    let checkpoint = checkpoint.ok_or_else(|| CliError::NoCheckpoint { home: home.to_owned() })?;
    learner.write(checkpoint.snapshot.answer())?;
    Ok((checkpoint, learner, task))
}

/// Answers for the rows of a file, one line each: the class, then the probability of each class.
pub(super) fn predict(args: &PredictArgs) -> Result<Exit, CliError> {
    let (home, config) = (&args.home.home, settings(&args.config)?);
    let rows = registry::preprocessing_of(home)?.ok_or_else(|| CliError::NoCheckpoint { home: home.clone() })?;
    let (_, mut learner, _) = model_on_disk(home, &config, &rows)?;
    let inputs = rows.read(&args.input).map_err(NodeError::Data)?;
    let width: usize = rows.input.iter().product();
    let mut table = csv::Writer::from_writer(Vec::new());
    let header = rows.classes.iter().map(|class| format!("p({class})"));
    let written = |source: csv::Error| CliError::Table { source };
    table.write_record(["class".to_owned()].into_iter().chain(header)).map_err(written)?;
    for part in inputs.chunks(width * ROWS_AT_A_TIME) {
        for probabilities in learner.predict(part)?.chunks(rows.classes.len()) {
            let best =
                (0..probabilities.len()).max_by(|one, other| probabilities[*one].total_cmp(&probabilities[*other]));
            let class = best.map(|best| rows.classes[best].clone()).unwrap_or_default();
            let numbers = probabilities.iter().map(|value| format!("{value:.6}"));
            table.write_record([class].into_iter().chain(numbers)).map_err(written)?;
        }
    }
    let bytes = table.into_inner().map_err(|error| CliError::Table { source: error.into_error().into() })?;
    match &args.output {
        Some(path) => std::fs::write(path, bytes).map_err(|source| CliError::File {
            action: "write",
            path: path.clone(),
            source,
        })?,
        None => super::show(&String::from_utf8_lossy(&bytes))?,
    }
    Ok(Exit::Done)
}

pub(super) fn eval(args: &EvalArgs) -> Result<Exit, CliError> {
    let OnDisk { checkpoint, mut learner, data, .. } = on_disk(&args.home.home, &settings(&args.config)?)?;
    let mut measure =
        |rows: &Option<peerlearn::data::Dataset>| rows.as_ref().map(|rows| learner.evaluate(rows)).transpose();
    let (own, test) = (measure(&data.validation)?, measure(&data.test)?);
    if own.is_none() && test.is_none() {
        return Err(CliError::NothingToMeasure);
    }
    if args.json {
        super::show(&format!("{}\n", json!({ "round": checkpoint.round, "own": own, "test": test })))?;
        return Ok(Exit::Done);
    }
    let mut text = format!("round {}\n", checkpoint.round);
    for (name, part) in [("own validation", own), ("shared test", test)] {
        if let Some(part) = part {
            let accuracy = part.accuracy * 100.0;
            text.push_str(&format!("{name}: {accuracy:.2} % of {} rows, loss {:.4}\n", part.rows, part.loss));
        }
    }
    super::show(&text)?;
    Ok(Exit::Done)
}

pub(super) fn export(args: &ExportArgs) -> Result<Exit, CliError> {
    let OnDisk { checkpoint, mut learner, data, task } = on_disk(&args.home.home, &settings(&args.config)?)?;
    let rows = data.test.as_ref().or(data.validation.as_ref());
    let accuracy = rows.map(|rows| learner.evaluate(rows)).transpose()?.map(|measured| measured.accuracy);
    let manifest = Manifest::new(&task, &checkpoint, &data.preprocessing(), accuracy);
    registry::export(&args.directory, &task.layout, &checkpoint, &manifest)?;
    super::tell(&format!(
        "wrote model.safetensors and manifest.json of round {} to {}",
        checkpoint.round,
        args.directory.display()
    ));
    Ok(Exit::Done)
}
