//! What the columns of the beginning of a table hold: whether the first row names them, how numbers are written, and
//! which words stand for missing values.

use std::collections::{BTreeSet, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use super::sniff::Sample;
use super::tidy::Marks;
use super::values::{self, DateError, Missing, boolean, date, number};

/// Different words remembered of a column.
const REMEMBERED: usize = 1000;
/// Words that often name a column and are hardly ever values.
const KNOWN_NAMES: [&str; 12] =
    ["label", "class", "target", "id", "name", "text", "category", "type", "date", "value", "y", "species"];

/// What the cells of a column below the first row are.
#[derive(Debug, Default)]
pub(super) struct Column {
    /// Cells that are not missing; the counts below are of these.
    known: usize,
    /// Numbers in either way of writing.
    numbers: usize,
    /// Numbers only if a comma is before the decimals, and those of them that are no whole numbers in thousands either.
    commas: usize,
    sure_commas: usize,
    /// Numbers only if a point is before the decimals.
    points: usize,
    dates: usize,
    booleans: usize,
    /// Cells with a digit.
    digits: usize,
    /// Cells that are a single `-` or `.`, which count as known only if they are words.
    dashes: usize,
    /// Whether the text of the first row is here again, and whether any text is twice.
    repeats_first: bool,
    repeats: bool,
    /// A cell of `commas`.
    comma_example: String,
    seen: HashSet<u64>,
}

impl Column {
    /// Whether all cells are numbers.
    pub(super) fn is_numbers(&self) -> bool {
        self.known > 0 && self.numbers + self.commas == self.known
    }

    fn is_dates(&self) -> bool {
        self.known > 0 && self.dates == self.known
    }

    fn is_booleans(&self) -> bool {
        self.known > 0 && self.booleans == self.known
    }

    /// Whether `-` and `.` stand for missing values.
    pub(super) fn has_dashes(&self) -> bool {
        self.is_numbers() || self.is_dates()
    }

    fn add(&mut self, cell: &str, first: &str) {
        self.known += 1;
        self.digits += usize::from(cell.bytes().any(|byte| byte.is_ascii_digit()));
        match (number(cell, false), number(cell, true)) {
            (Some(_), with_comma) => {
                self.numbers += 1;
                self.points += usize::from(with_comma.is_none());
            }
            (None, Some(_)) => {
                self.commas += 1;
                self.sure_commas += usize::from(!values::has_thousands_commas(cell));
                if self.comma_example.is_empty() {
                    self.comma_example.push_str(cell);
                }
            }
            (None, None) => self.add_word(cell),
        }
        self.repeats_first |= cell == first;
        if !self.repeats && self.seen.len() < REMEMBERED {
            let mut hasher = DefaultHasher::new();
            cell.hash(&mut hasher);
            self.repeats = !self.seen.insert(hasher.finish());
        }
    }

    fn add_word(&mut self, cell: &str) {
        match date(cell, None) {
            Ok(_) | Err(DateError::Ambiguous { .. }) => self.dates += 1,
            Err(DateError::NotADate) => self.booleans += usize::from(boolean(cell).is_some()),
        }
    }
}

/// The beginning of a table.
#[derive(Debug, Default)]
pub(super) struct Profile {
    /// The first row and its line; empty if there is none.
    pub(super) first: Vec<String>,
    pub(super) first_line: u64,
    pub(super) columns: Vec<Column>,
    /// Rows below the first.
    pub(super) rows: usize,
    /// Cells of the second row, where they are another number than in the first.
    pub(super) second: Option<usize>,
    /// The words for missing values that are there.
    pub(super) missing: BTreeSet<String>,
}

/// Whether the first row names the columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Header {
    Yes,
    No,
    /// It cannot be told, and why.
    Unsure(&'static str),
}

impl Profile {
    /// Of the rows of a sample. With `names`, these are the first row and all rows of the sample are below it.
    pub(super) fn of(sample: &Sample<'_>, marks: Marks, missing: &Missing, names: Option<&[String]>) -> Self {
        let mut profile = Self::default();
        if let Some(names) = names {
            profile.begin(names.to_vec(), marks.skip);
        }
        sample.each_row(marks, |line, record| {
            if profile.first.is_empty() {
                profile.begin(record.iter().map(|cell| cell.trim().to_owned()).collect(), line);
                return true;
            }
            if record.len() != profile.first.len() {
                profile.second = (profile.rows == 0).then_some(record.len());
                return false;
            }
            profile.rows += 1;
            for ((cell, first), column) in record.iter().zip(&profile.first).zip(&mut profile.columns) {
                let cell = cell.trim();
                match () {
                    () if missing.is(cell) => {
                        if !profile.missing.contains(cell) {
                            profile.missing.insert(cell.to_owned());
                        }
                    }
                    () if values::is_dash(cell) => column.dashes += 1,
                    () => column.add(cell, first),
                }
            }
            true
        });
        profile.settle();
        profile
    }

    fn begin(&mut self, first: Vec<String>, line: u64) {
        self.columns.resize_with(first.len(), Column::default);
        (self.first, self.first_line) = (first, line);
    }

    /// Dashes are words in columns of words.
    fn settle(&mut self) {
        for column in &mut self.columns {
            if !column.has_dashes() {
                column.known += column.dashes;
                column.dashes = 0;
            }
            column.seen = HashSet::new();
        }
    }

    /// Takes the first row for one like the others.
    pub(super) fn add_first(&mut self, missing: &Missing) {
        for (cell, column) in self.first.iter().zip(&mut self.columns) {
            match () {
                () if missing.is(cell) => {
                    self.missing.insert(cell.clone());
                }
                () if values::is_dash(cell) => column.dashes += 1,
                () => column.add(cell, ""),
            }
        }
        self.rows += 1;
    }

    /// The dashes that are there and stand for missing values.
    pub(super) fn dashes_seen(&self) -> bool {
        self.columns.iter().any(|column| column.dashes > 0 && column.has_dashes())
    }

    /// Whether the first row names the columns: by what it holds where the rows below hold numbers, dates or truth values.
    pub(super) fn header(&self, missing: &Missing) -> Header {
        let (mut names, mut values, mut again, mut words) = (0, 0, 0, 0);
        for (first, column) in self.first.iter().zip(&self.columns) {
            if missing.is(first) || values::is_dash(first) {
                continue;
            }
            let is_number = number(first, false).is_some() || number(first, true).is_some();
            let is_date = !matches!(date(first, None), Err(DateError::NotADate));
            let no_digit = !first.bytes().any(|byte| byte.is_ascii_digit());
            if is_number || is_date {
                let same = (is_number && column.is_numbers()) || (is_date && column.is_dates());
                values += usize::from(same || column.known == 0);
            } else if column.is_numbers() || column.is_dates() {
                names += 1;
            } else if column.is_booleans() {
                names += usize::from(boolean(first).is_none());
                values += usize::from(boolean(first).is_some_and(|_| column.repeats_first && first.len() > 1));
            } else if no_digit && column.known >= 2 && column.digits == column.known {
                names += 1;
            } else {
                words += 1;
                again += usize::from(column.repeats_first);
            }
        }
        match (names, values) {
            (0, 0) => self.header_of_words(words, again),
            (_, 0) => Header::Yes,
            (0, _) if !self.counts_up() || self.rows == 0 => Header::No,
            (0, _) if self.first.len() < 8 => Header::Unsure("it counts up, as names of columns and as numbers do"),
            _ if self.counts_up() => Header::Yes,
            _ => Header::Unsure("it has numbers, and words where there are numbers below"),
        }
    }

    /// Where nothing but words are compared with words.
    fn header_of_words(&self, words: usize, again: usize) -> Header {
        let known = |name: &String| KNOWN_NAMES.contains(&name.to_lowercase().as_str());
        let unique = self.first.iter().collect::<HashSet<_>>().len() == self.first.len();
        match () {
            () if self.rows == 0 => {
                if unique {
                    Header::Yes
                } else {
                    Header::No
                }
            }
            () if words > 0 && again * 2 >= words => Header::No,
            () if again > 0 || !unique => {
                Header::Unsure("some of its words are values of the rows below, some are not")
            }
            () if self.first.iter().any(known) => Header::Yes,
            () if self.rows >= 3 && self.columns.iter().any(|column| column.repeats) => Header::Yes,
            () => Header::Unsure("it has words, and so have all rows below"),
        }
    }

    /// Whether all numbers of the first row are 0, 1, 2 and so on, or 1, 2, 3 and so on, as programs name columns.
    fn counts_up(&self) -> bool {
        let numbers: Vec<u64> = self.first.iter().filter_map(|first| first.parse().ok()).collect();
        let all = self.first.iter().filter(|first| number(first, false).is_some()).count();
        numbers.len() >= 3
            && numbers.len() == all
            && numbers[0] <= 1
            && numbers.windows(2).all(|pair| pair[1] == pair[0] + 1)
    }

    /// Whether numbers have a decimal comma, or why it cannot be told: a column with commas and an example of it, and the
    /// column with points where there is one.
    pub(super) fn decimal_comma(&self) -> Result<bool, (usize, &str, Option<usize>)> {
        let numbers = |column: &&Column| column.is_numbers();
        let place = |wanted: &dyn Fn(&Column) -> bool| {
            self.columns.iter().position(|column| numbers(&column) && wanted(column))
        };
        let Some(commas) = place(&|column| column.commas > 0) else { return Ok(false) };
        let example = self.columns[commas].comma_example.as_str();
        let points = place(&|column| column.points > 0);
        match points.is_none() && place(&|column| column.sure_commas > 0).is_some() {
            true => Ok(true),
            false => Err((commas, example, points)),
        }
    }
}
