//! The file `task.toml`: definition and charter in one, as people write it.

use std::collections::BTreeMap;

use peerlearn_protocols::id::{PeerId, TaskId};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use toml::{Table, Value};

use crate::charter::{About, Accepted, Access, Charter, Range};
use crate::column::Column;
use crate::definition::{Definition, ModelSpec, TaskError};
use crate::output::Output;
use crate::real::Real;
use crate::schema::{ArrayInput, FrameRules, ImageInput, InputKind, Schema};

/// All keys of the file: first the hashed ones, then those of the charter.
const KEYS: [&str; 16] = [
    "format", "name", "owners", "parent", "kind", "columns", "image", "array", "output", "model", "frame", "about",
    "accepts", "checks", "defaults", "access",
];
/// Largest file read.
const MAX_BYTES: usize = 1 << 20;

/// A task as people write it and hand it on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// What is hashed.
    pub definition: Definition,
    /// What is not.
    pub charter: Charter,
}

/// What is wrong with a `task.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("line {line}: {reason}")]
pub struct DocumentError {
    /// Line, from 1.
    pub line: usize,
    /// What is wrong, in words.
    pub reason: String,
}

/// All keys of the file. Read in one go, so that an error knows its line.
#[derive(Deserialize)]
struct Whole {
    format: u32,
    name: String,
    #[serde(default)]
    owners: Vec<PeerId>,
    parent: Option<TaskId>,
    kind: InputKind,
    #[serde(default)]
    columns: BTreeMap<String, Column>,
    image: Option<ImageInput>,
    array: Option<ArrayInput>,
    output: Output,
    model: ModelSpec,
    #[serde(default)]
    frame: FrameRules,
    #[serde(default)]
    about: AboutText,
    #[serde(default)]
    accepts: BTreeMap<String, Accepted>,
    #[serde(default)]
    checks: BTreeMap<String, Range>,
    #[serde(default)]
    defaults: BTreeMap<String, Real>,
    #[serde(default)]
    access: Access,
}

/// As [`About`], with a made-up row whose cells may be numbers.
#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
struct AboutText {
    title: String,
    text: String,
    contact: String,
    licence: String,
    row: BTreeMap<String, Value>,
}

impl AboutText {
    fn about(self) -> About {
        let word = |value: Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let row = self.row.into_iter().map(|(column, value)| (column, word(value))).collect();
        About { title: self.title, text: self.text, contact: self.contact, licence: self.licence, row }
    }
}

impl Document {
    /// Reads the text of a `task.toml`. Tables whose name begins with `x_` are left alone.
    ///
    /// # Errors
    /// It is no TOML, has an unknown key, or contradicts itself; says in which line.
    pub fn parse(text: &str) -> Result<Self, DocumentError> {
        if text.len() > MAX_BYTES {
            return Err(DocumentError { line: 1, reason: format!("it is longer than {MAX_BYTES} bytes") });
        }
        let table: Table = text.parse().map_err(|error: toml::de::Error| failed(text, &error))?;
        if let Some(other) = table.keys().find(|key| !KEYS.contains(&key.as_str()) && !key.starts_with("x_")) {
            let nearest = KEYS.iter().max_by(|one, two| strsim::jaro(one, other).total_cmp(&strsim::jaro(two, other)));
            let reason = format!("there is no key {other}; did you mean {}?", nearest.unwrap_or(&"name"));
            return Err(DocumentError { line: line_of(text, other), reason });
        }
        let whole: Whole = toml::from_str(text).map_err(|error| failed(text, &error))?;
        let charter = Charter {
            about: whole.about.about(),
            accepts: whole.accepts,
            checks: whole.checks,
            defaults: whole.defaults,
            access: whole.access,
        };
        let definition = Definition {
            format: whole.format,
            name: whole.name,
            owners: whole.owners,
            parent: whole.parent,
            model: whole.model,
            schema: Schema {
                kind: whole.kind,
                columns: whole.columns,
                image: whole.image,
                array: whole.array,
                output: whole.output,
                frame: whole.frame,
            },
        };
        let at = |error: TaskError| {
            let line = match &error {
                TaskError::Key { key, .. } => line_of(text, key),
                _ => line_of(text, "format"),
            };
            DocumentError { line, reason: error.to_string() }
        };
        let definition = definition.normalized().map_err(at)?;
        let charter = charter.normalized(&definition).map_err(at)?;
        Ok(Self { definition, charter })
    }
}

fn failed(text: &str, error: &toml::de::Error) -> DocumentError {
    let line = error.span().map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
    DocumentError { line, reason: error.message().lines().next().unwrap_or_default().to_owned() }
}

/// The line in which the last part of a key is first written as a key or a value; 1 where it is not.
fn line_of(text: &str, key: &str) -> usize {
    let word = key.rsplit('.').next().unwrap_or(key);
    let section = key.split('.').next().unwrap_or(key);
    let is_word =
        |line: &str| line.split(|c: char| !(c.is_alphanumeric() || "_-+".contains(c))).any(|part| part == word);
    let begin = text.lines().position(|line| line.trim_start().starts_with(&format!("[{section}")));
    let from = begin.unwrap_or(0);
    let found = text.lines().skip(from).position(is_word).map(|at| at + from);
    found.or_else(|| text.lines().position(is_word)).or(begin).map_or(1, |at| at + 1)
}
