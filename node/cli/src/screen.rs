//! A task, and a file against it, in words.

use std::collections::BTreeMap;
use std::fmt::Write;

use peerlearn::data::{Check, ColumnSurvey, Guess, How, Known, Mapping, Severity, Survey, expected, short};
use peerlearn::task::frame::Voice;
use peerlearn::task::{Document, FrameRule, FrameRules, InputKind, Join, Merge, OutputKind};

/// Findings that are shown, of warnings.
const SHOWN: usize = 12;
/// Width of a list of names.
const WIDTH: usize = 90;

/// A task in words.
pub(super) fn task(document: &Document) -> String {
    let (definition, charter) = (&document.definition, &document.charter);
    let schema = &definition.schema;
    let mut text = format!("{}  task {}\n", definition.name, definition.id().short());
    let mut line = |label: &str, value: String| text.push_str(&format!("  {label:<10} {value}\n"));
    if !charter.about.title.is_empty() {
        line("title", format!("{:?}", charter.about.title));
    }
    if !charter.about.text.is_empty() {
        line("about", charter.about.text.replace('\n', " "));
    }
    let owners: Vec<String> = definition.owners.iter().map(|owner| owner.short()).collect();
    line("owner", if owners.is_empty() { "nobody: fixed for ever".to_owned() } else { owners.join(", ") });
    let input = match schema.kind {
        InputKind::Table => {
            format!("{} columns: {}", schema.columns.len(), cut(&schema.columns.keys().cloned().collect::<Vec<_>>()))
        }
        InputKind::Image => format!("pictures of {:?} (channels, height, width)", schema.shape()),
        InputKind::Array => format!("arrays of {:?}", schema.shape()),
    };
    line("learns from", input);
    let answer = match schema.output.kind {
        OutputKind::Classes => format!("{} classes: {}", schema.classes().len(), cut(schema.classes())),
        OutputKind::Number => {
            format!("a number{}", schema.output.unit.as_ref().map_or(String::new(), |unit| format!(" in {unit}")))
        }
    };
    let column = if schema.output.column.is_empty() { String::new() } else { format!("{}: ", schema.output.column) };
    line("predicts", column + &answer);
    line("model", format!("{}, {}; all of it is shared", definition.model.net, definition.model.loss));
    if schema.kind == InputKind::Table {
        line(
            "scaled by",
            match schema.frame.rule {
                FrameRule::Declared => "the mean and deviation that the task says".to_owned(),
                FrameRule::Agreed => "the task's numbers, improved by those of others".to_owned(),
                FrameRule::PerPeer => "each peer's own rows".to_owned(),
            },
        );
    }
    line(
        "access",
        match charter.access.join {
            Join::Open => "open: anyone who has the ticket".to_owned(),
            Join::Invited => "invited: whoever has an invitation".to_owned(),
            Join::Approved => "approved: whoever an owner lets in".to_owned(),
        },
    );
    text
}

/// Names with commas, cut to a line.
fn cut(names: &[String]) -> String {
    let mut text = String::new();
    for (at, name) in names.iter().enumerate() {
        if text.len() + name.len() > WIDTH {
            let _ = write!(text, " and {} more", names.len() - at);
            break;
        }
        text.push_str(if at == 0 { "" } else { ", " });
        text.push_str(&printable(name));
    }
    text
}

/// A file against a task, in words.
pub(super) fn check(path: &str, check: &Check, known: Known<'_>) -> String {
    let survey = &check.survey;
    let mut text = format!(
        "{path}: {} rows, {} columns\n  read as     {}\n",
        survey.rows,
        survey.columns.len(),
        one_line(&survey.understood.to_string())
    );
    if let Some(mapping) = &check.mapping {
        text.push_str(&mapped(survey, mapping, known));
        if !mapping.unused.is_empty() {
            let _ = writeln!(text, "  unused      {}", cut(&mapping.unused));
        }
    }
    if !check.first.is_empty() {
        let cells: Vec<String> =
            check.first.iter().map(|(column, cell)| format!("{column} {}", printable(cell))).collect();
        let _ = writeln!(text, "  first row   {}", cut(&cells));
    }
    if let Some(tally) = &check.tally {
        let _ = writeln!(text, "  learnt from {} of {} rows", tally.learnt, tally.rows);
    }
    text + &findings(check)
}

fn one_line(text: &str) -> String {
    text.lines().collect::<Vec<_>>().join("; ")
}

/// Findings, the gravest first.
pub(super) fn findings(check: &Check) -> String {
    let mut text = String::new();
    for (severity, heading) in [
        (Severity::Error, "errors, must be mended"),
        (Severity::Question, "questions, please look"),
        (Severity::Warning, "warnings"),
    ] {
        let found: Vec<_> = check.findings.iter().filter(|finding| finding.severity == severity).collect();
        if found.is_empty() {
            continue;
        }
        let _ = writeln!(text, "{heading}: {}", found.len());
        for finding in found.iter().take(SHOWN) {
            let _ = writeln!(text, "  {finding}");
        }
        if found.len() > SHOWN {
            let _ = writeln!(text, "  and {} more (--json shows all)", found.len() - SHOWN);
        }
    }
    text
}

/// One line a column of the task.
fn mapped(survey: &Survey, mapping: &Mapping, known: Known<'_>) -> String {
    let all = || mapping.sources.iter().chain(&mapping.label);
    let widest = |lengths: &mut dyn Iterator<Item = usize>| lengths.max().unwrap_or(6).clamp(6, 30);
    let column = widest(&mut all().map(|source| source.column.chars().count()));
    let name = widest(&mut all().map(|source| source.name.chars().count()));
    let mut text = format!(
        "  {:<column$}  {:<name$}  {:>7}  {:<28}  in the task\n",
        "column", "in file", "missing", "values here"
    );
    for source in all() {
        let how = match source.how {
            How::Name | How::Alike => "",
            How::Alias => " (by alias)",
            How::Map => " (by your map)",
        };
        let (missing, values) = match survey.column(&source.name) {
            Some(column) => (column.missing.to_string(), values(column)),
            None => ("all".to_owned(), "not in the file".to_owned()),
        };
        let unit = source.unit.as_ref().map_or(String::new(), |unit| format!(", here in {unit}"));
        let _ = writeln!(
            text,
            "  {:<column$}  {:<name$}  {missing:>7}  {values:<28}  {}{unit}{how}",
            shortened(&source.column, column),
            shortened(&source.name, name),
            expected(known, &source.column)
        );
    }
    text
}

/// A text from a file, without what could move a terminal's cursor.
pub(super) fn printable(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { '\u{FFFD}' } else { character }).collect()
}

fn shortened(text: &str, width: usize) -> String {
    let text = &*printable(text);
    match text.chars().count() > width {
        true => text.chars().take(width.saturating_sub(1)).chain(['…']).collect(),
        false => text.to_owned(),
    }
}

/// What a column holds, in a few words.
pub(super) fn values(column: &ColumnSurvey) -> String {
    match column.guess() {
        Guess::Empty => "nothing".to_owned(),
        Guess::Integer | Guess::Number | Guess::Index | Guess::Constant if column.numbers > 0 => {
            let (least, most) = (short(column.minimum), short(column.maximum));
            format!("{least}..{most}, mean {}", short(column.moments.mean))
        }
        Guess::Date => "dates".to_owned(),
        Guess::Text => {
            format!("{} different words", column.distinct().map_or("very many".to_owned(), |count| count.to_string()))
        }
        _ => {
            let values = column.by_frequency();
            let told: Vec<String> =
                values.iter().take(2).map(|(value, count)| format!("{} {count}", shortened(value, 12))).collect();
            let more = if values.len() > 2 { format!(", {} others", values.len() - 2) } else { String::new() };
            told.join(", ") + &more
        }
    }
}

/// Every column of a file, one a line.
pub(super) fn columns(survey: &Survey) -> String {
    let width = survey.columns.iter().map(|column| column.name.chars().count()).max().unwrap_or(6).clamp(6, 30);
    let mut text = format!("  {:<width$}  {:<9} {:>8} {:>9}  values\n", "column", "type", "missing", "different");
    for column in &survey.columns {
        let kind = format!("{:?}", column.guess()).to_lowercase();
        let distinct = column.distinct().map_or("many".to_owned(), |count| count.to_string());
        let _ = writeln!(
            text,
            "  {:<width$}  {kind:<9} {:>8} {distinct:>9}  {}",
            shortened(&column.name, width),
            column.missing,
            values(column)
        );
    }
    text
}

/// What leaves this machine, for somebody who decides whether to join.
/// `told` are the columns of which something is told.
pub(super) fn leaves(document: &Document, told: &BTreeMap<String, Voice>) -> String {
    let schema = &document.definition.schema;
    let mut text = "leaves this machine, to peers of this task only\n".to_owned();
    if schema.kind == InputKind::Table && schema.frame.rule == FrameRule::Agreed {
        text.push_str(&numbers(&schema.frame, told));
    }
    text.push_str("  always  the shared model after each round, and how many rows it was trained on\n");
    text.push_str("  never   rows, words in them, names of unused columns\n");
    text.push_str("  a model can tell something about single rows; what was sent cannot be taken back by leaving\n");
    text
}

/// The numbers that leave, every one of them.
fn numbers(rules: &FrameRules, told: &BTreeMap<String, Voice>) -> String {
    if told.is_empty() {
        let least = rules.min_rows.max(2);
        return format!("  now     no numbers: no number column here has {least} values or more that differ\n");
    }
    let what = match rules.merge {
        Merge::Median => "mean and deviation (two digits) of",
        Merge::Pooled => "exact mean, deviation and number of values of",
    };
    let mut text = format!("  now     {what} your {} number columns\n", told.len());
    let mut line = String::new();
    for (name, voice) in told {
        let count = voice.count.map_or(String::new(), |count| format!(" {count}"));
        // As they are sent, not shortened.
        let column = format!("{name} {} {}{count}", voice.mean, voice.sd);
        if line.len() + column.len() > WIDTH && !line.is_empty() {
            let _ = writeln!(text, "          {line},");
            line.clear();
        }
        line.push_str(if line.is_empty() { "" } else { ", " });
        line.push_str(&column);
    }
    let _ = writeln!(text, "          {line}");
    text
}
