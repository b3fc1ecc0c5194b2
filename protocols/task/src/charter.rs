//! The part of a task that may change while peers learn: words, aliases, plausible ranges, advice, who may join.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::definition::{Definition, TaskError};
use crate::real::Real;
use crate::text::{clean, clean_prose};

/// Most characters of the text.
const MAX_TEXT: usize = 4000;

/// What people should know.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct About {
    /// One line.
    pub title: String,
    /// A paragraph.
    pub text: String,
    /// Where to ask.
    pub contact: String,
    /// Licence of the model.
    pub licence: String,
    /// A made-up row, as people would write it.
    pub row: BTreeMap<String, String>,
}

/// What else a column may be called or hold.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Accepted {
    /// Other names of the column.
    pub names: Vec<String>,
    /// Other units, each with what a number is multiplied with to come to the unit of the task.
    pub units: BTreeMap<String, Real>,
    /// For each value of the task, other words for it.
    pub values: BTreeMap<String, Vec<String>>,
}

/// What is believed of a number; rows outside are left out and counted.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Range {
    /// Least.
    pub minimum: Option<Real>,
    /// Greatest.
    pub maximum: Option<Real>,
}

/// Who may join.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Join {
    /// Anyone with the task.
    #[default]
    Open,
    /// Whoever has an invitation, which any member can check.
    Invited,
    /// Whoever an owner has approved.
    Approved,
}

/// Who may join: section `access`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Access {
    /// Who.
    pub join: Join,
}

/// The part of a task that is not hashed.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Charter {
    /// What people should know.
    pub about: About,
    /// Aliases, by column.
    pub accepts: BTreeMap<String, Accepted>,
    /// Plausible ranges, by column.
    pub checks: BTreeMap<String, Range>,
    /// Advised settings of training: `steps`, `batch`, `learning_rate`. A peer's own settings are stronger.
    pub defaults: BTreeMap<String, Real>,
    /// Who may join.
    pub access: Access,
}

/// Settings that a charter may advise.
const ADVISED: [&str; 6] = ["steps", "batch", "learning_rate", "momentum", "weight_decay", "decay_rounds"];

impl Charter {
    /// Checks all words, and that every section speaks of columns of this task.
    ///
    /// # Errors
    /// The first key that is wrong.
    pub fn normalized(mut self, definition: &Definition) -> Result<Self, TaskError> {
        let wrong = |key: &str, reason: String| TaskError::Key { key: key.to_owned(), reason };
        let about = &mut self.about;
        for (key, text, most) in [
            ("about.title", &mut about.title, 200),
            ("about.text", &mut about.text, MAX_TEXT),
            ("about.contact", &mut about.contact, 200),
            ("about.licence", &mut about.licence, 200),
        ] {
            *text = clean_prose(text, most).map_err(|reason| wrong(key, reason))?;
        }
        let known =
            |name: &String| definition.schema.columns.contains_key(name) || *name == definition.schema.output.column;
        let named =
            self.accepts.keys().map(|name| ("accepts", name)).chain(self.checks.keys().map(|name| ("checks", name)));
        for (section, name) in named.chain(about.row.keys().map(|name| ("about.row", name))) {
            if !known(name) {
                return Err(wrong(&format!("{section}.{name}"), "the task has no such column".to_owned()));
            }
        }
        for (name, accepted) in &self.accepts {
            let words = accepted.names.iter().chain(accepted.units.keys()).chain(accepted.values.values().flatten());
            for word in words {
                clean(word).map_err(|reason| wrong(&format!("accepts.{name}"), format!("{word:?}: {reason}")))?;
            }
        }
        match self.defaults.keys().find(|key| !ADVISED.contains(&key.as_str())) {
            Some(key) => Err(wrong(&format!("defaults.{key}"), format!("only {} can be advised", ADVISED.join(", ")))),
            None => Ok(self),
        }
    }
}
