//! What texts can mean: numbers, truth values, dates, and words for missing values.

use jiff::civil::{Date, DateTime, Time};
use jiff::{SignedDuration, Timestamp};
use thiserror::Error;

/// Words that stand for a missing value in every column, besides the empty cell.
///
/// In columns whose other cells are all numbers or all dates, as far as the reader looked ahead, `-` and `.` do so too.
pub const MISSING_WORDS: [&str; 12] =
    ["?", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "null", "NULL", "None", "\\N"];

/// Longest number with a decimal comma.
const LONGEST: usize = 64;

/// The finite number that a text is; spaces around it are passed over.
///
/// With a decimal comma, points separate groups of three digits: `1.234,5` is 1234.5 and `1.5` is no number.
pub fn number(text: &str, decimal_comma: bool) -> Option<f64> {
    let text = text.trim();
    if !decimal_comma || !text.bytes().any(|byte| matches!(byte, b',' | b'.')) {
        return plain(text);
    }
    let mut copy = [0; LONGEST];
    let mut length = 0;
    let (whole, decimals) = text.split_once(',').unwrap_or((text, ""));
    if text.len() > LONGEST || decimals.contains([',', '.']) || !is_grouped(whole) {
        return None;
    }
    for byte in text.bytes().filter(|&byte| byte != b'.') {
        copy[length] = if byte == b',' { b'.' } else { byte };
        length += 1;
    }
    plain(str::from_utf8(&copy[..length]).ok()?)
}

/// Whether points, if there are any, separate groups of three digits.
fn is_grouped(whole: &str) -> bool {
    let unsigned = whole.strip_prefix(['+', '-']).unwrap_or(whole);
    let Some((first, rest)) = unsigned.split_once('.') else { return true };
    let digits = |group: &str| group.bytes().all(|byte| byte.is_ascii_digit());
    (1..=3).contains(&first.len())
        && digits(first)
        && !first.starts_with('0')
        && rest.split('.').all(|group| group.len() == 3 && digits(group))
}

/// Whether commas separate groups of three digits: `1,234` and `1,234,567.8`.
pub(super) fn has_thousands_commas(text: &str) -> bool {
    let whole = text.split_once('.').map_or(text, |(whole, _)| whole);
    whole.contains(',') && whole.len() <= LONGEST && is_grouped(&whole.replace(',', "."))
}

/// What Rust reads as a finite number, but no word.
fn plain(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if !unsigned.starts_with(|sign: char| sign.is_ascii_digit() || sign == '.') {
        return None;
    }
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

/// The truth value that a text is: true, false, yes, no, t, f, y or n, in any case.
pub fn boolean(text: &str) -> Option<bool> {
    let text = text.trim();
    let is = |words: [&str; 4]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
    match () {
        () if is(["true", "yes", "t", "y"]) => Some(true),
        () if is(["false", "no", "f", "n"]) => Some(false),
        () => None,
    }
}

/// Which comes first in dates like 01/02/2024.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DateOrder {
    /// 01/02/2024 is the first of February.
    DayFirst,
    /// 01/02/2024 is the second of January.
    MonthFirst,
}

/// Why a text is no date.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
pub enum DateError {
    /// It is none.
    #[error("it is no date; write dates as 2024-12-31")]
    NotADate,
    /// It can be read in two ways.
    #[error("it can be {day_first} (day first) or {month_first} (month first); write dates as 2024-12-31")]
    Ambiguous {
        /// The date if the day comes first.
        day_first: Date,
        /// The date if the month comes first.
        month_first: Date,
    },
}

/// The days from 1970-01-01 to a date, with a fraction if it has a time of day.
///
/// Read are `2024-12-31` and `2024/12/31`, also with a time and an offset, and `31.12.2024`, `31/12/2024` and `31-12-2024`,
/// also with a time. With points the day is first. Without an `order` others must be days beyond 12, or the same in both.
///
/// # Errors
/// It is no date, or one in two ways.
pub fn date(text: &str, order: Option<DateOrder>) -> Result<f64, DateError> {
    let text = text.trim();
    let (day, time) = parts(text).ok_or(DateError::NotADate)?;
    if let Day::Iso(date) = day {
        return days_of_iso(text, date, time).ok_or(DateError::NotADate);
    }
    let date = match (day, order) {
        (Day::Numbers { day_first: Some(day_first), month_first: Some(month_first) }, None)
            if day_first != month_first =>
        {
            return Err(DateError::Ambiguous { day_first, month_first });
        }
        (Day::Numbers { day_first, .. }, Some(DateOrder::DayFirst)) => day_first,
        (Day::Numbers { month_first, .. }, Some(DateOrder::MonthFirst)) => month_first,
        (Day::Numbers { day_first, month_first }, None) => day_first.or(month_first),
        (Day::Iso(date), _) => Some(date),
    };
    let time = if time.is_empty() { Some(Time::midnight()) } else { time.parse().ok() };
    match (date, time) {
        (Some(date), Some(time)) => Ok(days(date.to_datetime(time))),
        _ => Err(DateError::NotADate),
    }
}

/// The order that a date of the form 31/12/2024 proves; none for other forms and for those that prove nothing.
pub fn date_order(text: &str) -> Option<DateOrder> {
    let text = text.trim();
    match parts(text)? {
        (Day::Numbers { day_first: Some(_), month_first: None }, _) if !text.contains('.') => Some(DateOrder::DayFirst),
        (Day::Numbers { day_first: None, month_first: Some(_) }, _) => Some(DateOrder::MonthFirst),
        _ => None,
    }
}

/// The day in a text.
enum Day {
    /// The year comes first.
    Iso(Date),
    /// The year comes last: what it is if the day comes first, and if the month does.
    Numbers { day_first: Option<Date>, month_first: Option<Date> },
}

/// The day of a text, and what follows it.
fn parts(text: &str) -> Option<(Day, &str)> {
    if !(8..=64).contains(&text.len()) || !text.as_bytes()[0].is_ascii_digit() {
        return None;
    }
    let (date, time) = match text.find(['T', 't', ' ']) {
        Some(at) => (&text[..at], text[at + 1..].trim_start()),
        None => (text, ""),
    };
    let sign = ['-', '/', '.'].into_iter().find(|&sign| date.contains(sign))?;
    let mut numbers = date.split(sign).map(|part| {
        let digits = part.len() <= 4 && !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| part.parse::<i16>().ok()).flatten()
    });
    let (one, two, three) = (numbers.next()??, numbers.next()??, numbers.next()??);
    if numbers.next().is_some() {
        return None;
    }
    let (first, last) = (date.find(sign)?, date.len() - date.rfind(sign)? - 1);
    let new = |year: i16, month: i16, day: i16| Date::new(year, month.try_into().ok()?, day.try_into().ok()?).ok();
    match (first, last) {
        (4, ..=2) => Some((Day::Iso(new(one, two, three)?), time)),
        (..=2, 4) => {
            let day_first = new(three, two, one);
            let month_first = if sign == '.' { None } else { new(three, one, two) };
            (day_first.is_some() || month_first.is_some()).then_some((Day::Numbers { day_first, month_first }, time))
        }
        _ => None,
    }
}

/// As the offset has it, if there is one; else as if in UTC.
fn days_of_iso(text: &str, date: Date, time: &str) -> Option<f64> {
    if time.is_empty() {
        return Some(days(date.to_datetime(Time::midnight())));
    }
    if time.contains(['Z', 'z', '+', '-']) {
        let timestamp: Timestamp = text.parse().ok()?;
        return Some(timestamp.as_nanosecond() as f64 / 86_400e9);
    }
    Some(days(date.to_datetime(time.parse().ok()?)))
}

fn days(datetime: DateTime) -> f64 {
    let passed: SignedDuration = datetime.duration_since(DateTime::constant(1970, 1, 1, 0, 0, 0, 0));
    passed.as_secs() as f64 / 86_400.0 + f64::from(passed.subsec_nanos()) / 86_400e9
}

/// The words for missing values of one file.
#[derive(Debug, Clone)]
pub(super) struct Missing {
    words: Vec<String>,
    longest: usize,
    /// Whether a word begins with this byte.
    begins: [bool; 256],
}

impl Missing {
    /// The words that the user says, or the usual ones.
    pub(super) fn new(words: Option<&[String]>) -> Self {
        let words: Vec<String> = match words {
            Some(words) => words.iter().map(|word| word.trim().to_owned()).collect(),
            None => MISSING_WORDS.iter().map(|&word| word.to_owned()).collect(),
        };
        let mut begins = [false; 256];
        for first in words.iter().filter_map(|word| word.bytes().next()) {
            begins[usize::from(first)] = true;
        }
        Self { longest: words.iter().map(String::len).max().unwrap_or(0), words, begins }
    }

    /// Whether a text without spaces around it stands for a missing value.
    pub(super) fn is(&self, text: &str) -> bool {
        match text.as_bytes().first() {
            None => true,
            Some(&first) => {
                self.begins[usize::from(first)]
                    && text.len() <= self.longest
                    && self.words.iter().any(|word| word == text)
            }
        }
    }
}

/// Whether a text stands for a missing value in columns of numbers and dates only.
pub(super) fn is_dash(text: &str) -> bool {
    matches!(text, "-" | ".")
}
