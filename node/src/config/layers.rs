//! Layers of settings: built-in defaults, then the file, then the environment, then flags.
//!
//! Every value is tried as it is added, alone, so that an error can name the layer and the line it came from.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use thiserror::Error;
use toml::{Table, Value};

use super::{NodeConfig, SettingError};

/// Variables with this prefix are settings: `PEERLEARN_TRAINING__STEPS=40`.
const PREFIX: &str = "PEERLEARN_";
/// Largest settings file read.
const MAX_BYTES: u64 = 1 << 20;
/// Settings that have no default value, and so do not appear among the defaults.
const OPTIONAL: [&str; 2] = ["data.partition", "data.part"];

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
pub struct Layers {
    known: BTreeMap<String, Value>,
    values: Table,
    origins: BTreeMap<String, String>,
}

impl Default for Layers {
    fn default() -> Self {
        Self::new()
    }
}

impl Layers {
    /// The built-in defaults.
    pub fn new() -> Self {
        let defaults = Value::try_from(NodeConfig::default()).unwrap_or(Value::Table(Table::new()));
        let mut known = BTreeMap::new();
        leaves("", &defaults, &mut |key, value| drop(known.insert(key, value.clone())));
        Self { known, values: Table::new(), origins: BTreeMap::new() }
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
            let line = error.span().map_or(1, |span| 1 + text[..span.start.min(text.len())].matches('\n').count());
            ConfigError::Syntax {
                origin: format!("{}:{line}", path.display()),
                reason: error.message().lines().next().unwrap_or_default().to_owned(),
            }
        })?;
        let mut found = Vec::new();
        leaves("", &Value::Table(table), &mut |key, value| found.push((key, value.clone())));
        for (key, value) in found {
            let origin = match line_of(&text, &key) {
                Some(line) => format!("{}:{line}", path.display()),
                None => path.display().to_string(),
            };
            self.add(&key, value, origin)?;
        }
        Ok(self)
    }

    /// Adds the settings among environment variables. `PEERLEARN_` variables without a double underscore are other
    /// things (`PEERLEARN_HOME`).
    ///
    /// # Errors
    /// A value does not fit.
    pub fn environment(mut self, variables: impl Iterator<Item = (String, String)>) -> Result<Self, ConfigError> {
        let mut settings: Vec<(String, String, String)> = variables
            .filter_map(|(name, value)| {
                let key = name.strip_prefix(PREFIX)?.to_lowercase();
                key.contains("__").then(|| (key.replace("__", "."), value, format!("environment variable {name}")))
            })
            .collect();
        settings.sort();
        for (key, text, origin) in settings {
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

    /// Puts everything together and checks the rules of each value.
    ///
    /// # Errors
    /// A value breaks its rule; the layer it came from is named.
    pub fn load(self) -> Result<NodeConfig, ConfigError> {
        let config: NodeConfig = Value::Table(self.values.clone()).try_into().map_err(|error: toml::de::Error| {
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
            _ => parsed().unwrap_or_else(as_text),
        };
        self.add(key, value, origin)
    }

    fn add(&mut self, key: &str, value: Value, origin: String) -> Result<(), ConfigError> {
        if !self.known.contains_key(key) && !OPTIONAL.contains(&key) {
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
        let tried: Result<NodeConfig, toml::de::Error> = Value::Table(alone).try_into();
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
        let candidates = self.known.keys().map(String::as_str).chain(OPTIONAL);
        let scored = candidates.map(|known| {
            let (section, name) = known.rsplit_once('.').unwrap_or(("", known));
            let (wanted_section, bare) = key.rsplit_once('.').unwrap_or(("", key));
            // Half the name in the right section is nearest, then the right name in a wrong or missing section.
            let half = section == wanted_section && bare.len() > 2 && name.split('_').any(|word| word == bare);
            let distance = if half {
                0
            } else if name == bare {
                1
            } else {
                distance(known, key)
            };
            (distance, section.len(), known)
        });
        let (distance, _, known) = scored.min()?;
        (distance <= 3).then(|| known.to_owned())
    }
}

/// Calls `visit` with the dotted key of every value that is no table.
fn leaves(prefix: &str, value: &Value, visit: &mut impl FnMut(String, &Value)) {
    match value {
        Value::Table(table) => {
            for (name, value) in table {
                let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
                leaves(&key, value, visit);
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

/// The line of a key in a TOML text, from 1: the line `name =` after the header of its section.
fn line_of(text: &str, key: &str) -> Option<usize> {
    let (section, name) = key.rsplit_once('.').unwrap_or(("", key));
    let mut current = String::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if let Some(header) = line.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
            current = header.trim().to_owned();
        } else if let Some((left, _)) = line.split_once('=') {
            let left = left.trim();
            let full = if current.is_empty() { left.to_owned() } else { format!("{current}.{left}") };
            if full == key || (current == section && left == name) {
                return Some(index + 1);
            }
        }
    }
    None
}

/// Levenshtein distance, for short keys.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().take(64).collect(), b.chars().take(64).collect());
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(from != to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn from_file(text: &str) -> Result<NodeConfig, ConfigError> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("peerlearn.toml");
        std::fs::write(&path, text).unwrap();
        Layers::new().file(&path)?.load()
    }

    fn wrong(text: &str) -> String {
        from_file(text).unwrap_err().to_string()
    }

    #[test]
    fn later_layers_win() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("peerlearn.toml");
        std::fs::write(&path, "[training]\nsteps = 5\nbatch = 7\nlearning_rate = 1\n[mixing.outer]\nenabled = true\n")
            .unwrap();
        let variables = [("PEERLEARN_TRAINING__BATCH", "9"), ("PEERLEARN_HOME", "x"), ("PATH", "y")];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let config = Layers::new()
            .file(&path)
            .and_then(|layers| layers.environment(variables.into_iter()))
            .and_then(|layers| {
                layers.settings(&["round.deadline=3s".into(), "network.listen=/ip4/127.0.0.1/tcp/0".into()])
            })
            .and_then(Layers::load)
            .unwrap();
        assert_eq!((config.training.steps, config.training.batch), (5, 9));
        assert_eq!(config.training.learning_rate, 1.0);
        assert!(config.mixing.outer.enabled);
        assert_eq!(config.round.deadline, Duration::from_secs(3));
        assert_eq!(config.network.listen, ["/ip4/127.0.0.1/tcp/0"]);
    }

    #[test]
    fn errors_name_layer_line_and_key() {
        let error = wrong("[training]\n\nstepz = 5\n");
        assert!(error.contains("peerlearn.toml:3") && error.contains("did you mean training.steps?"), "{error}");
        let error = wrong("[training]\nsteps = \"many\"\n");
        assert!(
            error.contains("peerlearn.toml:2") && error.contains("training.steps") && error.contains("many"),
            "{error}"
        );
        let error = wrong("# a\n[training]\nlearning_rate = -0.5\n");
        assert!(error.contains("peerlearn.toml:3") && error.contains("-0.5") && error.contains("above 0"), "{error}");
        let error = wrong("[round]\ndeadline = \"soon\"\n");
        assert!(error.contains("peerlearn.toml:2") && error.contains("10s"), "{error}");
        let error = wrong("[training\nsteps = 5\n");
        assert!(error.contains("peerlearn.toml:1"), "{error}");
        let error = wrong("steps = 5\n");
        assert!(error.contains("did you mean training.steps?"), "{error}");
        let variables = [("PEERLEARN_DATA__PARTS".to_owned(), "none".to_owned())];
        let error = Layers::new().environment(variables.into_iter()).unwrap_err().to_string();
        assert!(error.contains("environment variable PEERLEARN_DATA__PARTS"), "{error}");
        let error = Layers::new().settings(&["training.steps".into()]).unwrap_err().to_string();
        assert!(error.contains("SECTION.KEY=VALUE"), "{error}");
        let error = Layers::new().settings(&["task.model=resnet".into()]).unwrap_err().to_string();
        assert!(error.contains("--set task.model") && error.contains("mlp:64,32"), "{error}");
        for (key, value, alternative) in [
            ("mixing.rule", "krum", "multi-krum:B"),
            ("mixing.rule", "trimmed-mean:0", "trimmed-mean:B"),
            ("exchange.codec", "int4", "int8-row"),
            ("exchange.rounding", "up", "`stochastic`"),
            ("membership.sampling", "square", "torus"),
            ("membership.sampling", "regular:0", "a degree of at least 1"),
            ("membership.sampling", "view:3", "from 4 to 4096 peers"),
            ("training.reference_steps", "-1", "u32"),
        ] {
            let error = Layers::new().settings(&[format!("{key}={value}")]).unwrap_err().to_string();
            assert!(error.contains(&format!("--set {key}")) && error.contains(alternative), "{error}");
        }
        let error = Layers::new().settings(&["mixing.rule=push-sum".into(), "exchange.codec=top-k:5".into()]).unwrap();
        let error = error.load().unwrap_err().to_string();
        assert!(error.contains("--set exchange.codec") && error.contains("push-sum"), "{error}");
        let path = Path::new("/nonexistent/peerlearn.toml");
        assert!(Layers::new().file(path).unwrap_err().to_string().contains("/nonexistent/peerlearn.toml"));
    }

    #[test]
    fn options_without_a_default_can_be_set() {
        let config = from_file("[data]\npartition = \"shards:2\"\npart = 3\n").unwrap();
        assert_eq!((config.data.partition, config.data.part), (Some(crate::data::Partition::Shards(2)), Some(3)));
    }

    proptest! {
        #[test]
        fn any_text_is_settings_or_an_error(text in "[\\[\\]a-z_.=\"0-9\\n# -]{0,200}", bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = from_file(&text);
            let _ = from_file(&String::from_utf8_lossy(&bytes));
            let _ = Layers::new().settings(&[text]);
        }
    }
}
