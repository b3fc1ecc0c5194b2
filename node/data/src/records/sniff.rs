//! What separates and quotes the cells of a text: a guess that is shown, and verified by whoever reads the whole file.
//!
//! The idea is that of CleverCSV (van den Burg, Nazábal and Sutton 2019): among all pairs of delimiter and quote, the best
//! one gives rows of equal length whose cells are clean: numbers, dates, truth values, words without other delimiters.

use super::tidy::Marks;
use super::values::{boolean, date, number};

/// What may separate cells. Of two that fit equally well, the first is taken.
const DELIMITERS: [u8; 5] = [b',', b';', b'\t', b'|', b' '];
/// Most rows and cells that are looked at.
pub(super) const MOST_ROWS: usize = 10_000;
const MOST_CELLS: usize = 200_000;
/// Rows after which no more are looked at, where they have as many cells.
const ENOUGH_ROWS: usize = 100;
/// What a table of one column is worth, so that it is chosen where nothing separates cells.
const ONE_COLUMN: f64 = 1e-3;

/// The beginning of a file as text in UTF-8.
pub(super) struct Sample<'a> {
    pub(super) text: &'a str,
    /// Whether it is all of the file.
    pub(super) whole: bool,
}

impl Sample<'_> {
    /// Calls with every row, without one that the part of the file cuts, up to 10,000, while the answer is yes.
    pub(super) fn each_row(&self, marks: Marks, mut each: impl FnMut(u64, &csv::StringRecord) -> bool) {
        let mut reader = marks.rows(self.text.as_bytes());
        let (mut record, mut next) = (csv::StringRecord::new(), csv::StringRecord::new());
        let mut known = None;
        for _ in 0..MOST_ROWS {
            // A text that cannot be read on is complained about by whoever reads it whole.
            let more = reader.read_record(&mut next).unwrap_or(false);
            let line = super::tidy::line_of(&reader, &next);
            if let Some(line) = known.take()
                && (more || self.whole)
                && !each(line, &record)
            {
                return;
            }
            if !more {
                return;
            }
            std::mem::swap(&mut record, &mut next);
            known = Some(line);
        }
    }
}

/// Lines before the table that are passed over, and a delimiter that one of them names.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Preamble {
    /// Lines passed over, with those that are empty.
    pub(super) skip: u64,
    /// Lines that begin with `#`.
    pub(super) comments: u64,
    /// The last of these, without its `#`, and its number.
    pub(super) last: Option<(u64, String)>,
    /// The delimiter of a line `sep=;`, which Excel writes and reads.
    pub(super) delimiter: Option<u8>,
}

impl Preamble {
    pub(super) fn of(text: &str) -> Self {
        let mut preamble = Self::default();
        let unified = text.split('\n').flat_map(|line| line.strip_suffix('\r').unwrap_or(line).split('\r'));
        for (number, line) in (1..).zip(unified) {
            let line = line.trim();
            if let Some(comment) = line.strip_prefix('#') {
                preamble.comments += 1;
                preamble.last = Some((number, comment.trim_start_matches('#').trim().to_owned()));
            } else if number == 1
                && let Some([delimiter]) = line.strip_prefix("sep=").map(str::as_bytes)
            {
                preamble.delimiter = Some(*delimiter);
            } else if !line.is_empty() {
                break;
            } else {
                continue;
            }
            preamble.skip = number;
        }
        preamble
    }
}

/// The marks that fit best, of those that the user leaves open.
pub(super) fn marks(sample: &Sample<'_>, skip: u64, delimiter: Option<u8>, quote: Option<Option<u8>>) -> Marks {
    let text = sample.text.as_bytes();
    let delimiters: Vec<u8> = match delimiter {
        Some(said) => vec![said],
        None => DELIMITERS.into_iter().filter(|sign| text.contains(sign)).collect(),
    };
    let quotes: Vec<Option<u8>> = match quote {
        Some(said) => vec![said],
        None => {
            let mut quotes = vec![Some(b'"')];
            quotes.extend(opens_cells(text, b'\'').then_some(Some(b'\'')));
            quotes.extend(opens_cells(text, b'"').then_some(None));
            quotes
        }
    };
    let mut best = (0.0, Marks { delimiter: delimiters.first().copied().unwrap_or(b','), quote: quotes[0], skip });
    if delimiters.len() * quotes.len() < 2 {
        return best.1;
    }
    let count = |end: u8| text.iter().filter(|&&byte| byte == end).count() as u64;
    let lines = if text.contains(&b'\n') { count(b'\n') } else { count(b'\r') };
    for &quote in &quotes {
        for &delimiter in &delimiters {
            let marks = Marks { delimiter, quote, skip };
            let score = score(sample, marks, lines);
            if score > best.0 * (1.0 + 1e-9) {
                best = (score, marks);
            }
        }
    }
    best.1
}

/// Whether a sign stands where a cell begins, and where one ends.
fn opens_cells(text: &[u8], quote: u8) -> bool {
    let outside =
        |byte: Option<&u8>| byte.is_none_or(|byte| DELIMITERS.contains(byte) || matches!(byte, b'\n' | b'\r'));
    let mut places = text.iter().enumerate().filter(|(_, byte)| **byte == quote).map(|(at, _)| at);
    places.clone().any(|at| outside(at.checked_sub(1).map(|before| &text[before])))
        && places.any(|at| outside(text.get(at + 1)))
}

/// How well marks fit, from 0: how alike the rows are, times the share of clean cells. `lines` are those of the sample.
fn score(sample: &Sample<'_>, marks: Marks, lines: u64) -> f64 {
    let mut widths: Vec<(usize, usize)> = Vec::new();
    let (mut clean, mut cells, mut rows, mut read) = (0usize, 0usize, 0usize, lines);
    sample.each_row(marks, |line, record| {
        rows += 1;
        match widths.iter_mut().find(|(width, _)| *width == record.len()) {
            Some((_, count)) => *count += 1,
            None => widths.push((record.len(), 1)),
        }
        if cells < MOST_CELLS {
            cells += record.len();
            clean += record.iter().filter(|cell| is_clean(cell.trim(), marks)).count();
        }
        // A text in which every row has another length is none of these.
        let on = widths.len() < 1000 && (cells < MOST_CELLS || rows < ENOUGH_ROWS) && rows < MOST_ROWS - 1;
        read = if on { read } else { line };
        on
    });
    let of_width = |&(width, count): &(usize, usize)| {
        let columns = if width < 2 { ONE_COLUMN } else { (width - 1) as f64 / width as f64 };
        count as f64 * columns
    };
    let pattern = widths.iter().map(of_width).sum::<f64>() / widths.len().max(1) as f64;
    // Spaces are in words too, and are chosen only where nothing else is nearly as good.
    let pattern = if marks.delimiter == b' ' { pattern / 2.0 } else { pattern };
    // A line that is no row of its own, or that cannot be read, counts against the marks.
    pattern / read.max(1) as f64 * clean as f64 / cells.max(1) as f64
}

/// Whether a cell looks like one: not like two that the wrong delimiter leaves together, nor like a part of one.
fn is_clean(cell: &str, marks: Marks) -> bool {
    let comma = marks.delimiter != b',';
    if cell.is_empty() || number(cell, false).is_some() || (comma && number(cell, true).is_some()) {
        return true;
    }
    if boolean(cell).is_some() || !matches!(date(cell, None), Err(super::values::DateError::NotADate)) {
        return true;
    }
    let bytes = cell.as_bytes();
    let letters = cell.chars().any(char::is_alphabetic);
    let foreign = |byte: u8| matches!(byte, b';' | b'\t' | b'|' | b'"');
    // In a sentence a space follows a comma.
    let comma_alone = |at: usize| bytes[at] == b',' && (bytes.get(at + 1) != Some(&b' ') || marks.delimiter == b' ');
    let joined = |byte: u8| !letters && matches!(byte, b' ' | b',');
    let half_quoted = (bytes[0] == b'\'') != (bytes[bytes.len() - 1] == b'\'');
    !half_quoted && !(0..bytes.len()).any(|at| foreign(bytes[at]) || comma_alone(at) || joined(bytes[at]))
}
