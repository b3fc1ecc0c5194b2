//! `new`: from somebody's own data to a task that others can join.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use peerlearn::config::Layers;
use peerlearn::data::{DataConfig, Finding, Severity, Survey, Wishes, arrays, digits, propose, read};
use peerlearn::registry::Home;
use peerlearn::task::{
    About, Access, Charter, Definition, Document, Join, MAX_BYTES, ModelSpec, Real, Schema, from_table_schema, write,
};

use super::args::{DataArgs, JoinChoice, NewArgs, OutputChoice};
use super::error::{CliError, Exit};
use super::screen;
use super::setup::with_data;

/// The model, where none is wished for.
const MODEL: &str = "mlp:64,32";
/// Bytes that a column takes at least, beside name and values.
const COLUMN_BYTES: usize = 60;
/// Fewer rows of the owner than these are few.
const FEW_ROWS: u64 = 2000;
/// Weight decay that is advised for few rows.
const FEW_ROWS_DECAY: f64 = 0.03;

pub(super) fn new(args: &NewArgs) -> Result<Exit, CliError> {
    if args.to.exists() {
        let reason = format!("{} is there already; choose another file with --to", args.to.display());
        return Err(CliError::Usage { reason });
    }
    let of_file = DataArgs { data: args.file.clone(), ..DataArgs::default() };
    let config = with_data(Layers::new(), &of_file)?.settings(&args.set)?.load()?;
    let (schema, rows) = schema(args, &config.data)?;
    narrow_enough(args, &schema)?;
    let owner = Home::open(&args.home.home)?.identity()?.peer();
    let net = args.model.as_ref().map_or_else(|| MODEL.to_owned(), ToString::to_string);
    let model = ModelSpec { net, loss: schema.usual_loss().to_owned(), layout: None };
    let mut definition = Definition::new(&name_of(args), model, schema).map_err(peerlearn::NodeError::Task)?;
    definition.owners = vec![owner];
    let join = match args.join {
        JoinChoice::Open => Join::Open,
        JoinChoice::Invited => Join::Invited,
        JoinChoice::Approved => Join::Approved,
    };
    let about = About { title: definition.name.clone(), row: example(&definition.schema), ..About::default() };
    let charter = Charter { about, access: Access { join }, defaults: advice(rows), ..Charter::default() };
    let document = Document { definition, charter };
    let failed = |source| CliError::File { action: "write", path: args.to.clone(), source };
    let file = std::fs::OpenOptions::new().write(true).create_new(true).open(&args.to);
    file.and_then(|mut file| file.write_all(write(&document).as_bytes())).map_err(failed)?;
    super::show(&screen::task(&document))?;
    tell_next(args, &document);
    Ok(Exit::Done)
}

/// Whether a task with so many columns can travel.
fn narrow_enough(args: &NewArgs, schema: &Schema) -> Result<(), CliError> {
    let bytes = schema.columns.iter().map(|(name, column)| {
        let values: usize = column.values.iter().map(|value| value.len() + 3).sum();
        name.len() + values + COLUMN_BYTES
    });
    if bytes.sum::<usize>() <= MAX_BYTES {
        return Ok(());
    }
    let path = args.file.as_deref().unwrap_or(Path::new("-")).display().to_string();
    let words = format!(
        "{} columns with names, types and values are more than a task of {} KiB can hold, which every peer keeps",
        schema.columns.len(),
        MAX_BYTES >> 10
    );
    let mend = "name those to learn from, some two thousand at most: --columns NAME,NAME,…; or make fewer of them (sums, principal \
         components) before";
    let finding = Finding::new(Severity::Error, "too-wide", "", words).mended_by(mend);
    Err(CliError::Unfit { path, findings: format!("  {finding}\n") })
}

fn tell_next(args: &NewArgs, document: &Document) {
    let (to, home) = (args.to.display(), args.home.home.display());
    let data = args.file.as_ref().map_or(String::new(), |file| format!(" --data {}", file.display()));
    super::tell(&format!("wrote {to}; read it, edit it, then: peerlearn run --task {to}{data}"));
    if !document.definition.schema.columns.is_empty() && !args.no_numbers {
        super::tell(
            "mean and deviation of your number columns, rounded, are in it: they go to whoever gets the ticket (--no-numbers leaves them out)",
        );
    }
    super::tell(&format!(
        "its owner is the key in {home}; whoever loses it can go on learning, but no longer invite or upgrade"
    ));
}

/// What a peer is advised to train with. On few rows a perceptron learns single rows by heart: FLamby's hearts, 486 rows, come to
/// 73 % without weight decay and to 80 % with this one, which is what logistic regression gets.
fn advice(rows: u64) -> BTreeMap<String, Real> {
    let decay = Real::new(FEW_ROWS_DECAY).filter(|_| rows < FEW_ROWS);
    decay.map(|decay| ("weight_decay".to_owned(), decay)).into_iter().collect()
}

/// The schema that the data propose, and how many rows they have.
fn schema(args: &NewArgs, config: &DataConfig) -> Result<(Schema, u64), CliError> {
    let data = |error| CliError::Node(peerlearn::NodeError::Data(error));
    let Some(shown) = &args.file else {
        let (train, _) = digits().map_err(data)?;
        return Ok((Schema::array(train.input, 16.0, train.classes), train.labels.len() as u64));
    };
    // What comes through a pipe lies elsewhere now.
    let path = Path::new(&config.source);
    if arrays::kind_of(path).is_some() {
        let image = args.size.map(|size| arrays::Geometry { size, ..arrays::Geometry::default() });
        let config =
            DataConfig { source: path.display().to_string(), image: image.or(config.image.clone()), ..config.clone() };
        let source = read(&config, None, &[]).map_err(data)?;
        source.understood.iter().chain(&source.notes).for_each(|note| super::tell(note));
        return Ok((source.preprocessing.schema, source.train.labels.len() as u64));
    }
    let survey = Survey::of(path, &config.dialect).map_err(data)?;
    super::show(&format!(
        "{}: {} rows, {} columns\n  read as {}\n{}",
        shown.display(),
        survey.rows,
        survey.columns.len(),
        survey.understood,
        screen::columns(&survey)
    ))?;
    let wishes = Wishes {
        label: args.label.clone().or_else(|| (!config.label.is_empty()).then(|| config.label.clone())),
        columns: args.columns.clone(),
        classes: config.classes.clone(),
        number: args.output.map(|output| output == OutputChoice::Number),
        without_numbers: args.no_numbers,
    };
    let refused =
        |finding: Finding| CliError::Unfit { path: shown.display().to_string(), findings: format!("  {finding}\n") };
    let mut proposal = propose(&survey, &wishes).map_err(refused)?;
    for finding in &proposal.findings {
        super::show(&format!("  {finding}\n"))?;
    }
    if let Some(file) = &args.schema {
        proposal.schema = with_table_schema(file, proposal.schema)?;
    }
    Ok((proposal.schema, survey.rows))
}

/// Columns as a Table Schema has them; numbers to scale by from the file where it has the column.
fn with_table_schema(path: &Path, proposed: Schema) -> Result<Schema, CliError> {
    let failed = |source| CliError::File { action: "read", path: path.to_owned(), source };
    let text = std::fs::read_to_string(path).map_err(failed)?;
    let json = serde_json::from_str(&text).map_err(|source| CliError::Json { source })?;
    let mut columns = BTreeMap::new();
    for (name, mut column) in from_table_schema(&json).map_err(peerlearn::NodeError::Task)? {
        if name == proposed.output.column {
            continue;
        }
        if let Some(same) = proposed.columns.get(&name) {
            column.missing = same.missing.clone();
            if column.kind.is_numeric() {
                (column.mean, column.sd) = (same.mean, same.sd);
            }
        }
        columns.insert(name, column);
    }
    Ok(Schema { columns, ..proposed })
}

/// A name that a task may have, from that of the file.
fn name_of(args: &NewArgs) -> String {
    let stem = || {
        let file = args.file.as_deref()?.file_name()?.to_str()?;
        Some(file.split('.').find(|part| !part.is_empty())?.to_owned())
    };
    let usual = if args.file.is_some() { "table" } else { "digits" };
    let stem = || stem().filter(|stem| stem != "-");
    let name = args.name.clone().or_else(stem).unwrap_or_else(|| usual.to_owned());
    let fits = |character: char| if character.is_ascii_graphic() { character } else { '-' };
    name.chars().map(fits).take(64).collect()
}

/// A made-up row: means, and the first of listed values. Never a row of the file.
fn example(schema: &Schema) -> BTreeMap<String, String> {
    let cell = |column: &peerlearn::task::Column| match (column.values.first(), column.mean) {
        (Some(value), _) => value.clone(),
        (None, Some(mean)) => mean.to_string(),
        (None, None) => "0".to_owned(),
    };
    schema.columns.iter().take(20).map(|(name, column)| (name.clone(), cell(column))).collect()
}
