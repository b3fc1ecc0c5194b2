//! `data`: what a file holds, and whether it fits a task.

mod picture;

use std::path::Path;

use peerlearn::config::Layers;
use peerlearn::data::{Check, DataConfig, Known, Preprocessing, Survey, Wishes, arrays, check, propose, read};
use peerlearn::registry;
use peerlearn::task::Document;
use serde_json::json;

use super::args::{DataArgs, DataCheckArgs, DataCommand};
use super::error::{CliError, Exit};
use super::screen;
use super::setup::{add_maps, read_task, with_data};

/// Rows that `data show` prints.
const ROWS: usize = 5;

pub(super) fn data(command: &DataCommand) -> Result<Exit, CliError> {
    match command {
        DataCommand::Check(args) => checked(args, false),
        DataCommand::Show(args) => checked(args, true),
    }
}

fn checked(args: &DataCheckArgs, all: bool) -> Result<Exit, CliError> {
    let of_file = DataArgs { data: Some(args.file.clone()), label: args.label.clone(), ..DataArgs::default() };
    let mut config = with_data(Layers::new(), &of_file)?.settings(&args.set)?.load()?;
    add_maps(&mut config, &args.map)?;
    let file = Path::new(&config.data.source);
    if arrays::kind_of(file).is_some() {
        return pictures(args, &config.data, task_of(args)?.as_ref());
    }
    let path = args.file.display().to_string();
    let task = task_of(args)?;
    let (survey, text, fits, about) = match task {
        Some(task) => against(args, &config.data, &task, all)?,
        None => alone(args, &config.data)?,
    };
    if let Some(picture) = &args.picture {
        picture::draw(picture, &survey).map_err(|reason| CliError::Picture { path: picture.clone(), reason })?;
    }
    let rows = if all { rows(&survey) } else { String::new() };
    match args.json {
        true => super::show(&format!("{about}\n"))?,
        false => super::show(&format!("{text}{rows}nothing has left this machine\n"))?,
    }
    match fits {
        true => Ok(Exit::Done),
        false => {
            super::tell(&format!("{path} cannot be learnt from like this; the errors above say what to mend"));
            Ok(Exit::Data)
        }
    }
}

fn task_of(args: &DataCheckArgs) -> Result<Option<Document>, CliError> {
    Ok(match &args.task {
        Some(task) => Some(read_task(task)?),
        None => registry::task_of(&args.home.home)?.map(|kept| kept.document),
    })
}

/// Pictures and arrays: read as learning would.
fn pictures(args: &DataCheckArgs, config: &DataConfig, task: Option<&Document>) -> Result<Exit, CliError> {
    if let Some(picture) = &args.picture {
        let reason = "pictures and arrays have no columns to draw; leave out --picture".to_owned();
        return Err(CliError::Picture { path: picture.clone(), reason });
    }
    let preprocessing = task.map(|task| Preprocessing::of(task.definition.schema.clone()));
    let known = task.zip(preprocessing.as_ref());
    let known = known.map(|(task, preprocessing)| Known { preprocessing, charter: &task.charter });
    let found = read(config, known, &[]).map_err(peerlearn::NodeError::Data)?;
    let (schema, rows) = (&found.preprocessing.schema, found.train.labels.len());
    let count = |class: usize| found.train.labels.iter().filter(|label| **label as usize == class).count();
    let classes: Vec<(&String, usize)> =
        schema.classes().iter().enumerate().map(|(class, name)| (name, count(class))).collect();
    let test = found.test.as_ref().map_or(0, |test| test.labels.len());
    if args.json {
        let classes: serde_json::Map<String, serde_json::Value> =
            classes.iter().map(|(name, count)| ((*name).clone(), json!(count))).collect();
        let about = json!({
            "file": args.file, "rows": rows, "test_rows": test, "shape": schema.shape(), "classes": classes,
            "task": task.map(|task| task.definition.id()), "fits": true, "findings": found.notes,
        });
        super::show(&format!("{about}\n"))?;
        return Ok(Exit::Done);
    }
    let mut text = task.map_or_else(String::new, screen::task);
    text.push_str(&format!(
        "{}: {rows} examples of {:?}, {test} more to measure on\n",
        args.file.display(),
        schema.shape()
    ));
    found
        .understood
        .iter()
        .chain(&found.notes)
        .for_each(|line| text.push_str(&format!("  {}\n", screen::printable(line))));
    for (name, count) in &classes {
        text.push_str(&format!("  {:<30} {count:>8}\n", screen::printable(name)));
    }
    super::show(&format!("{text}nothing has left this machine\n"))?;
    Ok(Exit::Done)
}

/// What was found: the file, words for people, whether it can be learnt from, and the same for programs.
type Found = (Survey, String, bool, serde_json::Value);

fn against(args: &DataCheckArgs, config: &DataConfig, task: &Document, all: bool) -> Result<Found, CliError> {
    let preprocessing = Preprocessing::of(task.definition.schema.clone());
    let known = Known { preprocessing: &preprocessing, charter: &task.charter };
    let found: Check = check(Path::new(&config.source), config, known).map_err(peerlearn::NodeError::Data)?;
    let path = args.file.display().to_string();
    let mut text = screen::task(task) + &screen::check(&path, &found, known);
    if all {
        text.push_str(&screen::columns(&found.survey));
    }
    let about = json!({
        "file": path, "rows": found.survey.rows, "read_as": found.survey.understood, "task": task.definition.id(),
        "learnt_from": found.tally.as_ref().map(|tally| tally.learnt), "fits": found.is_fit(), "findings": found.findings,
    });
    let fits = found.is_fit();
    Ok((found.survey, text, fits, about))
}

fn alone(args: &DataCheckArgs, config: &DataConfig) -> Result<Found, CliError> {
    let survey = Survey::of(Path::new(&config.source), &config.dialect).map_err(peerlearn::NodeError::Data)?;
    let path = args.file.display().to_string();
    let mut text = format!(
        "{path}: {} rows, {} columns\n  read as {}\n{}",
        survey.rows,
        survey.columns.len(),
        survey.understood,
        screen::columns(&survey)
    );
    let label = (!config.label.is_empty()).then(|| config.label.clone());
    let wishes =
        Wishes { label, columns: config.columns.clone(), classes: config.classes.clone(), ..Wishes::default() };
    let (findings, fits) = match propose(&survey, &wishes) {
        Ok(proposal) => {
            let name = "not-named-yet";
            let task = peerlearn::node::document_of(name, "mlp:64,32", &Preprocessing::of(proposal.schema), None);
            let task = task.map_err(peerlearn::NodeError::Task)?;
            text.push_str(&format!("peerlearn new would make of it\n{}", screen::task(&task)));
            (proposal.findings, true)
        }
        Err(finding) => (vec![finding], false),
    };
    findings.iter().for_each(|finding| text.push_str(&format!("  {finding}\n")));
    let about =
        json!({ "file": path, "rows": survey.rows, "read_as": survey.understood, "fits": fits, "findings": findings });
    Ok((survey, text, fits, about))
}

/// A few rows, as they are.
fn rows(survey: &Survey) -> String {
    let mut text = format!("{ROWS} rows of it, chosen at random\n");
    for row in survey.sample.iter().take(ROWS) {
        let cells: Vec<String> = row
            .iter()
            .zip(&survey.columns)
            .map(|(cell, column)| screen::printable(&format!("{} {cell}", column.name)))
            .collect();
        text.push_str(&format!("  {}\n", cells.join(", ").chars().take(160).collect::<String>()));
    }
    text
}
