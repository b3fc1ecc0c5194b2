//! From cells to the inputs of a model: the arithmetic of a schema (ONNX-ML's Imputer, Scaler, OneHotEncoder and LabelEncoder),
//! in double precision up to the last step.

mod tally;
mod words;

use peerlearn_task::{
    Charter, Column, ColumnType, FrameRule, Invalid, Missing, Numbers, Outlier, OutputKind, Range, Scale, Schema,
    Transform,
};

pub use tally::Tally;
use words::Words;

use super::mapping::{MappedColumn, Mapping};
use super::records::{Cell, Row, boolean, date, number};

/// What is wrong with one cell.
#[derive(Debug, Clone, PartialEq)]
pub struct CellError {
    /// Name of the column in the file.
    pub column: String,
    /// What is there; `None` where nothing is.
    pub got: Option<String>,
    /// What the task expects.
    pub expected: String,
    /// What mends it.
    pub mend: String,
}

/// The answer of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Target {
    /// A class, by its number.
    Class(u32),
    /// A number, scaled.
    Number(f32),
}

/// What became of the answer of a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// It is this.
    Is(Target),
    /// There is none: the row is not learnt from.
    None,
    /// The user said that rows with this word are left out.
    Dropped,
    /// A word that is no class.
    Unknown(String),
}

/// Whether a row is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Believed {
    /// It is.
    Yes,
    /// It is left out: a number is outside the plausible range, or invalid where that means quarantine.
    No,
}

/// Turns rows into inputs and answers, and counts what it had to do to them.
#[derive(Debug)]
pub struct Encoder {
    columns: Vec<ColumnEncoder>,
    label: Option<LabelEncoder>,
    width: usize,
    /// What was done.
    pub tally: Tally,
}

#[derive(Debug)]
struct ColumnEncoder {
    source: MappedColumn,
    column: Column,
    scale: Scale,
    clip: f64,
    /// Whether numbers beyond `clip` are brought nearer here, and not by whoever trains in a frame of its own.
    holds: bool,
    range: Range,
    words: Words,
    width: usize,
}

#[derive(Debug)]
struct LabelEncoder {
    source: MappedColumn,
    kind: OutputKind,
    scale: Scale,
    words: Words,
}

impl Encoder {
    /// An encoder for files with this mapping.
    pub fn new(schema: &Schema, charter: &Charter, numbers: &Numbers, mapping: &Mapping) -> Self {
        let clip = schema.frame.clip.get();
        let column = |source: &MappedColumn| {
            let column = schema.columns[&source.column].clone();
            let words = match column.kind {
                ColumnType::Category => Words::new(&column.values, source),
                ColumnType::Boolean => Words::new(&["false".to_owned(), "true".to_owned()], source),
                _ => Words::default(),
            };
            let scale = numbers.of(&source.column);
            // Without numbers to scale by there is no telling what is far.
            let is_scaled = column.mean.is_some() || scale != Scale::NONE;
            ColumnEncoder {
                scale,
                clip: if is_scaled { clip } else { f64::INFINITY },
                holds: schema.frame.rule != FrameRule::Agreed,
                range: charter.checks.get(&source.column).copied().unwrap_or_default(),
                words,
                width: column.slots().len(),
                source: source.clone(),
                column,
            }
        };
        let columns: Vec<ColumnEncoder> = mapping.sources.iter().map(column).collect();
        let output = &schema.output;
        let label = mapping.label.as_ref().map(|source| LabelEncoder {
            source: source.clone(),
            kind: output.kind,
            scale: Scale {
                mean: output.mean.map_or(0.0, peerlearn_task::Real::get),
                sd: output.sd.map_or(1.0, peerlearn_task::Real::get),
            },
            words: Words::new(&output.values, source),
        });
        let width = columns.iter().map(|column| column.width).sum();
        let tally = Tally::new(columns.iter().map(|column| column.source.column.clone()).collect());
        Self { columns, label, width, tally }
    }

    /// Inputs of a model.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Appends the inputs that become of a row, `[width]`; of a row that is not believed, nothing.
    ///
    /// # Errors
    /// A cell that the task refuses; `out` is as it was then.
    pub fn inputs(&mut self, row: &Row, out: &mut Vec<f32>) -> Result<Believed, CellError> {
        let begin = out.len();
        for (at, column) in self.columns.iter().enumerate() {
            let cell = column.source.place.map_or(Cell::Missing, |place| row.cell(place));
            match column.encode(cell, out) {
                Ok(Done::Plain) => {}
                Ok(done) => {
                    self.tally.note(at, done, row.line());
                    if done == Done::Quarantined {
                        out.truncate(begin);
                        return Ok(Believed::No);
                    }
                }
                Err(error) => {
                    out.truncate(begin);
                    return Err(error);
                }
            }
        }
        Ok(Believed::Yes)
    }

    /// The answer of a row.
    ///
    /// # Errors
    /// A number was expected.
    pub fn answer(&self, row: &Row) -> Result<Answer, CellError> {
        let Some(label) = &self.label else { return Ok(Answer::None) };
        let cell = label.source.place.map_or(Cell::Missing, |place| row.cell(place));
        label.answer(cell)
    }
}

/// What was done to a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Done {
    /// Nothing special.
    Plain,
    /// It was missing, and filled.
    Filled,
    /// It was invalid, and taken as missing.
    Invalid,
    /// It was far from the mean, and brought nearer.
    Clamped,
    /// It is not in the list, and has an input for such.
    Other,
    /// The row is left out.
    Quarantined,
}

impl ColumnEncoder {
    fn encode(&self, cell: Cell<'_>, out: &mut Vec<f32>) -> Result<Done, CellError> {
        let begin = out.len();
        out.resize(begin + self.width, 0.0);
        let place = &mut out[begin..];
        let invalid = match (self.column.kind, cell) {
            (_, Cell::Missing) => return self.missing(cell, place, Done::Filled),
            (ColumnType::Category, cell) => match self.words.find(cell) {
                Some(value) => {
                    match self.column.ordered {
                        true => place[0] = value as f32 / (self.column.values.len() - 1).max(1) as f32,
                        false => place[value] = 1.0,
                    }
                    return Ok(Done::Plain);
                }
                None if self.column.other => {
                    let at = if self.column.ordered { 1 } else { self.column.values.len() };
                    place[at] = 1.0;
                    return Ok(Done::Other);
                }
                None => cell,
            },
            (ColumnType::Boolean, cell) => match self.truth(cell) {
                Some(value) => {
                    place[0] = f32::from(value);
                    return Ok(Done::Plain);
                }
                None => cell,
            },
            (_, cell) => match self.number(cell) {
                Some(value) => return self.numeric(value, cell, place),
                None => cell,
            },
        };
        match self.column.invalid {
            Invalid::Missing => self.missing(invalid, place, Done::Invalid),
            Invalid::Quarantine => Ok(Done::Quarantined),
            Invalid::Refuse => Err(self.error(invalid)),
        }
    }

    /// The number of a cell, in the unit of the task.
    fn number(&self, cell: Cell<'_>) -> Option<f64> {
        let value = match (cell, self.column.kind) {
            (Cell::Number(value), _) => value,
            (Cell::Text(text), ColumnType::Date | ColumnType::Datetime) => date(text, None).ok()?,
            (Cell::Text(text), _) => number(text, false).or_else(|| boolean(text).map(f64::from))?,
            (Cell::Boolean(value), _) => f64::from(value),
            (Cell::Missing, _) => return None,
        };
        Some(value * self.source.factor).filter(|value| value.is_finite())
    }

    fn truth(&self, cell: Cell<'_>) -> Option<bool> {
        match cell {
            Cell::Boolean(value) => Some(value),
            Cell::Number(value) if value == 0.0 || value == 1.0 => Some(value == 1.0),
            Cell::Text(text) => self.words.find(cell).map(|value| value == 1).or_else(|| boolean(text)).or_else(|| {
                number(text, false).filter(|value| *value == 0.0 || *value == 1.0).map(|value| value == 1.0)
            }),
            _ => None,
        }
    }

    fn numeric(&self, value: f64, cell: Cell<'_>, place: &mut [f32]) -> Result<Done, CellError> {
        let outside = self.range.minimum.is_some_and(|least| value < least.get())
            || self.range.maximum.is_some_and(|most| value > most.get());
        if outside {
            return Ok(Done::Quarantined);
        }
        let scaled = self.scaled(value);
        let far = scaled.abs() > self.clip;
        match self.column.outlier {
            Outlier::Clamp if far => {
                place[0] = if self.holds { scaled.clamp(-self.clip, self.clip) } else { scaled } as f32;
                if place[0].is_finite() { Ok(Done::Clamped) } else { Err(self.error(cell)) }
            }
            Outlier::Missing if far => self.missing(cell, place, Done::Clamped),
            _ => {
                place[0] = scaled as f32;
                if place[0].is_finite() { Ok(Done::Plain) } else { Err(self.error(cell)) }
            }
        }
    }

    fn scaled(&self, value: f64) -> f64 {
        self.scale.apply(transformed(&self.column, value))
    }

    fn missing(&self, cell: Cell<'_>, place: &mut [f32], done: Done) -> Result<Done, CellError> {
        match &self.column.missing {
            Missing::Refuse => return Err(self.error(cell)),
            // The mean is 0 after scaling.
            Missing::Mean => {}
            Missing::MeanAndFlag | Missing::Own => {
                if let Some(flag) = place.last_mut() {
                    *flag = 1.0;
                }
            }
            Missing::Value(value) => match self.column.kind {
                ColumnType::Category | ColumnType::Boolean => {
                    let at = self.words.find(Cell::Text(value)).unwrap_or(0);
                    match (self.column.kind, self.column.ordered) {
                        (ColumnType::Boolean, _) => place[0] = at as f32,
                        (_, true) => place[0] = at as f32 / (self.column.values.len() - 1).max(1) as f32,
                        (_, false) => place[at] = 1.0,
                    }
                }
                _ => place[0] = value.parse().map_or(0.0, |value| self.scaled(value) as f32),
            },
        }
        Ok(done)
    }

    fn error(&self, cell: Cell<'_>) -> CellError {
        let name = &self.source.column;
        let (expected, mend) = match (self.column.kind, cell) {
            (_, Cell::Missing) => (
                "a value".to_owned(),
                format!(
                    "the task says that {name} is never missing (columns.{name}.missing in task.toml): fill the gap, or leave the row out"
                ),
            ),
            (ColumnType::Category, _) => {
                let values = self.column.values.iter().take(20).cloned().collect::<Vec<_>>().join(", ");
                (
                    format!("one of {values}"),
                    format!("if it is another word for one of them: --map '{name}:VALUE=WORD'"),
                )
            }
            (ColumnType::Boolean, _) => {
                ("true or false".to_owned(), format!("if it is another word: --map '{name}:true=WORD'"))
            }
            (ColumnType::Date | ColumnType::Datetime, _) => ("a date such as 2024-12-31".to_owned(), String::new()),
            _ => {
                let mend = "if it means a missing value, list it in data.dialect.missing".to_owned();
                ("a finite number".to_owned(), mend)
            }
        };
        CellError { column: self.source.name.clone(), got: shown(cell), expected, mend }
    }
}

/// What is scaled of a number.
pub(super) fn transformed(column: &Column, value: f64) -> f64 {
    match column.transform {
        Some(Transform::Log1p) => value.signum() * value.abs().ln_1p(),
        None => value,
    }
}

impl LabelEncoder {
    fn answer(&self, cell: Cell<'_>) -> Result<Answer, CellError> {
        let Some(word) = shown(cell) else { return Ok(Answer::None) };
        if self.source.entry.drop.contains(&word) {
            return Ok(Answer::Dropped);
        }
        if self.kind == OutputKind::Classes {
            return Ok(match self.words.find(cell) {
                Some(class) => Answer::Is(Target::Class(class as u32)),
                None => Answer::Unknown(word),
            });
        }
        let value = match cell {
            Cell::Number(value) => Some(value),
            Cell::Text(text) => number(text, false),
            _ => None,
        };
        let value =
            value.map(|value| self.scale.apply(value * self.source.factor) as f32).filter(|value| value.is_finite());
        match value {
            Some(value) => Ok(Answer::Is(Target::Number(value))),
            None => {
                let expected = "a finite number".to_owned();
                Err(CellError { column: self.source.name.clone(), got: Some(word), expected, mend: String::new() })
            }
        }
    }
}

/// A cell as people see it, cut.
fn shown(cell: Cell<'_>) -> Option<String> {
    super::survey::word(cell).map(|word| word.chars().take(60).collect())
}

#[cfg(test)]
mod tests;
