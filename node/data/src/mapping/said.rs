//! What the user says of a file, against the task: whether it can be meant.

use peerlearn_task::{Accepted, Column, ColumnType, OutputKind, Schema};

use super::Labels;
use crate::finding::{Finding, Severity};
use crate::map::{Map, MapEntry};

/// What says that a column is in the unit of the task, whatever that is called.
pub(crate) const TASK_UNIT: &str = "task";
/// Most values that are listed.
const LISTED: usize = 20;

/// The unit of a column as the task declares it.
pub(crate) fn own_unit<'a>(schema: &'a Schema, column: &str) -> Option<&'a String> {
    match schema.columns.get(column) {
        Some(column) => column.unit.as_ref(),
        None => schema.output.unit.as_ref().filter(|_| column == schema.output.column),
    }
}

/// The map as it is for this file. What was said of the file that was learnt from need not hold for others, which may have the names
/// of the task: a name that is not there is forgotten, and with it the unit, unless that was said of this very file.
pub(super) fn for_measuring(map: &Map, header: &[String], labels: Labels<'_>) -> Map {
    let mut usable = map.clone();
    let is_stale = |entry: &MapEntry| match labels {
        Labels::Wanted(_) => false,
        Labels::Measured(_) => true,
        Labels::Ignored => !entry.from_said,
    };
    let is_missing = |entry: &MapEntry| entry.from.as_ref().is_some_and(|from| !header.contains(from));
    for entry in usable.values_mut().filter(|entry| is_missing(entry) && is_stale(entry)) {
        if entry.from_said || !entry.unit_said {
            (entry.unit, entry.unit_said) = (None, false);
        }
        entry.from = None;
    }
    usable
}

/// Entries of the map that say something which the task does not know.
pub(super) fn wrong_entries(schema: &Schema, map: &Map) -> Vec<Finding> {
    let columns: Vec<&str> = schema.columns.keys().map(String::as_str).take(LISTED).collect();
    let mut wrong = Vec::new();
    for (name, entry) in map {
        let column = schema.columns.get(name);
        if column.is_none() && *name != schema.output.column {
            let words = format!("data.map names it, and the task has no such column; it has {}", columns.join(", "));
            wrong.push(Finding::new(Severity::Error, "map", name, words));
            continue;
        }
        if let (Some(word), Some(_)) = (entry.drop.first(), column) {
            let words = format!("rows with {word:?} cannot be left out: only rows with some answer can");
            let mend = format!("--map '{}!WORD', or take them out of the file", schema.output.column);
            wrong.push(Finding::new(Severity::Error, "map", name, words).mended_by(mend));
        }
        wrong.extend(wrong_values(name, entry, column, schema));
    }
    wrong
}

/// Words of the file that are said to be values which the task does not have.
fn wrong_values(name: &str, entry: &MapEntry, column: Option<&Column>, schema: &Schema) -> Option<Finding> {
    let truths = ["false".to_owned(), "true".to_owned()];
    let values = match (column.map(|column| column.kind), schema.output.kind) {
        (Some(ColumnType::Category), _) => &column?.values[..],
        (Some(ColumnType::Boolean), _) => &truths[..],
        (None, OutputKind::Classes) => schema.classes(),
        _ => &[],
    };
    let (word, value) = entry.values.iter().find(|(_, value)| !values.contains(value))?;
    let (words, mend) = match values.is_empty() {
        true => {
            (format!("data.map gives {word:?} the value {value:?}, and the task takes numbers here"), String::new())
        }
        false => {
            let nearest =
                values.iter().max_by(|one, two| strsim::jaro(one, value).total_cmp(&strsim::jaro(two, value)));
            let listed = values.iter().take(LISTED).cloned().collect::<Vec<_>>().join(", ");
            let more = if values.len() > LISTED { ", …" } else { "" };
            (
                format!(
                    "data.map gives {word:?} the value {value:?}, which the task does not have; it has {listed}{more}"
                ),
                nearest.map_or_else(String::new, |nearest| format!("--map '{name}:{nearest}={word}'")),
            )
        }
    };
    Some(Finding::new(Severity::Error, "map", name, words).mended_by(mend))
}

/// A unit that the task does not know.
pub(super) fn unit_finding(column: &str, unit: &str, own: Option<&String>, known: Option<&Accepted>) -> Finding {
    let mut units: Vec<String> = own.map(|own| format!("{own} (its own)")).into_iter().collect();
    units.extend(known.into_iter().flat_map(|accepted| accepted.units.keys().cloned()));
    let accepts = match units.is_empty() {
        true => "it accepts no other unit than its own for this column, which it does not name".to_owned(),
        false => format!("it accepts {}", units.join(", ")),
    };
    let mend = format!(
        "the task's owner can accept it, with [accepts] {column} = {{ units = {{ \"{unit}\" = FACTOR }} }} in task.toml; or convert \
         the numbers in your file"
    );
    Finding::new(Severity::Error, "unit", column, format!("the task knows no factor for unit {unit:?}; {accepts}"))
        .mended_by(mend)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use peerlearn_task::{Charter, Output, Real};

    use super::super::{Mapping, map_columns};
    use super::*;
    use crate::map::add_to_map;

    /// A task whose answer is a price, and a column in milligrams.
    fn mapped(header: &[&str], said: &[&str], kept: &[&str], labels: Labels<'_>) -> Result<Mapping, String> {
        let real = |value| Real::new(value).unwrap();
        let mut chol = Column::new(ColumnType::Number);
        chol.unit = Some("mg/dl".to_owned());
        let columns = BTreeMap::from([("chol".to_owned(), chol)]);
        let mut output = Output::number("price", real(420_000.0), real(190_000.0));
        output.unit = Some("CHF".to_owned());
        let accepted = |unit: &str, factor| Accepted {
            units: BTreeMap::from([(unit.to_owned(), real(factor))]),
            ..Accepted::default()
        };
        let accepts =
            [("price".to_owned(), accepted("kCHF", 1000.0)), ("chol".to_owned(), accepted("mmol/L", 38.67))].into();
        let charter = Charter { accepts, ..Charter::default() };
        let mut map = Map::new();
        kept.iter().for_each(|text| add_to_map(&mut map, text).unwrap());
        map.values_mut().for_each(|entry| (entry.from_said, entry.unit_said) = (false, false));
        said.iter().for_each(|text| add_to_map(&mut map, text).unwrap());
        let header: Vec<String> = header.iter().map(|name| (*name).to_owned()).collect();
        let join = |wrong: Vec<Finding>| wrong.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        map_columns(&Schema::table(columns, output), &charter, &map, &header, labels).map_err(join)
    }

    fn factors(mapping: &Mapping) -> (f64, f64) {
        (mapping.sources[0].factor, mapping.label.as_ref().map_or(0.0, |label| label.factor))
    }

    /// Every way to say where the answer is takes the unit that is said of it, and refuses one that is not known.
    #[test]
    fn the_unit_of_a_label_holds_however_its_column_is_named() {
        let header = ["chol", "Preis"];
        for labels in [Labels::Wanted, Labels::Measured] {
            for (said, named) in [
                (&["price@kCHF"][..], Some("Preis")),
                (&["price=Preis", "price@kCHF"], None),
                (&["price=Preis", "price@kCHF"], Some("Preis")),
            ] {
                let mapping = mapped(&header, said, &[], labels(named)).unwrap();
                assert_eq!(factors(&mapping), (1.0, 1000.0), "{said:?} {named:?}");
            }
            let wrong = mapped(&header, &["price@furlong"], &[], labels(Some("Preis"))).unwrap_err();
            assert!(wrong.contains("\"furlong\"") && wrong.contains("CHF (its own), kCHF"), "{wrong}");
            assert!(!wrong.contains("--label"), "{wrong}");
            let in_brackets = mapped(&["chol", "Preis (kCHF)"], &[], &[], labels(Some("Preis (kCHF)"))).unwrap();
            assert_eq!(factors(&in_brackets), (1.0, 1000.0));
        }
        let both = mapped(&["chol", "A", "B"], &["price=A"], &[], Labels::Wanted(Some("B"))).unwrap_err();
        assert!(both.contains("\"A\"") && both.contains("\"B\""), "{both}");
    }

    #[test]
    fn the_unit_of_the_task_can_be_said_too() {
        for (unit, factor) in [("chol@mg/dl", 1.0), ("chol@task", 1.0), ("chol@mmol/L", 38.67)] {
            let mapping = mapped(&["chol"], &[unit], &["chol@mmol/L"], Labels::Ignored).unwrap();
            assert_eq!(mapping.sources[0].factor, factor, "{unit}");
        }
    }

    /// Names of the task are always good for a file to measure on or to answer for; for the file to learn from what is said holds.
    #[test]
    fn what_was_said_of_one_file_does_not_bind_others() {
        let kept = ["chol=Chol.", "chol@mmol/L", "price=Kosten", "price@kCHF"];
        let header = ["chol", "price"];
        let mapping = mapped(&header, &[], &kept, Labels::Measured(None)).unwrap();
        assert_eq!(factors(&mapping), (1.0, 1.0));
        let mapping = mapped(&header, &["chol@mmol/L"], &kept, Labels::Measured(None)).unwrap();
        assert_eq!(factors(&mapping), (38.67, 1.0));
        assert!(mapped(&header, &[], &kept, Labels::Wanted(None)).unwrap_err().contains("data.map says"));
        let wrong = mapped(&header, &["chol=CH"], &[], Labels::Ignored).unwrap_err();
        assert!(wrong.contains("\"CH\""), "{wrong}");
    }
}
