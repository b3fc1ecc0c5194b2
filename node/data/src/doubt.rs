//! Files to answer for or to measure on whose numbers are in another unit than they are read in. What a home keeps of the file that
//! it learns from need not hold for the next one, and an answer shows nobody that it does not.

use peerlearn_task::{Charter, Column, Moments, Numbers, OutputKind, Scale, Schema, Transform};

use crate::check::short;
use crate::finding::{Finding, Severity};
use crate::mapping::{MappedColumn, Mapping, TASK_UNIT, own_unit};
use crate::records::{Cell, Row, number};

/// Deviations from the task's mean from which on a column is far, whatever its number of rows.
const FAR: f64 = 3.0;
/// The same of many rows, whose mean says more.
const FAR_FOR_MANY: f64 = 2.0;
/// Rows that are many.
const MANY: u64 = 10;
/// How many times nearer another unit must bring a column.
const NEARER: f64 = 3.0;
/// Deviations beyond which no unit fits.
const FITS: f64 = 4.0;

/// Columns of a file that could be in more than one unit.
pub(super) struct UnitDoubts {
    columns: Vec<Doubt>,
    /// What is to be said of units that a home keeps.
    pub notes: Vec<String>,
}

struct Doubt {
    name: String,
    place: usize,
    scale: Scale,
    transform: Option<Transform>,
    /// How the column is read.
    used: Reading,
    /// How else it could be.
    others: Vec<Reading>,
}

struct Reading {
    /// The word that says this unit in a map.
    word: String,
    /// The unit, for people.
    unit: String,
    factor: f64,
    seen: Moments,
}

impl UnitDoubts {
    /// The columns of a file with this mapping. Those whose unit was said for this very file are not doubted.
    pub fn of(schema: &Schema, charter: &Charter, numbers: &Numbers, mapping: &Mapping) -> Self {
        let mut doubts = Self { columns: Vec::new(), notes: Vec::new() };
        for source in mapping.sources.iter().chain(&mapping.label) {
            let (scale, transform) = match schema.columns.get(&source.column) {
                Some(column) if is_scaled(column, numbers, &source.column) => {
                    (numbers.of(&source.column), column.transform)
                }
                None if schema.output.kind == OutputKind::Number => match (schema.output.mean, schema.output.sd) {
                    (Some(mean), Some(sd)) => (Scale { mean: mean.get(), sd: sd.get() }, None),
                    _ => continue,
                },
                _ => continue,
            };
            let Some(place) = source.place.filter(|_| !source.entry.unit_said) else { continue };
            let (used, others) = readings(schema, charter, source);
            if source.entry.unit.is_some() {
                let (name, unit) = (&source.column, &used.unit);
                doubts
                    .notes
                    .push(format!("{name} is read in {unit}, as the settings say; --map '{name}@UNIT' says otherwise"));
            }
            if !others.is_empty() {
                doubts.columns.push(Doubt { name: source.column.clone(), place, scale, transform, used, others });
            }
        }
        doubts
    }

    /// Looks at a row.
    pub fn see(&mut self, row: &Row) {
        for doubt in &mut self.columns {
            let value = match row.cell(doubt.place) {
                Cell::Number(value) => Some(value),
                Cell::Text(text) => number(text, false),
                _ => None,
            };
            let Some(value) = value.filter(|value| value.is_finite()) else { continue };
            let transform = doubt.transform;
            for reading in doubt.others.iter_mut().chain([&mut doubt.used]) {
                reading.seen.push(in_task(value * reading.factor, transform));
            }
        }
    }

    /// The columns that are far from the task's numbers as they are read, and fit them in another unit.
    pub fn findings(&self) -> Vec<Finding> {
        self.columns.iter().filter_map(Doubt::finding).collect()
    }
}

impl Doubt {
    /// Deviations between the mean of the file and that of the task.
    fn shift(&self, reading: &Reading) -> f64 {
        (reading.seen.mean - self.scale.mean).abs() / self.scale.sd
    }

    fn finding(&self) -> Option<Finding> {
        let far = if self.used.seen.count >= MANY { FAR_FOR_MANY } else { FAR };
        let here = self.shift(&self.used);
        if self.used.seen.count == 0 || here <= far {
            return None;
        }
        let fits = |reading: &&Reading| self.shift(reading) * NEARER < here && self.shift(reading) < FITS;
        let other = self.others.iter().filter(fits).min_by(|one, two| self.shift(one).total_cmp(&self.shift(two)))?;
        let (used, name) = (&self.used, &self.name);
        let words = format!(
            "its numbers are {here:.0} deviations from the task's mean when they are read in {}, and {:.1} in {}: it is in doubt \
             what they are in (mean {} in the task, {} in the file)",
            used.unit,
            self.shift(other),
            other.unit,
            short(self.scale.mean),
            short(used.seen.mean / if self.transform.is_some() { 1.0 } else { used.factor }),
        );
        let mend = format!(
            "if they are in {}: --map '{name}@{}'; if they are in {} all the same: --map '{name}@{}'",
            other.unit, other.word, used.unit, used.word
        );
        Some(Finding::new(Severity::Error, "unit", name, words).mended_by(mend))
    }
}

/// Whether there are numbers by which it can be told what is far.
fn is_scaled(column: &Column, numbers: &Numbers, name: &str) -> bool {
    column.kind.is_numeric() && (column.mean.is_some() || numbers.of(name) != Scale::NONE)
}

fn in_task(value: f64, transform: Option<Transform>) -> f64 {
    match transform {
        Some(Transform::Log1p) => value.signum() * value.abs().ln_1p(),
        None => value,
    }
}

/// How a column is read, and how else the task would let it be.
fn readings(schema: &Schema, charter: &Charter, source: &MappedColumn) -> (Reading, Vec<Reading>) {
    let reading = |word: &str, unit: &str, factor| Reading {
        word: word.to_owned(),
        unit: unit.to_owned(),
        factor,
        seen: Moments::default(),
    };
    let own = match own_unit(schema, &source.column) {
        Some(unit) => reading(unit, unit, 1.0),
        None => reading(TASK_UNIT, "the unit of the task", 1.0),
    };
    let units = charter.accepts.get(&source.column).into_iter().flat_map(|accepted| &accepted.units);
    let accepted = units.map(|(unit, factor)| reading(unit, unit, factor.get()));
    let (mut same, others): (Vec<Reading>, Vec<Reading>) =
        [own].into_iter().chain(accepted).partition(|reading| reading.factor == source.factor);
    let word = source.unit.as_deref().unwrap_or(TASK_UNIT);
    let used = match same.iter().position(|reading| reading.word == word).or((!same.is_empty()).then_some(0)) {
        Some(at) => same.swap_remove(at),
        None => reading(word, word, source.factor),
    };
    (used, others)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use peerlearn_task::{Accepted, Charter, Column, ColumnType, Output, Real, Schema};

    use crate::{DataConfig, DataError, Known, Map, Preprocessing, add_to_map, measure};

    struct Case {
        preprocessing: Preprocessing,
        charter: Charter,
        config: DataConfig,
    }

    /// A task in mg/dl (246 +- 52) that accepts mmol/L, with a price in CHF that may be in thousands.
    fn case(kept: &[&str], said: &[&str]) -> Case {
        let real = |value| Real::new(value).unwrap();
        let mut chol = Column::new(ColumnType::Number);
        (chol.mean, chol.sd) = (Some(real(246.0)), Some(real(52.0)));
        let output = Output::number("price", real(420_000.0), real(190_000.0));
        let schema = Schema::table(BTreeMap::from([("chol".to_owned(), chol)]), output);
        let accepted = |unit: &str, factor| Accepted {
            units: BTreeMap::from([(unit.to_owned(), real(factor))]),
            ..Accepted::default()
        };
        let accepts =
            [("chol".to_owned(), accepted("mmol/L", 38.67)), ("price".to_owned(), accepted("kCHF", 1000.0))].into();
        let mut map = Map::new();
        kept.iter().for_each(|text| add_to_map(&mut map, text).unwrap());
        map.values_mut().for_each(|entry| (entry.from_said, entry.unit_said) = (false, false));
        said.iter().for_each(|text| add_to_map(&mut map, text).unwrap());
        let config = DataConfig { map, validation: 0.0, ..DataConfig::default() };
        Case { preprocessing: Preprocessing::of(schema), charter: Charter { accepts, ..Charter::default() }, config }
    }

    /// Inputs of the first row of a file with this many rows around `chol`, for answers; then the refusal.
    fn predicted(case: &Case, path: &Path, header: &str, chol: f64, rows: usize) -> Result<f32, String> {
        let text: String = (0..rows).map(|row| format!("{}\n", chol * (1.0 + 0.01 * (row % 7) as f64))).collect();
        std::fs::write(path, format!("{header}\n{text}")).unwrap();
        let read = case.preprocessing.read(path, &case.config, &case.charter);
        read.map(|rows| rows.features[0]).map_err(|error| error.to_string())
    }

    /// However few or many rows, whatever the home keeps: either the numbers are read in their unit, or nothing is answered.
    #[test]
    fn numbers_in_another_unit_than_they_are_read_in_are_not_answered_for() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("rows.csv");
        for rows in [1, 5, 60] {
            for (kept, header) in [
                (&["chol@mmol/L"][..], "chol"),
                (&["chol=Chol.", "chol@mmol/L"], "Chol."),
                (&["chol=CH", "chol@mmol/L"], "chol"),
                (&[], "chol"),
            ] {
                for chol in [6.5, 250.0] {
                    let read = predicted(&case(kept, &[]), &path, header, chol, rows);
                    let is_mg = chol > 100.0;
                    let takes_mmol = !(kept.is_empty() || header == "chol" && kept[0] == "chol=CH");
                    if is_mg == takes_mmol {
                        let wrong = read.unwrap_err();
                        let unit = if is_mg { "--map 'chol@task'" } else { "--map 'chol@mmol/L'" };
                        assert!(wrong.contains(unit), "{rows} {kept:?} {header} {chol}: {wrong}");
                    } else {
                        assert!(read.unwrap().abs() < 1.0, "{rows} {kept:?} {header} {chol}");
                    }
                    // What is said for this very file holds.
                    let said = if is_mg { "chol@task" } else { "chol@mmol/L" };
                    let read = predicted(&case(kept, &[said]), &path, header, chol, rows).unwrap();
                    assert!(read.abs() < 1.0, "{rows} {kept:?} {header} {chol}: {read}");
                }
            }
        }
        assert!(predicted(&case(&["chol@mmol/L"], &["chol@mmol/L"]), &path, "chol", 250.0, 3).is_ok());
        // What fits in no unit is no matter of units.
        assert!(predicted(&case(&[], &[]), &path, "chol", 90_000.0, 3).is_ok());
    }

    /// All rows of a file that is measured on count, and what is in doubt is refused; also of the answer.
    #[test]
    fn a_file_to_measure_on_is_measured_whole_and_in_its_unit() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("rows.csv");
        let text = |price: f64| {
            let rows = (0..40).map(|row| format!("{},{}\n", 200 + row, price * (1.0 + 0.01 * f64::from(row))));
            format!("chol,price\n{}", rows.collect::<String>())
        };
        let measured = |case: &Case| -> Result<usize, DataError> {
            let known = Known { preprocessing: &case.preprocessing, charter: &case.charter };
            measure(&path, &case.config, known).map(|rows| rows.train.len())
        };
        std::fs::write(&path, text(400_000.0)).unwrap();
        assert_eq!(measured(&case(&[], &[])).unwrap(), 40);
        let kept = ["price=Preis", "price@kCHF", "chol=Chol.", "chol@mmol/L"];
        assert_eq!(measured(&case(&kept, &[])).unwrap(), 40, "names of the task are good");
        std::fs::write(&path, text(400.0)).unwrap();
        let wrong = measured(&case(&[], &[])).unwrap_err().to_string();
        assert!(wrong.contains("--map 'price@kCHF'"), "{wrong}");
        assert_eq!(measured(&case(&[], &["price@kCHF"])).unwrap(), 40);
    }
}
