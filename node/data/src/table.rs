//! Tables of any format: from a file and a schema to rows that can be learnt from.

use std::collections::BTreeMap;
use std::path::Path;

use peerlearn_task::{Charter, FrameRule, Numbers, OutputKind, Schema, in_order};

use super::doubt::UnitDoubts;
use super::encode::{Answer, Believed, CellError, Encoder, Target};
use super::error::WrongCell;
use super::finding::{Finding, Severity};
use super::mapping::{Labels, Mapping, map_columns};
use super::propose::{Wishes, propose, scale_alike};
use super::raw::Raw;
use super::records::{Row, open};
use super::store::Sink;
use super::store::cache::{Beside, Found, Place};
use super::survey::{Survey, word};
use super::{DataConfig, DataError, Scaling};

/// Words that are no class which are named in a refusal.
const NAMED: usize = 5;
/// Different ones that are counted.
const MOST_UNKNOWN: usize = 10_000;

/// A table as it was read, for a model.
#[derive(Debug)]
pub(super) struct TableRows {
    /// The rows, scaled.
    pub rows: Raw,
    /// The words of the columns that were asked for beside, `[columns][rows]`.
    pub words: Vec<Vec<String>>,
    /// What somebody should know.
    pub notes: Vec<String>,
    /// What the reader made of the file.
    pub understood: String,
}

/// What a table is read by.
pub(super) struct Reading<'a> {
    /// What goes in and comes out.
    pub schema: &'a Schema,
    /// Aliases and plausible ranges.
    pub charter: &'a Charter,
    /// What columns are scaled by.
    pub numbers: &'a Numbers,
    /// Where the user's file differs.
    pub config: &'a DataConfig,
    /// Columns whose words are wanted beside.
    pub beside: &'a [String],
}

/// The schema that a file proposes by itself, where no task says one; scaled as the settings say.
///
/// # Errors
/// The file cannot be read, or has no label or nothing to learn from.
pub(super) fn schema_of(
    path: &Path,
    test: Option<&Path>,
    config: &DataConfig,
) -> Result<(Schema, Vec<Finding>), DataError> {
    let survey = Survey::of(path, &config.dialect)?;
    let label = if config.label.is_empty() { "label" } else { &config.label };
    if survey.column(label).is_none() {
        return Err(DataError::NoLabel {
            path: path.to_owned(),
            label: label.to_owned(),
            columns: super::propose::listed(&survey),
            hint: header_hint(&survey),
        });
    }
    let mut wishes = Wishes {
        label: Some(label.to_owned()),
        columns: config.columns.clone(),
        classes: config.classes.clone(),
        ..Wishes::default()
    };
    let refused = |finding: Finding| DataError::File { path: path.to_owned(), reason: finding.to_string() };
    let mut proposal = propose(&survey, &wishes).map_err(refused)?;
    if let (Some(test), true, OutputKind::Classes) = (test, wishes.classes.is_empty(), proposal.schema.output.kind) {
        // A class may be in the rows to measure on only.
        let measured = Survey::of(test, &config.dialect)?;
        let more = measured.column(label).and_then(|column| column.values.as_ref()).into_iter().flatten();
        wishes.classes =
            proposal.schema.output.values.iter().cloned().chain(more.map(|(class, _)| class.clone())).collect();
        wishes.classes.sort();
        wishes.classes.dedup();
        proposal.schema.output.values = in_order(wishes.classes);
    }
    let schema = &mut proposal.schema;
    match config.scaling {
        Scaling::Auto => {}
        Scaling::None => scale_alike(schema, 1.0),
        Scaling::Unit(by) => scale_alike(schema, f64::from(by)),
        Scaling::Standard => {
            schema.frame.rule = FrameRule::PerPeer;
            schema.columns.values_mut().for_each(|column| (column.mean, column.sd) = (None, None));
        }
    }
    Ok((proposal.schema, proposal.findings))
}

/// What to say where a label is not found in a file without a header.
fn header_hint(survey: &Survey) -> String {
    let last = survey.columns.last().map_or("", |column| column.name.as_str());
    match survey.understood.header {
        true => String::new(),
        false => format!(
            "; the file has no header: say which column it is (--label {last}), name all of them in data.dialect.names, or set \
             data.dialect.header = true if the first line does name them"
        ),
    }
}

/// Reads the rows of a table that can be learnt from or measured on.
///
/// # Errors
/// The file cannot be read, lacks columns, or holds what the task refuses; with line, column, what is there and what mends it.
pub(super) fn read(path: &Path, how: &Reading<'_>, labels: Labels<'_>) -> Result<TableRows, DataError> {
    let folder = (!how.config.cache.is_empty()).then(|| Path::new(&how.config.cache));
    // Words of other columns are not kept there, and standard input cannot be told from another.
    let is_kept = how.beside.is_empty() && path != Path::new("-");
    let place = match (folder.filter(|_| is_kept), labels) {
        (Some(folder), Labels::Wanted(label)) => Place::of(folder, path, how, label),
        _ => None,
    };
    let found = place.as_ref().map_or(Ok(None), |place| place.find(how.schema.slots().len()));
    let damaged = match found {
        Ok(Some(found)) => return Ok(kept(found, how.schema)),
        Ok(None) => None,
        Err(reason) => Some(format!("the encoded rows of an earlier start were damaged ({reason}) and are made anew")),
    };
    if let (Some(folder), None) = (folder, &place) {
        std::fs::create_dir_all(folder).map_err(|source| DataError::Store { path: folder.to_owned(), source })?;
    }
    let sink = Sink::new(how.schema.slots().len(), how.config.memory.saturating_mul(1 << 20), place.as_ref(), folder);
    let mut rows = encoded(path, how, labels, sink)?;
    rows.notes.extend(damaged);
    Ok(rows)
}

/// Rows that were encoded at an earlier start.
fn kept(found: Found, schema: &Schema) -> TableRows {
    let Found { features, labels, targets, notes, understood } = found;
    let rows = Raw { input: schema.shape(), classes: schema.classes().to_vec(), features, labels, targets };
    TableRows { rows, words: Vec::new(), notes, understood }
}

/// Reads and encodes the whole table.
fn encoded(path: &Path, how: &Reading<'_>, labels: Labels<'_>, sink: Sink<'_>) -> Result<TableRows, DataError> {
    let (mut rows, understood) = open(path, &how.config.dialect)?;
    let header = rows.columns().to_vec();
    let mapping = mapped(path, how, &header, labels)?;
    let beside = places(path, &header, how.beside)?;
    let mut doubts = (!matches!(labels, Labels::Wanted(_))).then(|| doubts(how, &mapping));
    let mut encoder = Encoder::new(how.schema, how.charter, how.numbers, &mapping);
    let mut read = Rows::new(beside.len(), sink);
    let mut row = Row::new();
    while rows.read(&mut row)? {
        encoder.tally.rows += 1;
        doubts.iter_mut().for_each(|doubts| doubts.see(&row));
        let wrong = |error: CellError| cell_error(rows.file(), row.line(), error);
        let answer = match labels {
            Labels::Ignored => Answer::Is(Target::Class(0)),
            _ => encoder.answer(&row).map_err(wrong)?,
        };
        let target = match answer {
            Answer::Is(target) => target,
            Answer::None => {
                encoder.tally.no_label += 1;
                continue;
            }
            Answer::Dropped => {
                encoder.tally.dropped += 1;
                continue;
            }
            Answer::Unknown(word) => {
                note_unknown(&mut read.unknown, word, row.line());
                continue;
            }
        };
        if encoder.inputs(&row, &mut read.features.buffer).map_err(wrong)? == Believed::No {
            continue;
        }
        encoder.tally.learnt += 1;
        read.push(target, &row, &beside)?;
    }
    let mut said = doubts.map_or(Ok(Vec::new()), |doubts| settled(path, doubts))?;
    if !read.unknown.is_empty() {
        return Err(unknown_classes(path, how.schema, &mapping, &read.unknown));
    }
    if encoder.tally.learnt == 0 {
        let why = encoder.tally.sentences().join("; ");
        let reason = if why.is_empty() {
            "it has a header but no rows".to_owned()
        } else {
            format!("no row is left to learn from: {why}")
        };
        return Err(DataError::File { path: path.to_owned(), reason });
    }
    said.extend(encoder.tally.sentences());
    read.finish(how.schema, said, understood.to_string())
}

fn doubts(how: &Reading<'_>, mapping: &Mapping) -> UnitDoubts {
    UnitDoubts::of(how.schema, how.charter, how.numbers, mapping)
}

/// What is to be said of units where none is in doubt.
fn settled(path: &Path, doubts: UnitDoubts) -> Result<Vec<String>, DataError> {
    match doubts.findings() {
        findings if findings.is_empty() => Ok(doubts.notes),
        findings => Err(DataError::Findings { path: path.to_owned(), findings }),
    }
}

fn mapped(path: &Path, how: &Reading<'_>, header: &[String], labels: Labels<'_>) -> Result<Mapping, DataError> {
    map_columns(how.schema, how.charter, &how.config.map, header, labels)
        .map_err(|findings| DataError::Findings { path: path.to_owned(), findings })
}

fn places(path: &Path, header: &[String], names: &[String]) -> Result<Vec<usize>, DataError> {
    let place = |name: &String| {
        header.iter().position(|column| column == name).ok_or_else(|| DataError::File {
            path: path.to_owned(),
            reason: format!("it has no column {name:?}; it has {}", header.join(", ")),
        })
    };
    names.iter().map(place).collect()
}

/// Words that are no class: how often, and the first line.
pub(super) type Unknown = BTreeMap<String, (u64, u64)>;

/// Counts a word that is no class. Of a column that holds something else, not all words are kept.
pub(super) fn note_unknown(unknown: &mut Unknown, word: String, line: u64) {
    if unknown.len() < MOST_UNKNOWN || unknown.contains_key(&word) {
        unknown.entry(word).or_insert((0, line)).0 += 1;
    }
}

/// Rows being read.
struct Rows<'a> {
    features: Sink<'a>,
    labels: Vec<u32>,
    targets: Vec<f32>,
    words: Vec<Vec<String>>,
    unknown: Unknown,
}

impl<'a> Rows<'a> {
    fn new(beside: usize, features: Sink<'a>) -> Self {
        let (labels, targets, words) = (Vec::new(), Vec::new(), vec![Vec::new(); beside]);
        Self { features, labels, targets, words, unknown: BTreeMap::new() }
    }

    fn push(&mut self, target: Target, row: &Row, beside: &[usize]) -> Result<(), DataError> {
        match target {
            Target::Class(class) => self.labels.push(class),
            Target::Number(number) => {
                self.labels.push(0);
                self.targets.push(number);
            }
        }
        for (words, place) in self.words.iter_mut().zip(beside) {
            words.push(word(row.cell(*place)).unwrap_or_default());
        }
        self.features.settle()
    }

    fn finish(self, schema: &Schema, notes: Vec<String>, understood: String) -> Result<TableRows, DataError> {
        let Self { features, labels, targets, words, .. } = self;
        let beside = Beside { labels: &labels, targets: &targets, notes: &notes, understood: &understood };
        let features = features.finish(&beside)?;
        let rows = Raw { input: schema.shape(), classes: schema.classes().to_vec(), features, labels, targets };
        Ok(TableRows { rows, words, notes, understood })
    }
}

fn cell_error(path: &Path, line: u64, error: CellError) -> DataError {
    DataError::Cell(Box::new(WrongCell {
        path: path.to_owned(),
        line,
        column: error.column,
        got: error.got.map_or_else(|| "nothing (the cell is empty or missing)".to_owned(), |got| format!("{got:?}")),
        expected: error.expected,
        mend: if error.mend.is_empty() { String::new() } else { format!("; {}", error.mend) },
    }))
}

/// Labels that are no class of the task: how many, the first lines, and the ways out.
fn unknown_classes(path: &Path, schema: &Schema, mapping: &Mapping, unknown: &Unknown) -> DataError {
    let name = &schema.output.column;
    let told: Vec<String> = unknown
        .iter()
        .take(NAMED)
        .map(|(word, (count, line))| format!("{word:?} in {count} rows, first in line {line}"))
        .collect();
    let more = if unknown.len() > NAMED {
        format!(
            " and {} other words{}",
            unknown.len() - NAMED,
            if unknown.len() == MOST_UNKNOWN { " or more" } else { "" }
        )
    } else {
        String::new()
    };
    let classes: Vec<&str> = schema.classes().iter().take(30).map(String::as_str).collect();
    let first = unknown.keys().next().cloned().unwrap_or_default();
    let theirs = mapping.label.as_ref().map_or("", |label| label.name.as_str());
    let words = format!(
        "label column {theirs:?} holds {}{more}; the task's classes are {}",
        told.join("; "),
        classes.join(", ")
    );
    let mend = format!(
        "another word for a class: --map '{name}:CLASS={first}'; rows to leave out: --map '{name}!{first}'; a class that the task should have too: ask its owner for it"
    );
    let findings = vec![Finding::new(Severity::Error, "constraint-error", name, words).mended_by(mend)];
    DataError::Findings { path: path.to_owned(), findings }
}

/// The inputs of every row of a file that has the columns; the answer need not be there.
///
/// # Errors
/// As [`read`].
pub(super) fn read_features(path: &Path, how: &Reading<'_>) -> Result<(Vec<f32>, Vec<String>), DataError> {
    let (mut rows, _) = open(path, &how.config.dialect)?;
    let header = rows.columns().to_vec();
    let mapping = mapped(path, how, &header, Labels::Ignored)?;
    let mut doubts = doubts(how, &mapping);
    let mut encoder = Encoder::new(how.schema, how.charter, how.numbers, &mapping);
    let (mut features, mut row) = (Vec::new(), Row::new());
    while rows.read(&mut row)? {
        encoder.tally.rows += 1;
        doubts.see(&row);
        let answer = encoder.inputs(&row, &mut features);
        let believed = answer.map_err(|error| cell_error(rows.file(), row.line(), error))?;
        if believed == Believed::No {
            let reason = "a value is outside the plausible range of the task (checks in task.toml)".to_owned();
            return Err(DataError::Row { path: path.to_owned(), line: row.line(), reason });
        }
    }
    let mut said = settled(path, doubts)?;
    said.extend(encoder.tally.sentences());
    Ok((features, said))
}
