//! Who learns from which rows.

use std::fs;
use std::path::{Path, PathBuf};

use peerlearn::data::records::{Dialect, open};
use peerlearn::data::{
    DataConfig, DataError, Loaded, Partition, Raw, Scaling, Source as Rows, cut_by_shares, dirichlet_shares, prepare,
};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::{DataSetup, Document, ScenarioError};

/// Least rows of a peer.
const LEAST: usize = 2;
/// Most peers that are compared with training alone: each of them is trained once more.
const MOST_COMPARED: usize = 64;
/// How a partition begins that gives each peer other columns.
const FEATURES: &str = "features:";
/// Largest file with saved parts.
const MAX_SAVED: u64 = 1 << 30;

/// Rows of every peer, partitioned: what is saved to `partition.json` and can be used again with `file:PATH`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RowAssignment {
    /// How they were partitioned.
    #[serde(default)]
    pub partition: String,
    /// The seed.
    #[serde(default)]
    pub seed: u64,
    /// Indices of training rows, of every peer.
    pub parts: Vec<Vec<usize>>,
}

/// Rows of every peer, loaded.
#[derive(Debug, Clone)]
pub struct Partitioned {
    /// Which rows.
    pub assignment: RowAssignment,
    /// The rows.
    pub parts: Vec<Loaded>,
}

/// A source with a part for each of its rows, where a column says so.
struct Source {
    rows: Rows,
    /// The word of the partition's column, of every training row and of every test row.
    column: Vec<String>,
    test_column: Vec<String>,
}

impl Source {
    /// Rows to measure a peer on that has these training rows: all, or those of its own word where a column partitions.
    fn test_for(&self, rows: &[usize]) -> Option<Raw> {
        let test = self.rows.test.as_ref()?;
        let Some(word) = rows.first().and_then(|&row| self.column.get(row)) else { return Some(test.clone()) };
        let chosen: Vec<usize> = (0..test.labels.len()).filter(|&row| self.test_column[row] == *word).collect();
        Some(test.pick(&chosen))
    }
}

/// Deals the rows of a scenario to so many peers. Where a column partitions them, each peer is measured on the test
/// rows of its own word: a hospital on its own patients.
///
/// # Errors
/// The data cannot be read, or cannot be partitioned like this.
pub fn partition_rows(
    document: &Document,
    setup: &DataSetup,
    peers: usize,
    seed: u64,
) -> Result<Partitioned, ScenarioError> {
    let wrong = |key: &str, reason: String| document.wrong(&format!("data.{key}"), reason);
    if !(0.0..=0.9).contains(&setup.validation) {
        return Err(wrong("validation", "a fraction from 0 to 0.9".to_owned()));
    }
    let (source, usable) = read_usable(document, setup, seed)?;
    let parts = assign(document, setup, &source, &usable, peers, seed).map_err(|reason| wrong("partition", reason))?;
    if let Some(poor) = parts.iter().position(|part| part.len() < LEAST) {
        let reason = format!("peer {poor} would get {} rows; at least {LEAST} are needed", parts[poor].len());
        return Err(wrong("partition", reason));
    }
    let views = feature_views(setup, &source.rows.train, peers).map_err(|reason| wrong("partition", reason))?;
    let load = |(peer, rows): (usize, &Vec<usize>)| -> Result<Loaded, DataError> {
        let Some(views) = &views else {
            let test = source.test_for(rows);
            return prepare(&source.rows, rows, test.as_ref(), setup.validation, seed);
        };
        let blind = |raw: &Raw| blinded(raw, &views[peer]);
        let mut blinded = source.rows.clone();
        (blinded.train, blinded.test) = (blind(&blinded.train), blinded.test.as_ref().map(blind));
        prepare(&blinded, rows, blinded.test.as_ref(), setup.validation, seed)
    };
    let loaded = parts.iter().enumerate().map(load).collect::<Result<_, _>>();
    let loaded = loaded.map_err(|error| wrong("source", error.to_string()))?;
    let assignment = RowAssignment { partition: setup.partition.clone(), seed, parts };
    Ok(Partitioned { assignment, parts: loaded })
}

/// All rows that [`partition_rows`] partitions, in one place, to compare with; `None` where peers see other columns, or are too
/// many to compare.
///
/// # Errors
/// As [`partition_rows`].
pub fn pooled_rows(
    document: &Document,
    setup: &DataSetup,
    peers: usize,
    seed: u64,
) -> Result<Option<Loaded>, ScenarioError> {
    if setup.partition.starts_with(FEATURES) || peers > MOST_COMPARED {
        return Ok(None);
    }
    let (source, usable) = read_usable(document, setup, seed)?;
    let pooled = prepare(&source.rows, &usable, source.rows.test.as_ref(), setup.validation, seed);
    pooled.map(Some).map_err(|error| document.wrong("data.source", error.to_string()))
}

/// The source, and which of its rows the scenario uses.
fn read_usable(document: &Document, setup: &DataSetup, seed: u64) -> Result<(Source, Vec<usize>), ScenarioError> {
    let source = read(document, setup)?;
    if source.rows.test.is_none() {
        return Err(document.wrong("data.source", "there are no rows to measure on; name some with test_where"));
    }
    let mut usable: Vec<usize> = (0..source.rows.train.labels.len()).collect();
    if setup.rows > 0 && setup.rows < usable.len() {
        usable.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
        usable.truncate(setup.rows);
        usable.sort_unstable();
    }
    Ok((source, usable))
}

fn assign(
    document: &Document,
    setup: &DataSetup,
    source: &Source,
    usable: &[usize],
    peers: usize,
    seed: u64,
) -> Result<Vec<Vec<usize>>, String> {
    let labels: Vec<u32> = usable.iter().map(|&row| source.rows.train.labels[row]).collect();
    let of_usable = |parts: Vec<Vec<usize>>| -> Vec<Vec<usize>> {
        parts.into_iter().map(|part| part.into_iter().map(|at| usable[at]).collect()).collect()
    };
    match setup.partition.split_once(':') {
        Some(("column", _)) => by_column(&source.column, usable, peers),
        Some(("quantity", alpha)) => quantity(usable, peers, alpha, seed),
        Some(("features", _)) => Partition::Iid
            .assign(&labels, source.rows.train.classes.len(), peers, seed)
            .map(of_usable)
            .map_err(|e| e.to_string()),
        Some(("file", path)) => saved(&document.folder().join(path), source.rows.train.labels.len(), peers),
        _ => {
            let partition: Partition = setup.partition.parse().map_err(|_| {
                format!(
                    "{:?} is no partition; use iid, dirichlet:ALPHA, shards:K, quantity:ALPHA, column:NAME, features:K \
                     or file:PATH",
                    setup.partition
                )
            })?;
            let partitioned = partition.assign(&labels, source.rows.train.classes.len(), peers, seed);
            partitioned.map(of_usable).map_err(|error| error.to_string())
        }
    }
}

/// Every word of the column is a peer; with more peers than words, peers of one word share its rows in turn.
fn by_column(column: &[String], usable: &[usize], peers: usize) -> Result<Vec<Vec<usize>>, String> {
    let mut words: Vec<&String> = usable.iter().map(|&row| &column[row]).collect();
    words.sort();
    words.dedup();
    if words.len() > peers {
        return Err(format!("the column has {} different words, for {peers} peers", words.len()));
    }
    let mut parts = vec![Vec::new(); peers];
    let mut turns = vec![0usize; words.len()];
    for &row in usable {
        let word = words.binary_search(&&column[row]).unwrap_or(0);
        let sharers = (peers - word).div_ceil(words.len());
        parts[word + words.len() * (turns[word] % sharers)].push(row);
        turns[word] += 1;
    }
    Ok(parts)
}

/// Rows at random, in amounts drawn from a symmetric Dirichlet distribution.
fn quantity(usable: &[usize], peers: usize, alpha: &str, seed: u64) -> Result<Vec<Vec<usize>>, String> {
    let alpha: f64 = alpha
        .parse()
        .ok()
        .filter(|alpha: &f64| alpha.is_finite() && *alpha > 0.0)
        .ok_or_else(|| format!("quantity:{alpha} needs a number above 0, such as quantity:0.5"))?;
    if usable.len() < peers * LEAST {
        return Err(format!("{} rows cannot be partitioned to {peers} peers", usable.len()));
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut rows = usable.to_vec();
    rows.shuffle(&mut rng);
    let shares = dirichlet_shares(alpha, peers, &mut rng);
    // Everybody has a few; the rest goes by the draws.
    let (few, rest) = rows.split_at(peers * LEAST);
    let mut parts: Vec<Vec<usize>> = few.chunks(LEAST).map(<[usize]>::to_vec).collect();
    parts.iter_mut().zip(cut_by_shares(rest, &shares)).for_each(|(part, piece)| part.extend(piece));
    parts.iter_mut().for_each(|part| part.sort_unstable());
    Ok(parts)
}

fn saved(path: &Path, rows: usize, peers: usize) -> Result<Vec<Vec<usize>>, String> {
    let shown = path.display();
    let size = fs::metadata(path).map_err(|error| format!("{shown}: {error}"))?.len();
    if size > MAX_SAVED {
        return Err(format!("{shown}: {size} bytes, at most {MAX_SAVED} are read"));
    }
    let text = fs::read(path).map_err(|error| format!("{shown}: {error}"))?;
    let assignment: RowAssignment = serde_json::from_slice(&text).map_err(|error| format!("{shown}: {error}"))?;
    if assignment.parts.len() != peers {
        return Err(format!("{shown}: it has parts for {} peers, the scenario has {peers}", assignment.parts.len()));
    }
    match assignment.parts.iter().flatten().find(|&&row| row >= rows) {
        Some(row) => Err(format!("{shown}: there is no row {row}; the source has {rows}")),
        None => Ok(assignment.parts),
    }
}

/// Under `features:K`, the features each peer sees: K equal groups of columns, partitioned in turn.
fn feature_views(setup: &DataSetup, train: &Raw, peers: usize) -> Result<Option<Vec<Vec<bool>>>, String> {
    let Some(groups) = setup.partition.strip_prefix(FEATURES) else { return Ok(None) };
    let width: usize = train.input.iter().product();
    let groups: usize = groups
        .parse()
        .ok()
        .filter(|groups| (1..=width).contains(groups))
        .ok_or_else(|| format!("features:{groups} needs a number from 1 to {width}, the width of a row"))?;
    let view = |peer: usize| (0..width).map(|column| column * groups / width == peer % groups).collect();
    Ok(Some((0..peers).map(view).collect()))
}

/// The rows as someone sees them who sees only some features; the others are zero.
fn blinded(raw: &Raw, sees: &[bool]) -> Raw {
    let mut blinded = raw.clone();
    let values = blinded.features.floats_mut().iter_mut();
    values.zip(sees.iter().cycle()).filter(|(_, sees)| !**sees).for_each(|(value, _)| *value = 0.0);
    blinded
}

fn read(document: &Document, setup: &DataSetup) -> Result<Source, ScenarioError> {
    let wrong = |key: &str, reason: String| document.wrong(&format!("data.{key}"), reason);
    let scaling: Scaling = setup.scaling.parse().map_err(|reason: String| wrong("scaling", reason))?;
    let path = match setup.source.as_str() {
        "digits" => PathBuf::from("digits"),
        source => document.folder().join(source),
    };
    if path.is_file() && peerlearn::data::arrays::kind_of(&path).is_none() {
        return read_table(&path, setup, scaling).map_err(|(key, reason)| wrong(key, reason));
    }
    for (key, is_set) in [("skip", !setup.skip.is_empty()), ("test_where", !setup.test_where.is_empty())] {
        if is_set {
            return Err(wrong(key, "it is for tables".to_owned()));
        }
    }
    if setup.partition.starts_with("column:") {
        return Err(wrong("partition", "column:NAME is for tables".to_owned()));
    }
    let config = DataConfig { source: path.display().to_string(), scaling, ..DataConfig::default() };
    let rows = peerlearn::data::read(&config, None, &[]).map_err(|error| wrong("source", error.to_string()))?;
    Ok(Source { rows, column: Vec::new(), test_column: Vec::new() })
}

/// The key that is wrong, and what is wrong with it.
type Wrong = (&'static str, String);

/// What the columns of a table are for.
struct Columns<'a> {
    label: &'a str,
    /// Whose words partition the rows.
    by: Option<&'a str>,
    /// Rows with this word there are for measuring.
    test: Option<(&'a str, &'a str)>,
    features: Vec<String>,
}

impl<'a> Columns<'a> {
    fn of(header: &[String], shown: &str, setup: &'a DataSetup) -> Result<Self, Wrong> {
        let find = |key: &'static str, name: &'a str| match header.iter().any(|column| column == name) {
            true => Ok(name),
            false => Err((key, format!("{shown} has no column {name:?}; it has {}", header.join(", ")))),
        };
        let label = find("label", if setup.label.is_empty() { "label" } else { &setup.label })?;
        let by = setup.partition.strip_prefix("column:").map(|name| find("partition", name)).transpose()?;
        let test = match setup.test_where.split_once('=') {
            Some((name, value)) => Some((find("test_where", name.trim())?, value.trim())),
            None if setup.test_where.is_empty() => None,
            None => return Err(("test_where", "write it as column=value".to_owned())),
        };
        setup.skip.iter().try_for_each(|name| find("skip", name).map(|_| ()))?;
        let no_feature = |column: &String| {
            let name = column.as_str();
            name == label || by == Some(name) || test.is_some_and(|(of, _)| of == name) || setup.skip.contains(column)
        };
        let features = header.iter().filter(|column| !no_feature(column)).cloned().collect();
        Ok(Self { label, by, test, features })
    }
}

/// A table: its label column, columns that are no features, and rows that are for measuring. Numbers are scaled by the training
/// rows, alike for all peers, unless the scenario says otherwise.
fn read_table(path: &Path, setup: &DataSetup, scaling: Scaling) -> Result<Source, Wrong> {
    let shown = path.display().to_string();
    let said = |error: DataError| ("source", error.to_string());
    let (reader, _) = open(path, &Dialect::default()).map_err(said)?;
    let columns = Columns::of(reader.columns(), &shown, setup)?;
    let read_as = if matches!(scaling, Scaling::Auto | Scaling::Standard) { Scaling::None } else { scaling };
    let config = DataConfig {
        source: shown,
        label: columns.label.to_owned(),
        columns: columns.features.clone(),
        scaling: read_as,
        ..DataConfig::default()
    };
    let beside: Vec<String> =
        columns.by.into_iter().chain(columns.test.map(|test| test.0)).map(str::to_owned).collect();
    let mut rows = peerlearn::data::read(&config, None, &beside).map_err(said)?;
    let mut words = std::mem::take(&mut rows.words);
    let test_words = if columns.test.is_some() { words.pop().unwrap_or_default() } else { Vec::new() };
    let by_words = words.pop().unwrap_or_default();
    let is_test = |row: &usize| columns.test.is_some_and(|(_, value)| test_words[*row] == value);
    let (test, train): (Vec<usize>, Vec<usize>) = (0..rows.train.labels.len()).partition(is_test);
    let of = |chosen: &[usize]| match by_words.is_empty() {
        true => Vec::new(),
        false => chosen.iter().map(|&row| by_words[row].clone()).collect(),
    };
    let (column, test_column) = (of(&train), of(&test));
    if !test.is_empty() {
        rows.test = Some(rows.train.pick(&test));
    }
    rows.train = rows.train.pick(&train);
    match scaling {
        Scaling::Auto => rows.scale_by(&(0..train.len()).collect::<Vec<_>>()),
        Scaling::Standard => rows.scale_per_peer(),
        Scaling::None | Scaling::Unit(_) => {}
    }
    Ok(Source { rows, column, test_column })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_differ_and_lose_no_row() {
        let usable: Vec<usize> = (100..1100).collect();
        let parts = quantity(&usable, 10, "0.3", 1).unwrap();
        let mut all: Vec<usize> = parts.iter().flatten().copied().collect();
        all.sort_unstable();
        assert_eq!(all, usable);
        let sizes: Vec<usize> = parts.iter().map(Vec::len).collect();
        assert!(sizes.iter().all(|&size| size >= LEAST) && sizes.iter().max() > Some(&250), "{sizes:?}");
        assert!(quantity(&usable, 10, "0", 1).is_err() && quantity(&usable, 600, "1", 1).is_err());
    }

    #[test]
    fn a_column_assigns_words_to_peers_in_turn() {
        let column: Vec<String> = ["b", "a", "b", "a", "b"].map(str::to_owned).into();
        let usable: Vec<usize> = (0..5).collect();
        assert_eq!(by_column(&column, &usable, 2).unwrap(), [vec![1, 3], vec![0, 2, 4]]);
        assert_eq!(by_column(&column, &usable, 4).unwrap(), [vec![1], vec![0, 4], vec![3], vec![2]]);
        assert!(by_column(&column, &usable, 1).is_err());
    }
}
