//! Layers of settings: built-in defaults, then the file, then the environment, then flags.
//!
//! Every value is tried as it is added, alone, so that an error can name the layer and the line it came from.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;
use toml::{Table, Value};

use super::SettingError;
use super::lines::{line_at, line_of};

/// Variables with this prefix are settings: `PEERLEARN_TRAINING__STEPS=40`.
const PREFIX: &str = "PEERLEARN_";
/// Largest settings file read.
const MAX_BYTES: u64 = 1 << 20;
/// A longer key is similar to none.
const LONGEST_KEY: usize = 64;

/// Settings that can be read in layers: sections of values, every one of them with a default.
pub trait Settings: Serialize + DeserializeOwned + Default {
    /// Keys of the settings that have no default value, and so do not appear among the defaults.
    const OPTIONAL: &'static [&'static str];

    /// Keys that had another name: the old name and that of today. The old one is taken, with a warning in the log.
    const RENAMED: &'static [(&'static str, &'static str)] = &[];

    /// Keys under which any key may stand, with texts or tables as values.
    const FREE: &'static [&'static str] = &[];

    /// Checks every value.
    ///
    /// # Errors
    /// The first value that breaks its rule.
    fn validate(&self) -> Result<(), SettingError>;
}

/// What is wrong with the settings, and where it comes from.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the settings file {path}: {source}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is no TOML.
    #[error("{origin}: {reason}")]
    Syntax {
        /// File and line.
        origin: String,
        /// What is wrong.
        reason: String,
    },
    /// There is no such setting.
    #[error("{origin}: there is no setting {key}{hint}", hint = nearest.as_ref().map_or(String::new(), |key| format!("; did you mean {key}?")))]
    Unknown {
        /// Layer, with line where it has lines.
        origin: String,
        /// The key.
        key: String,
        /// The most similar key there is.
        nearest: Option<String>,
    },
    /// The value does not fit the setting.
    #[error("{origin}: {key} = {got}: {reason}")]
    Value {
        /// Layer, with line where it has lines.
        origin: String,
        /// The key.
        key: String,
        /// The value.
        got: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A `--set` without `=`.
    #[error("--set {text}: write SECTION.KEY=VALUE, for example training.steps=40")]
    NotASetting {
        /// The text.
        text: String,
    },
}

/// Settings in the making.
#[derive(Debug, Clone)]
pub struct Layers<S> {
    known: BTreeMap<String, Value>,
    values: Table,
    origins: BTreeMap<String, String>,
    settings: PhantomData<fn() -> S>,
}

impl<S: Settings> Default for Layers<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S: Settings> Layers<S> {
    /// The built-in defaults.
    pub fn new() -> Self {
        let defaults = Value::try_from(S::default()).unwrap_or(Value::Table(Table::new()));
        let mut known = BTreeMap::new();
        leaves("", &defaults, S::FREE, &mut |key, value| drop(known.insert(key, value.clone())));
        Self { known, values: Table::new(), origins: BTreeMap::new(), settings: PhantomData }
    }

    /// Adds a file.
    ///
    /// # Errors
    /// It cannot be read, is no TOML, or has a value that does not fit.
    pub fn file(mut self, path: &Path) -> Result<Self, ConfigError> {
        let failed = |source| ConfigError::Read { path: path.to_owned(), source };
        if std::fs::metadata(path).map_err(failed)?.len() > MAX_BYTES {
            return Err(failed(std::io::Error::other(format!("it is larger than {MAX_BYTES} bytes"))));
        }
        let text = std::fs::read_to_string(path).map_err(failed)?;
        let table: Table = text.parse().map_err(|error: toml::de::Error| {
            let line = error.span().map_or(1, |span| line_at(&text, span.start));
            ConfigError::Syntax {
                origin: format!("{}:{line}", path.display()),
                reason: error.message().lines().next().unwrap_or_default().to_owned(),
            }
        })?;
        let mut found = Vec::new();
        leaves("", &Value::Table(table), S::FREE, &mut |key, value| found.push((key, value.clone())));
        for (key, value) in found {
            let origin = match line_of(&text, &key) {
                Some(line) => format!("{}:{line}", path.display()),
                None => path.display().to_string(),
            };
            self.add(&key, value, origin)?;
        }
        Ok(self)
    }

    /// Adds the settings among environment variables, which other programs may have filled with anything. `PEERLEARN_`
    /// variables without a double underscore are other things (`PEERLEARN_HOME`).
    ///
    /// # Errors
    /// A value does not fit, or is no UTF-8.
    pub fn environment(mut self, variables: impl Iterator<Item = (OsString, OsString)>) -> Result<Self, ConfigError> {
        let setting = |(name, value): (OsString, OsString)| {
            let name = name.into_string().ok()?;
            let key = name.strip_prefix(PREFIX)?.to_lowercase();
            key.contains("__").then(|| (key.replace("__", "."), value, format!("environment variable {name}")))
        };
        let mut settings: Vec<(String, OsString, String)> = variables.filter_map(setting).collect();
        settings.sort();
        for (key, value, origin) in settings {
            let text = value.into_string().map_err(|value| ConfigError::Value {
                origin: origin.clone(),
                key: key.clone(),
                got: value.to_string_lossy().into_owned(),
                reason: "it is not UTF-8".to_owned(),
            })?;
            self.add_text(&key, &text, origin)?;
        }
        Ok(self)
    }

    /// Adds flags: key, value, and the name of the flag.
    ///
    /// # Errors
    /// A value does not fit.
    pub fn flags(mut self, flags: Vec<(String, String, String)>) -> Result<Self, ConfigError> {
        for (key, text, name) in flags {
            self.add_text(&key, &text, name)?;
        }
        Ok(self)
    }

    /// Adds `section.key=value` texts, as `--set` takes them.
    ///
    /// # Errors
    /// A text has another form, or its value does not fit.
    pub fn settings(mut self, texts: &[String]) -> Result<Self, ConfigError> {
        for text in texts {
            let (key, value) = text
                .split_once('=')
                .ok_or_else(|| ConfigError::NotASetting { text: text.chars().take(80).collect() })?;
            self.add_text(key.trim(), value.trim(), format!("--set {}", key.trim()))?;
        }
        Ok(self)
    }

    /// Whether a layer says something of a key.
    pub fn is_set(&self, key: &str) -> bool {
        self.origins.contains_key(key)
    }

    /// Puts everything together and checks the rules of each value.
    ///
    /// # Errors
    /// A value breaks its rule; the layer it came from is named.
    pub fn load(self) -> Result<S, ConfigError> {
        let config: S = Value::Table(self.values.clone()).try_into().map_err(|error: toml::de::Error| {
            ConfigError::Syntax { origin: "settings".to_owned(), reason: error.message().to_owned() }
        })?;
        config.validate().map_err(|SettingError { key, got, want }| ConfigError::Value {
            origin: self.origins.get(key).cloned().unwrap_or_else(|| "defaults".to_owned()),
            key: key.to_owned(),
            got,
            reason: format!("it must be {want}"),
        })?;
        Ok(config)
    }

    /// A value given as text takes the form that its default has.
    fn add_text(&mut self, key: &str, text: &str, origin: String) -> Result<(), ConfigError> {
        let key = todays_name::<S>(key, &origin);
        let parsed = || format!("value = {text}").parse::<Table>().ok()?.remove("value");
        let as_text = || Value::String(text.to_owned());
        let value = match self.known.get(key) {
            Some(Value::String(_)) => match parsed() {
                Some(Value::String(quoted)) => Value::String(quoted),
                _ => as_text(),
            },
            Some(Value::Array(_)) => match parsed() {
                Some(Value::Array(items)) => Value::Array(items),
                _ if text.is_empty() => Value::Array(Vec::new()),
                _ => Value::Array(text.split(',').map(|item| Value::String(item.trim().to_owned())).collect()),
            },
            // Names of columns may look like numbers.
            None if is_free::<S>(key) => match parsed() {
                Some(Value::Table(table)) => Value::Table(table),
                Some(Value::Array(items)) => Value::Array(items),
                Some(Value::String(quoted)) => Value::String(quoted),
                _ => as_text(),
            },
            _ => parsed().unwrap_or_else(as_text),
        };
        self.add(key, value, origin)
    }

    fn add(&mut self, key: &str, value: Value, origin: String) -> Result<(), ConfigError> {
        let key = todays_name::<S>(key, &origin);
        if !self.known.contains_key(key) && !S::OPTIONAL.contains(&key) && !is_free::<S>(key) {
            let nearest = self.nearest(key);
            return Err(ConfigError::Unknown { origin, key: key.chars().take(80).collect(), nearest });
        }
        // A whole number is a fine value where a fraction is expected.
        let value = match (self.known.get(key), value) {
            (Some(Value::Float(_)), Value::Integer(whole)) => Value::Float(whole as f64),
            (_, value) => value,
        };
        let got: String = value.to_string().chars().take(80).collect();
        let mut alone = Table::new();
        insert(&mut alone, key, value.clone());
        let tried: Result<S, toml::de::Error> = Value::Table(alone).try_into();
        if let Err(error) = tried {
            let reason = error.message().lines().next().unwrap_or_default().to_owned();
            return Err(ConfigError::Value { origin, key: key.to_owned(), got, reason });
        }
        insert(&mut self.values, key, value);
        self.origins.insert(key.to_owned(), origin);
        Ok(())
    }

    /// The most similar key, if one is similar at all.
    fn nearest(&self, key: &str) -> Option<String> {
        let candidates = self.known.keys().map(String::as_str).chain(S::OPTIONAL.iter().copied());
        let scored = candidates.map(|known| {
            let (section, name) = known.rsplit_once('.').unwrap_or(("", known));
            let (wanted_section, bare) = key.rsplit_once('.').unwrap_or(("", key));
            // Half the name in the right section is nearest, then the right name in a wrong or missing section.
            let half = section == wanted_section && bare.len() > 2 && name.split('_').any(|word| word == bare);
            let distance = if half {
                0
            } else if name == bare {
                1
            } else if key.len() <= LONGEST_KEY {
                strsim::levenshtein(known, key)
            } else {
                usize::MAX
            };
            (distance, section.len(), known)
        });
        let (distance, _, known) = scored.min()?;
        (distance <= 3).then(|| known.to_owned())
    }
}

/// The name that a key has today.
fn todays_name<'a, S: Settings>(key: &'a str, origin: &str) -> &'a str {
    match S::RENAMED.iter().find(|(old, _)| *old == key) {
        Some((old, new)) => {
            tracing::warn!("{origin}: {old} is called {new} now; the old name will not be taken for ever");
            new
        }
        None => key,
    }
}

/// Whether any key may stand there.
fn is_free<S: Settings>(key: &str) -> bool {
    S::FREE.iter().any(|free| key.strip_prefix(free).is_some_and(|rest| rest.starts_with('.')))
}

/// Calls `visit` with the dotted key of every value that is no table, and of tables under which any key may stand.
fn leaves(prefix: &str, value: &Value, free: &[&str], visit: &mut impl FnMut(String, &Value)) {
    match value {
        Value::Table(table) if !free.contains(&prefix) => {
            for (name, value) in table {
                let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
                leaves(&key, value, free, visit);
            }
        }
        value => visit(prefix.to_owned(), value),
    }
}

fn insert(table: &mut Table, key: &str, value: Value) {
    match key.split_once('.') {
        None => drop(table.insert(key.to_owned(), value)),
        Some((section, rest)) => {
            let inner = table.entry(section).or_insert_with(|| Value::Table(Table::new()));
            if let Value::Table(inner) = inner {
                insert(inner, rest, value);
            }
        }
    }
}
