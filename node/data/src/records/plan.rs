//! How a text with cells is read: what the user says of it, and a guess at the rest.

use std::collections::HashSet;
use std::sync::Arc;

use super::delimited::{Delimited, Plan};
use super::dialect::{Dialect, Format, Understood, delimiter_word};
use super::profile::{Header, Profile};
use super::sniff::{self, Preamble, Sample};
use super::source::Source;
use super::text::Found;
use super::tidy::{Marks, failed};
use super::values::Missing;
use super::wrong::{TableError, TableFault, shortened};
use crate::DataError;

/// Opens a text with cells whose beginning is known.
pub(super) fn open(
    source: Arc<Source>,
    sample: &Sample<'_>,
    found: &Found,
    dialect: &Dialect,
    mut understood: Understood,
) -> Result<(Delimited, Understood), DataError> {
    let planner = Planner { source: &source, sample, dialect, missing: Missing::new(dialect.missing.as_deref()) };
    let preamble = Preamble::of(sample.text);
    let marks = planner.marks(&preamble)?;
    let named = planner.named(marks, preamble)?;
    let Named { mut columns, profile, header, header_line, marks, comments } = named;
    let decimal_comma = planner.decimal_comma(&profile, marks, &columns)?;

    let opens = marks.quote.filter(|&quote| sample.text.as_bytes().contains(&quote));
    understood.format = if marks.delimiter == b'\t' { Format::Tsv } else { Format::Csv };
    understood.delimiter = (columns.len() > 1).then_some(char::from(marks.delimiter));
    understood.quote = opens.map(char::from);
    (understood.header, understood.header_line) = (header_line.is_some(), header_line);
    (understood.decimal_comma, understood.comments) = (decimal_comma, comments);
    understood.missing = profile.missing.iter().cloned().collect();
    understood.missing.extend(profile.dashes_seen().then(|| "-".to_owned()));
    understood.guessed.extend(found.guessed.clone());
    planner.note(&mut understood, &columns, header);
    if header_line.is_some() {
        understood.nameless = name_the_nameless(&mut columns, &mut understood.guessed);
    }
    let usual = dialect.missing.is_none();
    let plan = Plan {
        marks,
        encoding: found.encoding,
        dashes: profile.columns.iter().map(|column| usual && column.has_dashes()).collect(),
        columns,
        header,
        decimal_comma,
        missing: planner.missing,
        first_line: profile.first_line,
    };
    Ok((Delimited::open(source, plan)?, understood))
}

/// What the columns are called, and where that stands.
struct Named {
    columns: Vec<String>,
    profile: Profile,
    /// Whether the first row after the lines passed over names them, and the line in which names stand anyway.
    header: bool,
    header_line: Option<u64>,
    marks: Marks,
    comments: u64,
}

struct Planner<'a> {
    source: &'a Source,
    sample: &'a Sample<'a>,
    dialect: &'a Dialect,
    missing: Missing,
}

impl Planner<'_> {
    fn wrong(&self, code: TableFault, reason: impl Into<String>) -> TableError {
        TableError::new(code, self.source.shown(), reason)
    }

    fn marks(&self, preamble: &Preamble) -> Result<Marks, DataError> {
        let ascii = |sign: char, key: &str| {
            let byte = u8::try_from(sign).ok().filter(|byte| byte.is_ascii() && !matches!(byte, b'\n' | b'\r'));
            byte.ok_or_else(|| {
                let reason = format!("data.dialect.{key} is {sign:?}, where one ASCII character is needed");
                DataError::from(self.wrong(TableFault::DialectError, reason))
            })
        };
        let delimiter = self.dialect.delimiter.map(|sign| ascii(sign, "delimiter")).transpose()?;
        let quote = match self.dialect.quote.as_deref().map(|quote| (quote.chars().next(), quote.chars().count())) {
            None => None,
            Some((None, _)) => Some(None),
            Some((Some(sign), 1)) => Some(Some(ascii(sign, "quote")?)),
            Some(_) => {
                let reason = "data.dialect.quote is longer than one character";
                return Err(self.wrong(TableFault::DialectError, reason).into());
            }
        };
        Ok(sniff::marks(self.sample, preamble.skip, delimiter.or(preamble.delimiter), quote))
    }

    /// Finds the names of the columns: in a row, in the last comment before the first row, said by the user, or none.
    fn named(&self, marks: Marks, preamble: Preamble) -> Result<Named, DataError> {
        let mut profile = Profile::of(self.sample, marks, &self.missing, None);
        if profile.first.is_empty() {
            return Err(self.empty(marks));
        }
        let comments = preamble.comments;
        let said = self.dialect.header.or(self.dialect.names.as_ref().map(|_| false));
        let verdict = profile.header(&self.missing);
        if said != Some(false) && verdict != Header::Yes {
            let commented = preamble.last.and_then(|(line, text)| self.commented(marks, &profile, line, &text));
            if let Some(named) = commented {
                return Ok(Named { comments: comments - 1, ..named });
            }
        }
        let line = profile.first_line;
        let header = match (said, &verdict) {
            (Some(said), _) => said,
            (None, Header::Yes) => true,
            (None, Header::No) => false,
            (None, Header::Unsure(why)) => {
                let reason = format!("whether this row names the columns is unsure: {why}");
                let shown = shortened(&profile.first.join(&format!("{} ", char::from(marks.delimiter))));
                let mend = "say data.dialect.header = true if it does, or data.dialect.header = false if it is data";
                return Err(self.wrong(TableFault::DialectError, reason).line(line).got(&shown).mend(mend).into());
            }
        };
        if header {
            self.check_names(&profile.first, line)?;
            let columns = profile.first.clone();
            return Ok(Named { columns, profile, header, header_line: Some(line), marks, comments });
        }
        if self.dialect.header.is_none() && verdict == Header::Yes {
            let reason = "data.dialect.names is given, but this row names the columns already";
            let mend = "leave data.dialect.names out, or say data.dialect.header = false if the row is data";
            return Err(self.wrong(TableFault::DialectError, reason).line(line).mend(mend).into());
        }
        profile.add_first(&self.missing);
        let columns = self.columns_without_header(profile.first.len())?;
        Ok(Named { columns, profile, header, header_line: None, marks, comments })
    }

    /// The names that stand in a comment, as NumPy writes them.
    fn commented(&self, marks: Marks, rows: &Profile, line: u64, text: &str) -> Option<Named> {
        let mut record = csv::StringRecord::new();
        let mut cells = Marks { skip: 0, ..marks }.rows(text.as_bytes());
        if rows.first.len() < 2 || !cells.read_record(&mut record).ok()? || record.len() != rows.first.len() {
            return None;
        }
        let mut columns: Vec<String> = record.iter().map(|cell| cell.trim().to_owned()).collect();
        if columns[0].is_empty() {
            columns[0].push('#');
        }
        let profile = Profile::of(self.sample, marks, &self.missing, Some(&columns));
        let names = profile.header(&self.missing) == Header::Yes && self.check_names(&columns, line).is_ok();
        names.then(|| Named {
            profile: Profile { first_line: line, ..profile },
            columns,
            header: false,
            header_line: Some(line),
            marks,
            comments: 0,
        })
    }

    fn columns_without_header(&self, width: usize) -> Result<Vec<String>, DataError> {
        let Some(names) = &self.dialect.names else {
            return Ok((1..=width).map(|number| format!("column{number}")).collect());
        };
        if names.len() != width {
            let reason = format!("data.dialect.names has {} names, and the file {width} columns", names.len());
            return Err(self.wrong(TableFault::DialectError, reason).into());
        }
        self.check_names(names, 1)?;
        Ok(names.clone())
    }

    fn check_names(&self, names: &[String], line: u64) -> Result<(), DataError> {
        let mut sorted: Vec<&String> = names.iter().filter(|name| !name.is_empty()).collect();
        sorted.sort();
        let Some(pair) = sorted.windows(2).find(|pair| pair[0] == pair[1]) else { return Ok(()) };
        let reason = format!("its header has the column \"{}\" twice", shortened(pair[0]));
        let mend = "rename one; if the file has no header, say data.dialect.header = false";
        Err(self.wrong(TableFault::DuplicateLabel, reason).line(line).mend(mend).into())
    }

    fn decimal_comma(&self, profile: &Profile, marks: Marks, columns: &[String]) -> Result<bool, DataError> {
        match self.dialect.decimal {
            Some(',') => return Ok(true),
            Some('.') => return Ok(false),
            Some(other) => {
                let reason = format!("data.dialect.decimal is {other:?}, where '.' or ',' is needed");
                return Err(self.wrong(TableFault::DialectError, reason).into());
            }
            None if !matches!(marks.delimiter, b';' | b'\t') => return Ok(false),
            None => {}
        }
        profile.decimal_comma().map_err(|(commas, example, points)| {
            let reason = match points.and_then(|points| columns.get(points)) {
                Some(points) => format!("has a comma before its decimals, but column \"{points}\" has points"),
                None => "can have a comma before its decimals, or between its thousands".to_owned(),
            };
            let mend = "say data.dialect.decimal = \",\" or \".\"";
            let column = columns.get(commas).map_or("", String::as_str);
            self.wrong(TableFault::DialectError, reason).column(column).got(example).mend(mend).into()
        })
    }

    /// Notes what was guessed of the columns.
    fn note(&self, understood: &mut Understood, columns: &[String], header: bool) {
        let guessed = &mut understood.guessed;
        let width = columns.len();
        match (understood.header_line, header) {
            (None, _) if self.dialect.names.is_none() => guessed.push(match (width, self.dialect.header) {
                (1, _) => "no header: the column is called column1".to_owned(),
                (_, Some(_)) => format!("no header: the columns are called column1 to column{width}"),
                (_, None) => format!(
                    "no header: the columns are called column1 to column{width} (else say data.dialect.header = true)"
                ),
            }),
            (Some(line), false) => guessed.push(format!("the comment in line {line} names the columns")),
            _ => {}
        }
        if self.dialect.delimiter.is_none() && understood.delimiter == Some(' ') {
            guessed.push(format!("cells are separated by {}", delimiter_word(' ')));
        }
    }

    /// Why there is not even a first row.
    fn empty(&self, marks: Marks) -> DataError {
        let mut record = csv::StringRecord::new();
        let mut rows = marks.rows(self.sample.text.as_bytes());
        match rows.read_record(&mut record) {
            Err(error) => failed(self.source.shown(), error, 1),
            Ok(_) if !self.sample.whole => {
                let reason = "its first row is longer than a row may be";
                self.wrong(TableFault::ConstraintError, reason).line(1).into()
            }
            Ok(_) => self.wrong(TableFault::FormatError, "it is empty").into(),
        }
    }
}

/// Gives columns without a name one by their place; their places.
fn name_the_nameless(columns: &mut [String], guessed: &mut Vec<String>) -> Vec<usize> {
    let nameless: Vec<usize> = (0..columns.len()).filter(|&place| columns[place].is_empty()).collect();
    let taken: HashSet<String> = columns.iter().cloned().collect();
    for &place in &nameless {
        let mut name = format!("column{}", place + 1);
        while taken.contains(&name) {
            name.push('_');
        }
        columns[place] = name;
    }
    match nameless[..] {
        [] => {}
        [place] => guessed.push(format!("column {} has no name and is called {}", place + 1, columns[place])),
        [place, ..] => guessed.push(format!(
            "{} columns have no name and are called by their place, the first {}",
            nameless.len(),
            columns[place]
        )),
    }
    nameless
}
