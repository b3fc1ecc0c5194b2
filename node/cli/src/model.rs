//! The model on disk: `eval`, `predict`, `export`.

use std::path::Path;
use std::sync::Arc;

use peerlearn::NodeConfig;
use peerlearn::agreed::as_trained;
use peerlearn::data::{Dataset, Known, Loaded, Unanswered, load, measure};
use peerlearn::learner::{Evaluation, Learner, ModelFamily, build};
use peerlearn::node::NodeError;
use peerlearn::registry::{self, Checkpoint, HomeTask, KeptFrame, Manifest};
use peerlearn::task::{Output, OutputKind, Real, Task};
use serde_json::json;

use super::args::{ConfigArgs, DataArgs, EvalArgs, ExportArgs, PredictArgs};
use super::error::{CliError, Exit};
use super::measured;
use super::setup::{add_maps, layers, readable_twice, with_data};

/// Rows that a model answers for at a time: enough to keep it busy, few enough for any memory.
const ROWS_AT_A_TIME: usize = 1024;

/// The model on disk, with everything that belongs to it.
struct OnDisk {
    checkpoint: Checkpoint,
    learner: Box<dyn Learner>,
    task: HomeTask,
    whole: Task,
    /// What it was trained in, where peers agree on numbers.
    frame: Option<KeptFrame>,
}

/// The model itself: what the node answers with, and what is exported.
fn on_disk(home: &Path) -> Result<OnDisk, CliError> {
    let none = || CliError::NoCheckpoint { home: home.to_owned() };
    let task = registry::task_of(home)?.ok_or_else(none)?;
    let definition = &task.document.definition;
    let family: ModelFamily = definition
        .model
        .net
        .parse()
        .map_err(|reason| NodeError::Model { net: definition.model.net.clone(), reason: format!("{reason}") })?;
    let schema = &definition.schema;
    let frame = registry::frame_of(home, schema);
    let mut learner = as_trained(build(&family, &schema.shape(), schema.output.width())?, schema, frame.as_ref());
    let whole = Task::new(Arc::new(task.document.clone()), learner.layout().clone());
    let checkpoint = registry::load_checkpoint(home, whole.id(), learner.layout())?.ok_or_else(none)?;
    learner.write(checkpoint.snapshot.answer())?;
    Ok(OnDisk { checkpoint, learner, task, whole, frame })
}

/// The settings of a command about a model on disk.
fn told(home: &Path, config: &ConfigArgs, data: &DataArgs) -> Result<NodeConfig, CliError> {
    let mut config = with_data(layers(config, Some(home))?, data)?.load()?;
    add_maps(&mut config, &data.map)?;
    Ok(config)
}

/// The rows that settings and flags name, for the model of a home directory.
fn rows_for(on_disk: &OnDisk, home: &Path, config: &NodeConfig) -> Result<Loaded, CliError> {
    let identity = registry::identity_of(home)?.map_or([0; 32], |identity| identity.peer().0);
    let preprocessing = on_disk.task.preprocessing();
    let known = Known { preprocessing: &preprocessing, charter: &on_disk.task.document.charter };
    Ok(load(&config.data, &identity, Some(known)).map_err(NodeError::Data)?)
}

/// Answers for the rows of a file, one line each: the class, then the probability of each class; or a number.
pub(super) fn predict(args: &PredictArgs) -> Result<Exit, CliError> {
    let home = &args.home.home;
    let config = told(home, &args.config, &DataArgs { map: args.map.clone(), ..DataArgs::default() })?;
    let OnDisk { mut learner, task, .. } = on_disk(home)?;
    let preprocessing = task.preprocessing();
    let rows = preprocessing
        .read(&readable_twice(&args.input)?, &config.data, &task.document.charter)
        .map_err(NodeError::Data)?;
    rows.notes.iter().for_each(|note| super::tell(&format!("warning: {note}")));
    let output = &preprocessing.schema.output;
    let answers = answers(learner.as_mut(), &rows, output, preprocessing.schema.shape().iter().product())?;
    match &args.output {
        Some(path) => std::fs::write(path, answers).map_err(|source| CliError::File {
            action: "write",
            path: path.clone(),
            source,
        })?,
        None => super::show(&String::from_utf8_lossy(&answers))?,
    }
    Ok(Exit::Done)
}

/// Answers as a table: a name for each row where it has one, then the answer.
fn answers(learner: &mut dyn Learner, rows: &Unanswered, output: &Output, width: usize) -> Result<Vec<u8>, CliError> {
    let mut table = csv::Writer::from_writer(Vec::new());
    let written = |source: csv::Error| CliError::Table { source };
    let name = |row: usize| rows.names.get(row).cloned();
    let mut header: Vec<String> = name(0).map(|_| "name".to_owned()).into_iter().collect();
    match output.kind {
        OutputKind::Number => header.push(output.column.clone()),
        OutputKind::Classes => {
            header.push("class".to_owned());
            header.extend(output.values.iter().map(|class| format!("p({class})")));
        }
    }
    table.write_record(&header).map_err(written)?;
    let number = |number: Option<Real>, otherwise| number.map_or(otherwise, Real::get);
    let (mean, sd) = (number(output.mean, 0.0), number(output.sd, 1.0));
    let mut row = 0;
    for part in rows.features.chunks(width * ROWS_AT_A_TIME) {
        for scores in learner.predict(part)?.chunks(output.width()) {
            let mut record: Vec<String> = name(row).into_iter().collect();
            match output.kind {
                OutputKind::Number => record.push(format!("{:.6}", f64::from(scores[0]) * sd + mean)),
                OutputKind::Classes => {
                    let best = (0..scores.len()).max_by(|one, other| scores[*one].total_cmp(&scores[*other]));
                    record.push(best.map(|best| output.values[best].clone()).unwrap_or_default());
                    record.extend(scores.iter().map(|value| format!("{value:.6}")));
                }
            }
            table.write_record(&record).map_err(written)?;
            row += 1;
        }
    }
    table.into_inner().map_err(|error| CliError::Table { source: error.into_error().into() })
}

/// What a model is measured on.
struct Measured {
    validation: Option<Dataset>,
    test: Option<Dataset>,
    /// All rows of a file that is named, where it is not the one that the home learns from.
    file: Option<Dataset>,
    classes: Vec<String>,
}

fn rows_of_eval(found: &OnDisk, args: &EvalArgs, config: &NodeConfig) -> Result<Measured, CliError> {
    let home = &args.home.home;
    let learnt = layers(&args.config, Some(home))?.load()?.data.source;
    let same = |one: &str, other: &str| match (std::fs::canonicalize(one), std::fs::canonicalize(other)) {
        (Ok(one), Ok(other)) => one == other,
        _ => one == other,
    };
    if args.data.data.is_none() || same(&learnt, &config.data.source) {
        let Loaded { validation, test, preprocessing, notes, .. } = rows_for(found, home, config)?;
        notes.iter().for_each(|note| super::tell(&format!("warning: {note}")));
        return Ok(Measured { validation, test, file: None, classes: preprocessing.schema.classes().to_vec() });
    }
    let preprocessing = found.task.preprocessing();
    let known = Known { preprocessing: &preprocessing, charter: &found.task.document.charter };
    let read = |path: &str| -> Result<Loaded, CliError> {
        let read = measure(Path::new(path), &config.data, known).map_err(NodeError::Data)?;
        read.notes.iter().for_each(|note| super::tell(&format!("warning: {path}: {note}")));
        Ok(read)
    };
    let file = read(&config.data.source)?;
    // The rows to measure on of the home are another matter.
    let test = args.data.test.as_ref().map(|_| read(&config.data.test)).transpose()?;
    let test = test.map_or(file.test, |test| Some(test.train));
    let classes = preprocessing.schema.classes().to_vec();
    Ok(Measured { validation: None, test, file: Some(file.train), classes })
}

pub(super) fn eval(args: &EvalArgs) -> Result<Exit, CliError> {
    let home = &args.home.home;
    let config = told(home, &args.config, &args.data)?;
    let found = on_disk(home)?;
    let data = rows_of_eval(&found, args, &config)?;
    let OnDisk { checkpoint, mut learner, .. } = found;
    let mut measure = |rows: &Option<Dataset>| rows.as_ref().map(|rows| learner.evaluate(rows)).transpose();
    let (own, test) = (measure(&data.validation)?, measure(&data.test)?);
    let file = measure(&data.file)?;
    if own.is_none() && test.is_none() && file.is_none() {
        return Err(CliError::NothingToMeasure);
    }
    let names = data.classes;
    if args.json {
        let object = |part: &Option<Evaluation>| part.as_ref().map(|part| measured::object(part, &names)).transpose();
        let failed = |source| CliError::Json { source };
        let (own, test) = (object(&own).map_err(failed)?, object(&test).map_err(failed)?);
        let file = object(&file).map_err(failed)?;
        let all = json!({ "round": checkpoint.round, "own": own, "test": test, "file": file });
        super::show(&format!("{all}\n"))?;
        return Ok(Exit::Done);
    }
    let mut text = format!("round {}\n", checkpoint.round);
    let named = args.data.data.as_ref().map_or_else(String::new, |path| format!("all rows of {}", path.display()));
    for (name, part) in [("own validation", own), ("shared test", test), (&*named, file)] {
        part.iter().for_each(|part| text.push_str(&measured::page(name, part, &names)));
    }
    super::show(&text)?;
    Ok(Exit::Done)
}

pub(super) fn export(args: &ExportArgs) -> Result<Exit, CliError> {
    let home = &args.home.home;
    let config = told(home, &args.config, &args.data)?;
    let found = on_disk(home)?;
    let data = rows_for(&found, home, &config)?;
    let OnDisk { checkpoint, mut learner, whole, frame, .. } = found;
    let rows = data.test.as_ref().or(data.validation.as_ref());
    let metrics = rows.map(|rows| learner.evaluate(rows)).transpose()?;
    let agreed = frame.as_ref().map(|kept| &kept.frame.numbers);
    let manifest = Manifest::new(&whole, &checkpoint, &data.preprocessing, agreed, metrics);
    let files = registry::export(&args.directory, &whole, &checkpoint, &manifest)?;
    let (files, directory) = (files.join(", "), args.directory.display());
    if manifest.program().is_none() {
        super::tell("there is no predict.py: this model is more than dense layers; peerlearn predict answers for it");
    }
    super::tell(&format!("wrote {files} of round {} to {directory}", checkpoint.round));
    Ok(Exit::Done)
}
