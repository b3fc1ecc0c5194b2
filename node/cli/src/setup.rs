//! From the command line to what a node is told: settings, data and task.

use std::path::{Path, PathBuf};

use peerlearn::NodeConfig;
use peerlearn::config::Layers;
use peerlearn::data::add_to_map;
use peerlearn::registry;
use peerlearn::runtime::files::{Readers, WriteError, write_whole};
use peerlearn::task::Document;
use peerlearn::ticket::Ticket;

use super::args::{ConfigArgs, DataArgs};
use super::error::CliError;

/// Settings that were given with the task at the first start in a home directory.
const KEPT: &str = "settings.toml";
/// The public network of the built-in digits.
const DIGITS: &str = "digits";

/// What a node is told.
pub(super) struct Setup {
    /// Settings.
    pub config: NodeConfig,
    /// The task, where something else than settings and data says it.
    pub task: Option<Document>,
    /// Whether no data were named: then the built-in digits are learnt.
    pub no_data: bool,
    /// Whether nothing has been learnt in the home directory yet.
    pub fresh: bool,
    /// Whether a part of the source was dealt to this node, which it keeps.
    pub dealt: bool,
}

impl Setup {
    /// Deals a part of the source, where the settings ask for one and do not say which, and the node has none yet.
    pub(super) fn deal(&mut self, turn: u16) {
        let data = &mut self.config.data;
        if self.fresh && data.partition.is_some() && data.part.is_none() {
            data.part = Some(usize::from(turn) % data.parts.max(1));
            self.dealt = true;
        }
    }
}

/// Settings in their layers: what a home directory keeps, the file, the environment, `--set`.
pub(super) fn layers(args: &ConfigArgs, home: Option<&Path>) -> Result<Layers, CliError> {
    let mut layers = Layers::new();
    if let Some(kept) = home.map(|home| home.join(KEPT)).filter(|kept| kept.exists()) {
        layers = layers.file(&kept)?;
    }
    let usual = Path::new("peerlearn.toml");
    if let Some(path) = args.config.as_deref().or_else(|| usual.exists().then_some(usual)) {
        layers = layers.file(path)?;
    }
    Ok(layers.environment(std::env::vars_os())?.settings(&args.set)?)
}

/// Puts the flags of data over the settings.
pub(super) fn with_data(layers: Layers, data: &DataArgs) -> Result<Layers, CliError> {
    let path = |path: &PathBuf| toml::Value::String(path.display().to_string()).to_string();
    let source = data.data.as_deref().map(readable_twice).transpose()?;
    let test = data.test.as_deref().map(readable_twice).transpose()?;
    let mut flags = Vec::new();
    let mut flag = |key: &str, value: String, name: &str| flags.push((key.to_owned(), value, name.to_owned()));
    source.iter().for_each(|source| flag("data.source", path(source), "--data"));
    data.label.iter().for_each(|label| flag("data.label", toml::Value::String(label.clone()).to_string(), "--label"));
    test.iter().for_each(|test| flag("data.test", path(test), "--test"));
    Ok(layers.flags(flags)?)
}

/// A path that can be opened more than once, as a table is looked at before it is learnt from: what comes through standard input or
/// a pipe is put into a temporary file without a name, which lasts as long as this process.
pub(super) fn readable_twice(path: &Path) -> Result<PathBuf, CliError> {
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::FileTypeExt;
    let is_stdin = path == Path::new("-");
    if !is_stdin && !std::fs::metadata(path).is_ok_and(|about| about.file_type().is_fifo()) {
        return Ok(path.to_owned());
    }
    let spooled = || -> std::io::Result<std::fs::File> {
        let mut file = tempfile::tempfile()?;
        match is_stdin {
            true => std::io::copy(&mut std::io::stdin().lock(), &mut file)?,
            false => std::io::copy(&mut std::fs::File::open(path)?, &mut file)?,
        };
        Ok(file)
    };
    let file = spooled().map_err(|source| CliError::File { action: "read", path: path.to_owned(), source })?;
    let name = PathBuf::from(format!("/dev/fd/{}", file.as_raw_fd()));
    // It stays open until the process ends, and is gone then.
    std::mem::forget(file);
    Ok(name)
}

/// Adds what `--map` says.
pub(super) fn add_maps(config: &mut NodeConfig, maps: &[String]) -> Result<(), CliError> {
    maps.iter().try_for_each(|text| add_to_map(&mut config.data.map, text).map_err(|reason| CliError::Usage { reason }))
}

/// A task in a file, or in a ticket.
pub(super) fn read_task(what: &str) -> Result<Document, CliError> {
    if what.starts_with("peerlearn") && !Path::new(what).exists() {
        let ticket: Ticket = what.parse()?;
        return ticket.document.ok_or_else(|| CliError::Usage {
            reason: "the ticket names its task by hash only; peerlearn join fetches it".to_owned(),
        });
    }
    let path = PathBuf::from(what);
    let text = std::fs::read_to_string(&path);
    let text = text.map_err(|source| CliError::File { action: "read", path: path.clone(), source })?;
    Document::parse(&text).map_err(|error| CliError::TaskFile { path, error })
}

/// What a node in `home` is told. `joined` is the task of a ticket.
pub(super) fn setup(
    home: &Path,
    config: &ConfigArgs,
    data: &DataArgs,
    task: Option<&str>,
    joined: Option<Document>,
) -> Result<Setup, CliError> {
    let layers = with_data(layers(config, Some(home))?, data)?;
    let named = layers.is_set("task.network");
    let says_task = named || layers.is_set("task.model");
    let no_data = !layers.is_set("data.source");
    let kept = registry::task_of(home)?.map(|kept| kept.document);
    let fresh = kept.is_none();
    let public = joined.is_none() && task == Some(DIGITS);
    let task = match (joined, task) {
        (Some(joined), _) => Some(joined),
        (None, Some(DIGITS)) => None,
        (None, Some(file)) => Some(read_task(file)?),
        // Settings that name a task are stronger than what the home directory keeps; where they differ, the start says so.
        (None, None) if says_task => None,
        (None, None) => kept.clone(),
    };
    let mut config = advised(layers, task.as_ref())?.load()?;
    add_maps(&mut config, &data.map)?;
    if public {
        config.task.network = DIGITS.to_owned();
    } else if task.is_none() && !named {
        // Nobody else has this name, so nobody is met who was not told of it.
        config.task.network = kept.map_or_else(own_network, |kept| kept.definition.name);
    }
    Ok(Setup { config, task, no_data, fresh, dealt: false })
}

/// What the task advises for training, where nothing else says something.
fn advised(layers: Layers, task: Option<&Document>) -> Result<Layers, CliError> {
    let advice = task.iter().flat_map(|task| &task.charter.defaults);
    let flags = advice
        .map(|(key, value)| (format!("training.{key}"), value.to_string(), "[defaults] of the task".to_owned()))
        .filter(|(key, ..)| !layers.is_set(key))
        .collect();
    Ok(layers.flags(flags)?)
}

fn own_network() -> String {
    format!("own-{:08x}", rand::random::<u32>())
}

fn kept_nowhere(source: &str) -> bool {
    source.starts_with("/dev/fd/") || source.starts_with("/proc/self/fd/")
}

/// Remembers in a home directory which data were named at the command line, so that `run` alone goes on with them.
pub(super) fn keep_data(home: &Path, config: &NodeConfig, data: &DataArgs, dealt: bool) -> Result<(), CliError> {
    if !dealt && data.data.is_none() && data.label.is_none() && data.test.is_none() && data.map.is_empty() {
        return Ok(());
    }
    if kept_nowhere(&config.data.source) {
        super::tell("the data came through a pipe: a later start of this node needs them again, with --data");
        return Ok(());
    }
    let absolute = |text: &str| match std::path::absolute(text) {
        Ok(path) if Path::new(text).exists() => path.display().to_string(),
        _ => text.to_owned(),
    };
    let mut kept = config.data.clone();
    (kept.source, kept.test) = (absolute(&kept.source), absolute(&kept.test));
    let path = home.join(KEPT);
    let all =
        toml::Value::try_from(&kept).and_then(|all| Ok((all, toml::Value::try_from(NodeConfig::default().data)?)));
    let (all, usual) = all.map_err(|error| CliError::Usage { reason: error.to_string() })?;
    let mut section = toml::Table::new();
    for (key, value) in all.as_table().into_iter().flatten() {
        if usual.get(key) != Some(value) {
            section.insert(key.clone(), value.clone());
        }
    }
    let text = toml::Table::from_iter([("data".to_owned(), toml::Value::Table(section))]).to_string();
    let text =
        format!("# What the command line said of the data when this node was last started with such words.\n{text}");
    write_whole(&path, text.as_bytes(), Readers::Owner).map_err(|WriteError { action, path, source }| CliError::File {
        action,
        path,
        source,
    })
}
