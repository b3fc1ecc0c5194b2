//! How the user's file is mapped to a task, where names, words or units differ: section `data.map`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// For a column of the task: what it is in the user's file. Written `chol = "CHOL"`, or as a table.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(from = "Written")]
pub struct MapEntry {
    /// Name of the column in the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Unit of the column in the file, one that the task accepts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// For words of the file: the value of the task.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<String, String>,
    /// Words of the file whose rows are left out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub drop: Vec<String>,
    /// Whether `from` was said at the command line of this process, and not in settings that a home keeps.
    #[serde(skip)]
    pub from_said: bool,
    /// The same of `unit`.
    #[serde(skip)]
    pub unit_said: bool,
}

/// Every column that is mapped, by its name in the task.
pub type Map = BTreeMap<String, MapEntry>;

#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Name(String),
    Entry(Entry),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
struct Entry {
    from: Option<String>,
    unit: Option<String>,
    values: BTreeMap<String, String>,
    drop: Vec<String>,
}

impl From<Written> for MapEntry {
    fn from(written: Written) -> Self {
        match written {
            Written::Name(from) => Self { from: Some(from), ..Self::default() },
            Written::Entry(Entry { from, unit, values, drop }) => Self { from, unit, values, drop, ..Self::default() },
        }
    }
}

/// Adds what one `--map` says: `chol=CHOL` (the column is called so in the file), `sex:female=w` (the value is called so),
/// `chol@mmol/L` (the column has this unit; `chol@task` that of the task), `disease!unknown` (rows with this word are left out).
///
/// # Errors
/// It has none of these forms; says which there are.
pub fn add_to_map(map: &mut Map, text: &str) -> Result<(), String> {
    let wrong = || {
        format!(
            "--map {text:?}: write COLUMN=NAME-IN-FILE, COLUMN:VALUE=WORD-IN-FILE, COLUMN@UNIT or COLUMN!WORD-TO-LEAVE-OUT"
        )
    };
    let filled = |text: &str| (!text.trim().is_empty()).then(|| text.trim().to_owned()).ok_or_else(wrong);
    if let Some((left, right)) = text.split_once('=') {
        let right = filled(right)?;
        match left.split_once(':') {
            Some((column, value)) => {
                map.entry(filled(column)?).or_default().values.insert(right, filled(value)?);
            }
            None => {
                let entry = map.entry(filled(left)?).or_default();
                (entry.from, entry.from_said) = (Some(right), true);
            }
        }
    } else if let Some((column, unit)) = text.split_once('@') {
        let (column, unit) = (filled(column)?, filled(unit)?);
        let entry = map.entry(column).or_default();
        (entry.unit, entry.unit_said) = (Some(unit), true);
    } else if let Some((column, word)) = text.split_once('!') {
        map.entry(filled(column)?).or_default().drop.push(filled(word)?);
    } else {
        return Err(wrong());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_is_said_in_short_or_in_full() {
        let mut map = Map::new();
        for text in ["chol=CHOL", "chol@mmol/L", "sex:female=w", "disease!unknown", " pain = cp "] {
            add_to_map(&mut map, text).unwrap();
        }
        assert_eq!((map["chol"].from.as_deref(), map["chol"].unit.as_deref()), (Some("CHOL"), Some("mmol/L")));
        assert_eq!((map["sex"].values["w"].as_str(), map["pain"].from.as_deref()), ("female", Some("cp")));
        assert_eq!(map["disease"].drop, ["unknown"]);
        for text in ["", "chol", "=x", "x=", "a:=b", "@", "!"] {
            assert!(add_to_map(&mut map, text).is_err(), "{text:?}");
        }
    }
}
