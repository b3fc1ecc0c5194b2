//! From what a file holds to the schema of a task: what `peerlearn new` proposes, for people to review.

use std::collections::BTreeMap;

use peerlearn_task::{Column, ColumnType, Invalid, Missing, Moments, Output, Real, Schema, in_order};

use super::finding::{Finding, Severity};
use super::survey::{ColumnSurvey, Guess, Survey};

/// Names that a label column often has.
const LABELS: [&str; 12] = [
    "label",
    "class",
    "target",
    "y",
    "outcome",
    "diagnosis",
    "species",
    "category",
    "labels",
    "result",
    "num",
    "quality",
];
/// Most different whole numbers that are taken for classes.
const MAX_NUMBER_CLASSES: usize = 30;
/// Share of missing values from which on an input of its own says where they are missing.
const OFTEN_MISSING: f64 = 0.05;

/// What the user says instead of leaving it to a guess.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Wishes {
    /// The label column.
    pub label: Option<String>,
    /// The columns to learn from; empty is all that can be.
    pub columns: Vec<String>,
    /// All classes; empty is those of the file.
    pub classes: Vec<String>,
    /// Whether the answer is a number; `None` leaves it to a guess.
    pub number: Option<bool>,
    /// Whether means and deviations of the file are left out.
    pub without_numbers: bool,
}

/// A schema for a file, and what is noteworthy about it.
#[derive(Debug, Clone)]
pub struct Proposal {
    /// The schema.
    pub schema: Schema,
    /// What is noteworthy, the gravest first.
    pub findings: Vec<Finding>,
}

/// Proposes a schema.
///
/// # Errors
/// There is no label, or no column to learn from; the finding says why.
pub fn propose(survey: &Survey, wishes: &Wishes) -> Result<Proposal, Finding> {
    let mut findings = Vec::new();
    let label = label_of(survey, wishes, &mut findings)?;
    let output = output_of(label, wishes, &mut findings)?;
    let mut columns = BTreeMap::new();
    for column in survey.columns.iter().filter(|column| column.name != label.name) {
        let wanted = wishes.columns.contains(&column.name);
        if !wishes.columns.is_empty() && !wanted {
            continue;
        }
        match column_of(column, wishes, wanted) {
            Ok((proposed, note)) => {
                findings.extend(note);
                columns.insert(column.name.clone(), proposed);
            }
            Err(note) => findings.push(note),
        }
    }
    if let Some(name) = wishes.columns.iter().find(|name| survey.column(name).is_none()) {
        let words = format!("the file has no such column; it has {}", listed(survey));
        return Err(Finding::new(Severity::Error, "missing-label", name, words).mended_by("see data.columns"));
    }
    if columns.is_empty() {
        let why = findings.iter().map(ToString::to_string).collect::<Vec<_>>().join(" | ");
        return Err(Finding::new(
            Severity::Error,
            "no-columns",
            "",
            format!("there is no column to learn from: {why}"),
        ));
    }
    for leak in survey.leaks(&label.name).into_iter().filter(|leak| columns.contains_key(&leak.column)) {
        let words = format!(
            "it tells {} in {:.0} % of rows; is it known before the answer is?",
            label.name,
            leak.share * 100.0
        );
        let mend = format!("leave it out with data.columns, or delete its line in task.toml: {}", leak.column);
        findings.push(Finding::new(Severity::Warning, "leak", &leak.column, words).mended_by(mend));
    }
    findings.sort_by_key(|finding| finding.severity);
    Ok(Proposal { schema: Schema::table(columns, output), findings })
}

/// Names of columns, for messages.
pub(super) fn listed(survey: &Survey) -> String {
    survey.columns.iter().take(20).map(|column| column.name.as_str()).collect::<Vec<_>>().join(", ")
}

fn label_of<'a>(survey: &'a Survey, wishes: &Wishes, findings: &mut Vec<Finding>) -> Result<&'a ColumnSurvey, Finding> {
    if let Some(name) = &wishes.label {
        return survey.column(name).ok_or_else(|| {
            let words = format!("the file has no such column; it has {}", listed(survey));
            Finding::new(Severity::Error, "missing-label", name, words)
                .mended_by("name the label column with --label, or data.label in the settings")
        });
    }
    let named = LABELS.iter().find_map(|name| survey.columns.iter().find(|column| column.name.to_lowercase() == *name));
    let last = survey.columns.last();
    let guessed =
        named.or(last).ok_or_else(|| Finding::new(Severity::Error, "no-columns", "", "the file has no columns"))?;
    let why = if named.is_some() { "by its name" } else { "as it is the last column" };
    findings.push(
        Finding::new(Severity::Question, "label", &guessed.name, format!("taken for the label {why}"))
            .mended_by("say another with --label"),
    );
    Ok(guessed)
}

fn output_of(label: &ColumnSurvey, wishes: &Wishes, findings: &mut Vec<Finding>) -> Result<Output, Finding> {
    let wrong = |words: String| Finding::new(Severity::Error, "label", &label.name, words);
    if label.missing > 0 {
        let words = format!(
            "{} rows have no label (the first in line {}); they are not learnt from",
            label.missing,
            label.first_missing.unwrap_or(0)
        );
        findings.push(Finding::new(Severity::Warning, "missing-cell", &label.name, words));
    }
    let distinct = label.distinct();
    let is_number = label.numbers == label.count && label.count > 0;
    let many = distinct.is_none_or(|distinct| distinct > MAX_NUMBER_CLASSES) || label.integers < label.numbers;
    let number = wishes.number.unwrap_or(is_number && many && wishes.classes.is_empty());
    if number {
        if !is_number {
            let (line, text) = label.first_word.clone().unwrap_or_default();
            return Err(wrong(format!("line {line} has {text:?}, which is no number")));
        }
        if wishes.number.is_none() {
            let words = "a number: its value is predicted (regression), not a class";
            findings.push(
                Finding::new(Severity::Warning, "regression", &label.name, words)
                    .mended_by("if its values are classes, list them in data.classes"),
            );
        }
        let numbers = label.moments.rounded().filter(|_| label.moments.sd() > 0.0);
        let (mean, sd) = numbers.ok_or_else(|| wrong("all its values are the same".to_owned()))?;
        return Ok(Output::number(&label.name, mean, sd));
    }
    let declared = !wishes.classes.is_empty();
    let values = match (&label.values, declared) {
        (_, true) => wishes.classes.clone(),
        (Some(values), false) => values.keys().cloned().collect(),
        (None, false) => return Err(wrong("it has too many different values to be classes".to_owned())),
    };
    let values = in_order(values);
    if values.len() < 2 {
        let words = format!("it has {} different values; 2 or more are needed", values.len());
        return Err(wrong(words).mended_by("where your own rows lack classes, list all of them in data.classes"));
    }
    if !declared {
        imbalance(label, findings);
        let rare = label.count as usize / values.len().max(1);
        if rare < 5 && values.len() > 5 {
            let words = format!("{} different values in {} rows: about {rare} rows a class", values.len(), label.count);
            findings.push(Finding::new(Severity::Warning, "many-classes", &label.name, words));
        }
    }
    Ok(Output::classes(&label.name, values))
}

/// Says when accuracy alone would flatter.
fn imbalance(label: &ColumnSurvey, findings: &mut Vec<Finding>) {
    let values = label.by_frequency();
    let (Some(most), Some(least)) = (values.first(), values.last()) else { return };
    let share = most.1 as f64 / label.count.max(1) as f64;
    if share * values.len() as f64 > 1.5 {
        let even = label.count as f64 / values.len() as f64;
        let weights: Vec<String> =
            values.iter().take(8).map(|(class, count)| format!("{class} = {:.2}", even / *count as f64)).collect();
        let words = format!(
            "{} is {:.1} % of the rows, {} {:.1} %: balanced accuracy is shown beside accuracy",
            most.0,
            share * 100.0,
            least.0,
            least.1 as f64 / label.count as f64 * 100.0
        );
        let mend = format!("for equal say of all classes: [output] weights = {{ {} }}", weights.join(", "));
        findings.push(Finding::new(Severity::Warning, "imbalance", &label.name, words).mended_by(mend));
    }
}

/// The column as a schema has it, or why it is left out. A column that is asked for by name is taken if it can be.
fn column_of(survey: &ColumnSurvey, wishes: &Wishes, wanted: bool) -> Result<(Column, Option<Finding>), Finding> {
    let name = &survey.name;
    let out = |code, words: &str| Err(Finding::new(Severity::Warning, code, name, words.to_owned()));
    if survey.nameless && !wanted {
        let words = "a column without a name is not used: most often it numbers the rows, which tells the label where rows are sorted by it";
        return out("blank-label", words);
    }
    let missing = survey.missing as f64 / (survey.missing + survey.count).max(1) as f64;
    let often = missing > OFTEN_MISSING;
    let number = |kind, moments: &Moments| {
        let mut column = Column::new(kind);
        if let Some((mean, sd)) = moments.rounded().filter(|_| !wishes.without_numbers) {
            (column.mean, column.sd) = (Some(mean), Some(sd));
        }
        column.missing = match survey.missing {
            0 => Missing::Refuse,
            _ if often => Missing::MeanAndFlag,
            _ => Missing::Mean,
        };
        column
    };
    let word = |kind| {
        let mut column = Column::new(kind);
        column.missing = if survey.missing > 0 { Missing::Own } else { Missing::Refuse };
        column
    };
    match survey.guess() {
        Guess::Empty => out("empty", "no cell has a value; not used"),
        Guess::Index if !wanted => out("index", "it only numbers the rows; not used"),
        Guess::Constant if !wanted => out("constant", "all its values are the same; not used"),
        Guess::Text => out("text", "it has many different words, or numbers and words mixed; not used"),
        Guess::Boolean => Ok((word(ColumnType::Boolean), None)),
        Guess::Date => Ok((number(ColumnType::Date, &survey.moments), None)),
        Guess::Category => {
            let mut column = word(ColumnType::Category);
            column.values = in_order(survey.by_frequency().into_iter().map(|(value, _)| value).collect());
            Ok((column, None))
        }
        Guess::Constant if survey.numbers < survey.count => out("constant", "all its values are the same; not used"),
        _ if survey.numbers < survey.count => {
            let mut column = number(ColumnType::Number, &survey.moments);
            column.invalid = Invalid::Missing;
            if column.missing == Missing::Refuse {
                column.missing = Missing::Mean;
            }
            let (line, text) = survey.first_word.clone().unwrap_or_default();
            let words = format!(
                "numbers, but {} cells are words (line {line}: {text:?}); those are taken as missing",
                survey.count - survey.numbers
            );
            let finding = Finding::new(Severity::Warning, "type-error", name, words);
            Ok((column, Some(finding.mended_by("if that word means a missing value, list it in data.dialect.missing"))))
        }
        _ => {
            let kind = if survey.integers == survey.count { ColumnType::Integer } else { ColumnType::Number };
            let numbers_rows = survey.counts_up && survey.count > 2;
            let words = "every value is the one before and 1: does it number the rows?";
            let finding = numbers_rows.then(|| Finding::new(Severity::Warning, "index", name, words));
            Ok((number(kind, &survey.moments), finding))
        }
    }
}

/// Scales every number of a schema alike, whatever the file: `x / by`.
pub(super) fn scale_alike(schema: &mut Schema, by: f64) {
    for column in schema.columns.values_mut().filter(|column| column.kind.is_numeric()) {
        (column.mean, column.sd) = (Real::new(0.0), Real::new(by));
        column.outlier = peerlearn_task::Outlier::AsIs;
    }
}
