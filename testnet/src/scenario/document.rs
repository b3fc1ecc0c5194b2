//! The text of a scenario: read, changed by `--set`, typed, and asked for the line of a key.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use peerlearn::runtime::settings::{line_at, line_of};
use toml::{Table, Value};

use super::{Scenario, ScenarioError};

/// Largest scenario read.
const MAX_BYTES: u64 = 1 << 20;

/// A scenario with the text it came from.
#[derive(Debug, Clone)]
pub struct Document {
    path: PathBuf,
    text: String,
    table: Table,
    /// Keys that were set from outside, and the words they were set with.
    set: BTreeMap<String, String>,
}

impl Document {
    /// Reads a file.
    ///
    /// # Errors
    /// It cannot be read or is no TOML.
    pub fn read(path: &Path) -> Result<Self, ScenarioError> {
        let failed = |source| ScenarioError::Read { path: path.to_owned(), source };
        let got = std::fs::metadata(path).map_err(failed)?.len();
        if got > MAX_BYTES {
            return Err(ScenarioError::TooLarge { path: path.to_owned(), got, most: MAX_BYTES });
        }
        Self::parse(path, std::fs::read_to_string(path).map_err(failed)?)
    }

    /// Takes a text that came from `path`.
    ///
    /// # Errors
    /// It is no TOML.
    pub fn parse(path: &Path, text: String) -> Result<Self, ScenarioError> {
        let table = text.parse::<Table>().map_err(|error| text_error(path, &text, &error))?;
        Ok(Self { path: path.to_owned(), text, table, set: BTreeMap::new() })
    }

    /// Sets keys: `links.loss=0.1`, `group.0.count=8`, `node.mixing.rule="ios:1"` (quotes may be left out).
    ///
    /// # Errors
    /// A text without `=`, or a key that leads through something that is no table.
    pub fn set(mut self, texts: &[String]) -> Result<Self, ScenarioError> {
        for text in texts {
            let wrong =
                |reason: &str| ScenarioError::Text { origin: format!("--set {text}"), reason: reason.to_owned() };
            let (key, value) = text.split_once('=').ok_or_else(|| wrong("write it as key=value"))?;
            let key = key.trim();
            let typed = format!("value = {value}").parse::<Table>().ok().and_then(|mut table| table.remove("value"));
            let value = typed.unwrap_or_else(|| Value::String(value.trim().to_owned()));
            let names: Vec<&str> = key.split('.').collect();
            put(&mut self.table, &names, value).ok_or_else(|| wrong("there is no such place in the scenario"))?;
            self.set.insert(key.to_owned(), format!("--set {text}"));
        }
        Ok(self)
    }

    /// The typed scenario. What the keys mean together is checked by [`super::Plan`].
    ///
    /// # Errors
    /// A key is unknown, missing or of another type.
    pub fn scenario(&self) -> Result<Scenario, ScenarioError> {
        // From the text, where that is all there is, because then errors know their line.
        if self.set.is_empty() {
            return toml::from_str(&self.text).map_err(|error| text_error(&self.path, &self.text, &error));
        }
        let typed: Result<Scenario, _> = Value::Table(self.table.clone()).try_into();
        typed.map_err(|error: toml::de::Error| ScenarioError::Text {
            origin: format!("{} with {}", self.path.display(), self.words().join(" ")),
            reason: error.message().to_owned(),
        })
    }

    /// The scenario as TOML, with what was set.
    pub fn resolved(&self) -> String {
        match self.set.is_empty() {
            true => self.text.clone(),
            false => toml::to_string_pretty(&self.table).unwrap_or_else(|_| self.text.clone()),
        }
    }

    /// Where it came from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder that paths in it start from.
    pub fn folder(&self) -> &Path {
        self.path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
    }

    /// A complaint about a key, with its line or the option that set it.
    pub fn wrong(&self, key: &str, reason: impl Into<String>) -> ScenarioError {
        let set = self.set.iter().rev().find(|(set, _)| key == *set || key.starts_with(&format!("{set}.")));
        let origin = match (set, line_of(&self.text, key)) {
            (Some((_, words)), _) => words.clone(),
            (None, Some(line)) => format!("{}:{line}", self.path.display()),
            (None, None) => self.path.display().to_string(),
        };
        ScenarioError::Value { origin, key: key.to_owned(), reason: reason.into() }
    }

    fn words(&self) -> Vec<String> {
        self.set.values().cloned().collect()
    }
}

fn text_error(path: &Path, text: &str, error: &toml::de::Error) -> ScenarioError {
    let line = error.span().map_or(String::new(), |span| format!(":{}", line_at(text, span.start)));
    ScenarioError::Text { origin: format!("{}{line}", path.display()), reason: error.message().to_owned() }
}

fn put(table: &mut Table, names: &[&str], value: Value) -> Option<()> {
    let (first, rest) = names.split_first()?;
    if rest.is_empty() {
        table.insert((*first).to_owned(), value);
        return Some(());
    }
    let entry = table.entry((*first).to_owned()).or_insert_with(|| Value::Table(Table::new()));
    match entry {
        Value::Table(inner) => put(inner, rest, value),
        Value::Array(items) => {
            let (index, rest) = rest.split_first()?;
            match (items.get_mut(index.parse::<usize>().ok()?)?, rest) {
                (item, []) => *item = value,
                (Value::Table(inner), rest) => put(inner, rest, value)?,
                _ => return None,
            }
            Some(())
        }
        _ => None,
    }
}
