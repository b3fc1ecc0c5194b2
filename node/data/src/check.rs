//! A file against a task: everything that fits, does not fit or should be known, before anything is learnt from it.

mod units;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use peerlearn_task::{ColumnType, OutputKind, Real, Schema};

use super::encode::{Answer, Believed, Encoder, Tally};
use super::finding::{Finding, Severity};
use super::load::Known;
use super::mapping::{Labels, MappedColumn, Mapping, map_columns};
use super::records::{Row, open};
use super::survey::{Guess, Survey};
use super::table::{Unknown, note_unknown};
use super::{DataConfig, DataError};

/// Errors of one column that are told one by one.
const TOLD: u64 = 5;

/// A file against a task.
#[derive(Debug)]
pub struct Check {
    /// What the file holds.
    pub survey: Survey,
    /// Which column is which; `None` where some are missing.
    pub mapping: Option<Mapping>,
    /// What was done to its cells; `None` where columns are missing.
    pub tally: Option<Tally>,
    /// What should be known, the gravest first.
    pub findings: Vec<Finding>,
    /// The first row that is learnt from: for each column its name in the task and the cell, the answer last.
    pub first: Vec<(String, String)>,
}

impl Check {
    /// Whether the file can be learnt from.
    pub fn is_fit(&self) -> bool {
        self.findings.iter().all(|finding| finding.severity != Severity::Error)
    }

    /// Whether something was guessed that somebody should confirm.
    pub fn has_questions(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity == Severity::Question)
    }
}

/// Looks at a whole table.
///
/// # Errors
/// The file cannot be read at all.
pub fn check(path: &Path, config: &DataConfig, known: Known<'_>) -> Result<Check, DataError> {
    let survey = Survey::of(path, &config.dialect)?;
    let header: Vec<String> = survey.columns.iter().map(|column| column.name.clone()).collect();
    let schema = &known.preprocessing.schema;
    let label = (!config.label.is_empty()).then_some(config.label.as_str());
    let mut check = Check { survey, mapping: None, tally: None, findings: Vec::new(), first: Vec::new() };
    match map_columns(schema, known.charter, &config.map, &header, Labels::Wanted(label)) {
        Err(findings) => check.findings = findings,
        Ok(mapping) => {
            check.findings = units::findings(&check.survey, &mapping, known);
            unused(&check.survey, &mapping, &mut check.findings);
            words(&check.survey, &mapping, &mut check.findings);
            labels(&check.survey, &mapping, schema, &mut check.findings);
            cells(path, config, known, &mapping, &mut check)?;
            check.mapping = Some(mapping);
        }
    }
    check.findings.sort_by_key(|finding| finding.severity);
    Ok(check)
}

/// What lies in columns that are not used.
fn unused(survey: &Survey, mapping: &Mapping, findings: &mut Vec<Finding>) {
    for column in mapping.unused.iter().filter_map(|name| survey.column(name)) {
        if column.guess() == Guess::Index {
            findings.push(Finding::new(Severity::Warning, "index", &column.name, "it only numbers the rows; not used"));
        }
    }
    let Some(label) = &mapping.label else { return };
    for leak in survey.leaks(&label.name) {
        let used = if mapping.unused.contains(&leak.column) { "not used by the task" } else { "used by the task" };
        let words = format!(
            "it tells {} in {:.0} % of rows ({used}); is it known before the answer is?",
            label.name,
            leak.share * 100.0
        );
        findings.push(Finding::new(Severity::Warning, "leak", &leak.column, words));
    }
}

/// Words of the user's map that are nowhere in the file: mistyped, or of another file.
fn words(survey: &Survey, mapping: &Mapping, findings: &mut Vec<Finding>) {
    for source in mapping.sources.iter().chain(&mapping.label) {
        let Some(values) = survey.column(&source.name).and_then(|column| column.values.as_ref()) else { continue };
        let fold =
            |word: &str| super::records::number(word, false).map_or(word.to_lowercase(), |value| value.to_string());
        let there: BTreeSet<String> = values.keys().map(|word| fold(word)).collect();
        for word in source.entry.values.keys().chain(&source.entry.drop).filter(|word| !there.contains(&fold(word))) {
            let some = values.keys().take(20).cloned().collect::<Vec<_>>().join(", ");
            let words = format!("data.map speaks of {word:?}, and no row of {:?} has it; it has {some}", source.name);
            findings.push(Finding::new(Severity::Warning, "map", &source.column, words));
        }
    }
}

/// Classes that the file lacks, or has much more of than of others.
fn labels(survey: &Survey, mapping: &Mapping, schema: &Schema, findings: &mut Vec<Finding>) {
    let Some(column) = mapping.label.as_ref().and_then(|label| survey.column(&label.name)) else { return };
    if schema.output.kind != OutputKind::Classes {
        return;
    }
    let values = column.by_frequency();
    if let Some((most, count)) = values.first() {
        let share = *count as f64 / column.count.max(1) as f64;
        if share * schema.classes().len() as f64 > 1.5 {
            let words = format!(
                "{most} is {:.1} % of the rows: accuracy alone flatters; balanced accuracy is shown beside it",
                share * 100.0
            );
            findings.push(Finding::new(Severity::Warning, "imbalance", &column.name, words));
        }
    }
    if values.len() < schema.classes().len() {
        let words = format!(
            "the file has {} of the task's {} classes; accuracy on the others cannot be measured here",
            values.len(),
            schema.classes().len()
        );
        findings.push(Finding::new(Severity::Warning, "classes", &column.name, words));
    }
}

/// Reads every cell as learning would, and collects what is wrong instead of stopping.
fn cells(
    path: &Path,
    config: &DataConfig,
    known: Known<'_>,
    mapping: &Mapping,
    check: &mut Check,
) -> Result<(), DataError> {
    let (mut rows, _) = open(path, &config.dialect)?;
    let mut encoder = Encoder::new(&known.preprocessing.schema, known.charter, &known.preprocessing.numbers, mapping);
    let (mut row, mut inputs) = (Row::new(), Vec::new());
    let mut wrong: BTreeMap<String, u64> = BTreeMap::new();
    let mut unknown = Unknown::new();
    while rows.read(&mut row)? {
        encoder.tally.rows += 1;
        inputs.clear();
        let answer = encoder.answer(&row);
        let believed = encoder.inputs(&row, &mut inputs);
        match (answer, believed) {
            (Err(error), _) | (_, Err(error)) => {
                let count = wrong.entry(error.column.clone()).or_default();
                *count += 1;
                if *count <= TOLD {
                    let got = error.got.map_or_else(|| "nothing".to_owned(), |got| format!("{got:?}"));
                    let words = format!("line {}: got {got}, expected {}", row.line(), error.expected);
                    check
                        .findings
                        .push(Finding::new(Severity::Error, "type-error", &error.column, words).mended_by(error.mend));
                }
            }
            (Ok(Answer::None), _) => encoder.tally.no_label += 1,
            (Ok(Answer::Dropped), _) => encoder.tally.dropped += 1,
            (Ok(Answer::Unknown(word)), _) => note_unknown(&mut unknown, word, row.line()),
            (Ok(Answer::Is(_)), Ok(Believed::No)) => {}
            (Ok(Answer::Is(_)), Ok(Believed::Yes)) => {
                if encoder.tally.learnt == 0 {
                    check.first = first_row(mapping, &row);
                }
                encoder.tally.learnt += 1;
            }
        }
    }
    for (column, count) in wrong.into_iter().filter(|(_, count)| *count > TOLD) {
        let words = format!("and {} lines more", count - TOLD);
        check.findings.push(Finding::new(Severity::Error, "type-error", &column, words));
    }
    let name = &known.preprocessing.schema.output.column;
    for (word, (count, line)) in unknown.iter().take(TOLD as usize) {
        let words = format!("{word:?} in {count} rows, first in line {line}, is no class of the task");
        let mend = format!(
            "--map '{name}:CLASS={word}' if it is another word for one, --map '{name}!{word}' to leave such rows out"
        );
        check.findings.push(Finding::new(Severity::Error, "constraint-error", name, words).mended_by(mend));
    }
    if encoder.tally.learnt == 0 {
        check.findings.push(Finding::new(Severity::Error, "no-rows", "", "no row can be learnt from"));
    }
    let said = encoder.tally.sentences();
    check.findings.extend(said.into_iter().map(|words| Finding::new(Severity::Warning, "cells", "", words)));
    check.tally = Some(encoder.tally);
    Ok(())
}

fn first_row(mapping: &Mapping, row: &Row) -> Vec<(String, String)> {
    let cell = |source: &MappedColumn| {
        let word = source.place.and_then(|place| super::survey::word(row.cell(place)));
        (source.column.clone(), word.unwrap_or_else(|| "missing".to_owned()).chars().take(20).collect())
    };
    mapping.sources.iter().chain(&mapping.label).map(cell).collect()
}

/// What people read of a column of the task: mean and deviation, or how many values.
pub fn expected(known: Known<'_>, column: &str) -> String {
    let schema = &known.preprocessing.schema;
    let Some(described) = schema.columns.get(column) else {
        return match schema.output.kind {
            OutputKind::Classes => format!("{} classes", schema.classes().len()),
            OutputKind::Number => {
                let number = |number: Option<Real>| number.map_or_else(|| "?".to_owned(), |number| short(number.get()));
                format!("{} +- {}", number(schema.output.mean), number(schema.output.sd))
            }
        };
    };
    match described.kind {
        ColumnType::Boolean => "yes or no".to_owned(),
        ColumnType::Category => format!("{} values", described.values.len()),
        _ => {
            let scale = known.preprocessing.numbers.of(column);
            format!("{} +- {}", short(scale.mean), short(scale.sd))
        }
    }
}

/// A number in few digits.
pub fn short(value: f64) -> String {
    let digits = if value == 0.0 { 0 } else { (2 - value.abs().log10().floor() as i32).clamp(0, 6) };
    match value.abs() {
        size if size != 0.0 && !(1e-4..1e7).contains(&size) => format!("{value:.2e}"),
        _ => {
            let text = format!("{value:.*}", digits as usize);
            if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
        }
    }
}
