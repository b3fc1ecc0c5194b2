//! Which column of a file is which column of a task: by name, never by place.

mod said;

use peerlearn_task::{Accepted, Charter, Schema, same_name};

use super::finding::{Finding, Severity};
use super::map::{Map, MapEntry};
pub(super) use said::{TASK_UNIT, own_unit};
use said::{for_measuring, unit_finding, wrong_entries};

/// How a column was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// It has the same name.
    Name,
    /// Its name differs in case, spaces, `_`, `-`, `.` or a unit in brackets.
    Alike,
    /// The task knows this other name.
    Alias,
    /// The user said so.
    Map,
}

/// A column of a task in a file.
#[derive(Debug, Clone)]
pub struct MappedColumn {
    /// Name in the task.
    pub column: String,
    /// Place in the file, from 0; `None` where an optional column is not there.
    pub place: Option<usize>,
    /// Name in the file.
    pub name: String,
    /// How it was found.
    pub how: How,
    /// What a number of the file is multiplied with.
    pub factor: f64,
    /// Unit in the file, where it is another one.
    pub unit: Option<String>,
    /// What the user said of its values.
    pub entry: MapEntry,
    /// What the task accepts for it.
    pub accepted: Accepted,
}

/// The columns of a task in a file.
#[derive(Debug, Clone)]
pub struct Mapping {
    /// Those that go in, in the order of the task.
    pub sources: Vec<MappedColumn>,
    /// The answer; `None` where a file without answers is read.
    pub label: Option<MappedColumn>,
    /// Columns of the file that are not used.
    pub unused: Vec<String>,
}

/// Whether a file must have answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Labels<'a> {
    /// To be learnt from; they are in this column, where one is named.
    Wanted(Option<&'a str>),
    /// To be measured on: as before, but in a file that may have the names of the task instead of those of the file learnt from.
    Measured(Option<&'a str>),
    /// To be answered.
    Ignored,
}

/// Finds the columns of a task in a file with these columns.
///
/// # Errors
/// Every column that is missing, or whose unit cannot be converted, with what is like it and what to type.
pub fn map_columns(
    schema: &Schema,
    charter: &Charter,
    map: &Map,
    header: &[String],
    labels: Labels<'_>,
) -> Result<Mapping, Vec<Finding>> {
    let mut wrong = wrong_entries(schema, map);
    let mut sources = Vec::new();
    let usable = for_measuring(map, header, labels);
    let looking = Looking { schema, charter, map: &usable, header };
    for (name, column) in &schema.columns {
        match looking.find(name, column.optional) {
            Ok(source) => sources.push(source),
            Err(finding) => wrong.push(finding),
        }
    }
    let label = match labels {
        Labels::Ignored => None,
        Labels::Wanted(named) | Labels::Measured(named) => match looking.label(named) {
            Ok(source) => Some(source),
            Err(finding) => {
                wrong.push(finding);
                None
            }
        },
    };
    twice(&sources, label.as_ref(), &mut wrong);
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let used = |at: usize| sources.iter().chain(&label).any(|source| source.place == Some(at));
    let unused = header.iter().enumerate().filter(|(at, _)| !used(*at)).map(|(_, name)| name.clone()).collect();
    Ok(Mapping { sources, label, unused })
}

/// One column of the file cannot be two of the task.
fn twice(sources: &[MappedColumn], label: Option<&MappedColumn>, wrong: &mut Vec<Finding>) {
    for (at, source) in sources.iter().enumerate() {
        let same = |other: &&MappedColumn| other.place.is_some() && other.place == source.place;
        if let Some(other) = sources[at + 1..].iter().chain(label).find(same) {
            let words = format!("column {:?} of the file is taken for this and for {} too", source.name, other.column);
            wrong.push(
                Finding::new(Severity::Error, "map", &source.column, words).mended_by("say in data.map which is which"),
            );
        }
    }
}

/// What columns are looked for in and by.
struct Looking<'a> {
    schema: &'a Schema,
    charter: &'a Charter,
    map: &'a Map,
    header: &'a [String],
}

impl Looking<'_> {
    /// The column with the answer: the one that is named, in the unit that the map says, or else as any other column.
    fn label(&self, named: Option<&str>) -> Result<MappedColumn, Finding> {
        let output = &self.schema.output.column;
        let from = self.map.get(output).and_then(|entry| entry.from.as_deref());
        let is_there = |name: &str| self.header.iter().any(|column| column == name);
        match (named.filter(|named| is_there(named)), from) {
            (Some(named), Some(from)) if named != from && is_there(from) => {
                let words = format!("the label column is said to be {named:?}, and data.map says that it is {from:?}");
                Err(Finding::new(Severity::Error, "map", output, words).mended_by("say one of the two"))
            }
            (Some(named), _) => {
                let how = if named == output { How::Name } else { How::Map };
                let source = self.place(output, how, |name| name == named);
                let source = source.ok_or_else(|| {
                    let words = format!("the file has more than one column {named:?}");
                    Finding::new(Severity::Error, "missing-label", output, words)
                })?;
                self.with_unit(source)
            }
            (None, _) => self.find(output, false).map_err(|finding| match finding.code {
                "missing-column" => {
                    let finding = Finding { code: "missing-label", ..finding };
                    finding.mended_by("name the label column with --label, or data.label in the settings")
                }
                _ => finding,
            }),
        }
    }

    fn find(&self, column: &str, optional: bool) -> Result<MappedColumn, Finding> {
        let accepted = self.charter.accepts.get(column);
        let here = |how, fits: &dyn Fn(&str) -> bool| self.place(column, how, fits);
        let found = match self.map.get(column).and_then(|entry| entry.from.as_ref()) {
            Some(from) => {
                let missing = || {
                    let words = format!(
                        "data.map says that it is called {from:?}, and the file has no such column; it has {}",
                        listed(self.header)
                    );
                    Finding::new(Severity::Error, "missing-column", column, words)
                };
                Some(here(How::Map, &|name| name == from).ok_or_else(missing)?)
            }
            None => here(How::Name, &|name| name == column)
                .or_else(|| here(How::Alike, &|name| same_name(name, column)))
                .or_else(|| {
                    let is_alias =
                        |name: &str| accepted.is_some_and(|a| a.names.iter().any(|one| same_name(one, name)));
                    here(How::Alias, &is_alias)
                }),
        };
        match found {
            Some(source) => self.with_unit(source),
            None if optional => Ok(MappedColumn {
                column: column.to_owned(),
                place: None,
                name: String::new(),
                how: How::Name,
                factor: 1.0,
                unit: None,
                entry: MapEntry::default(),
                accepted: Accepted::default(),
            }),
            None => Err(self.missing(column)),
        }
    }

    fn missing(&self, column: &str) -> Finding {
        let alike = |name: &String| strsim::jaro(&name.to_lowercase(), &column.to_lowercase());
        let nearest = self.header.iter().map(|name| (alike(name), name));
        let nearest = nearest.filter(|(alike, _)| *alike > 0.7).max_by(|one, two| one.0.total_cmp(&two.0));
        let words = format!("the file has no column {column:?}; it has {}", listed(self.header));
        let name = nearest.map_or("NAME-IN-FILE", |(_, name)| name.as_str());
        let mend = format!("if it has another name there: --map '{column}={name}', or in data.map");
        Finding::new(Severity::Error, "missing-column", column, words).mended_by(mend)
    }

    /// The only column that fits; two that fit are none.
    fn place(&self, column: &str, how: How, fits: impl Fn(&str) -> bool) -> Option<MappedColumn> {
        let mut fitting = self.header.iter().enumerate().filter(|(_, name)| fits(name));
        let (at, name) = fitting.next()?;
        if fitting.next().is_some() {
            return None;
        }
        Some(MappedColumn {
            column: column.to_owned(),
            place: Some(at),
            name: name.clone(),
            how,
            factor: 1.0,
            unit: None,
            entry: self.map.get(column).cloned().unwrap_or_default(),
            accepted: self.charter.accepts.get(column).cloned().unwrap_or_default(),
        })
    }

    /// The unit that the user says, or that stands in brackets behind the name in the file.
    fn with_unit(&self, mut source: MappedColumn) -> Result<MappedColumn, Finding> {
        let bracketed = || {
            let (_, unit) = source.name.rsplit_once(['(', '['])?;
            unit.strip_suffix([')', ']']).map(|unit| unit.trim().to_owned())
        };
        let said = source.entry.unit.clone();
        let Some(unit) = said.clone().or_else(|| bracketed().filter(|_| source.how != How::Name)) else {
            return Ok(source);
        };
        let known = self.charter.accepts.get(&source.column);
        let factor = known.and_then(|accepted| accepted.units.get(&unit)).map(|factor| factor.get());
        let own = own_unit(self.schema, &source.column);
        match factor.or_else(|| (own == Some(&unit) || unit == TASK_UNIT).then_some(1.0)) {
            Some(factor) => {
                source.factor = factor;
                source.unit = Some(unit).filter(|unit| unit != TASK_UNIT);
                Ok(source)
            }
            // A word in brackets need not be a unit.
            None if said.is_none() => Ok(source),
            None => Err(unit_finding(&source.column, &unit, own, known)),
        }
    }
}

fn listed(header: &[String]) -> String {
    let more = if header.len() > 20 { format!(" and {} more", header.len() - 20) } else { String::new() };
    header.iter().take(20).cloned().collect::<Vec<_>>().join(", ") + &more
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use peerlearn_task::{Column, ColumnType, Output, Real};

    use super::super::map::add_to_map;
    use super::*;

    fn schema() -> Schema {
        let names = ["age", "chol", "sex"];
        let columns = names.map(|name| (name.to_owned(), Column::new(ColumnType::Number))).into_iter().collect();
        Schema::table(columns, Output::classes("sick", vec!["no".into(), "yes".into()]))
    }

    fn charter() -> Charter {
        let units = BTreeMap::from([("mmol/L".to_owned(), Real::new(38.67).unwrap())]);
        let accepted = Accepted { names: vec!["cholesterin".to_owned()], units, values: BTreeMap::new() };
        Charter { accepts: BTreeMap::from([("chol".to_owned(), accepted)]), ..Charter::default() }
    }

    fn mapped(header: &[&str], said: &[&str], labels: Labels<'_>) -> Result<Mapping, String> {
        let mut map = Map::new();
        said.iter().for_each(|text| add_to_map(&mut map, text).unwrap());
        let header: Vec<String> = header.iter().map(|name| (*name).to_owned()).collect();
        let join = |wrong: Vec<Finding>| wrong.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        map_columns(&schema(), &charter(), &map, &header, labels).map_err(join)
    }

    #[test]
    fn columns_are_found_by_name_whatever_their_order() {
        let mapping =
            mapped(&["sick", "Sex", "note", "age", "Cholesterin (mmol/L)"], &[], Labels::Wanted(None)).unwrap();
        let places: Vec<_> = mapping.sources.iter().map(|source| (source.place, source.how, source.factor)).collect();
        assert_eq!(places, [(Some(3), How::Name, 1.0), (Some(4), How::Alias, 38.67), (Some(1), How::Alike, 1.0)]);
        assert_eq!((mapping.label.unwrap().place, mapping.unused), (Some(0), vec!["note".to_owned()]));
    }

    #[test]
    fn what_is_missing_is_named_with_what_to_type() {
        let wrong = mapped(&["alter", "chol", "sexe", "ill"], &[], Labels::Wanted(None)).unwrap_err();
        for part in ["no column \"age\"", "--map 'sex=sexe'", "no column \"sick\"", "--label"] {
            assert!(wrong.contains(part), "{part}: {wrong}");
        }
        let header = ["alter", "CH", "sexe", "ill"];
        let said = ["age=alter", "chol=CH", "chol@mmol/L", "sex=sexe"];
        let mapping = mapped(&header, &said, Labels::Wanted(Some("ill"))).unwrap();
        assert_eq!((mapping.sources[1].factor, mapping.label.unwrap().place), (38.67, Some(3)));
        assert!(mapped(&header, &said[..2], Labels::Ignored).unwrap_err().contains("sex"));
    }

    #[test]
    fn a_map_that_cannot_be_right_is_refused() {
        for (said, part) in [
            (&["height=age"][..], "no such column"),
            (&["age=years"], "\"years\""),
            (&["age=chol"], "taken for this"),
            (&["chol@g"], "factor"),
            (&["age@g"], "accepts no other unit"),
            (&["sick:ill=yes"], "\"ill\""),
            (&["age:old=x"], "number"),
            (&["age!x"], "left out"),
        ] {
            let wrong = mapped(&["age", "chol", "sex", "sick"], said, Labels::Wanted(None)).unwrap_err();
            assert!(wrong.contains(part), "{said:?}: {wrong}");
        }
    }
}
