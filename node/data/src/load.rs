//! From a setting to the rows a node trains on and is measured on.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use peerlearn_protocols::dataset::pick;

use super::raw::ChooseRows;
use super::scaling::{moments, standardize};
use super::{DataConfig, DataError, Dataset, Preprocessing, Raw, Scaling, digits, idx, split, table};

/// Data ready to learn from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// Own rows to train on.
    pub train: Dataset,
    /// Own rows kept apart, if any.
    pub validation: Option<Dataset>,
    /// Rows of the source that are for measuring, if any.
    pub test: Option<Dataset>,
    /// Names of the features of a table, in the order of the inputs; empty for images.
    pub columns: Vec<String>,
    /// Names of the classes.
    pub classes: Vec<String>,
    /// The scaling applied; never `auto`.
    pub scaling: Scaling,
    /// Mean and standard deviation of every feature, under `standard`; else empty.
    moments: Vec<(f32, f32)>,
    files: Vec<Fingerprint>,
}

/// How a file looked when it was read.
#[derive(Debug, Clone, PartialEq)]
struct Fingerprint {
    path: PathBuf,
    state: Option<(u64, SystemTime)>,
}

impl Fingerprint {
    fn of(path: &Path) -> Self {
        let metadata = std::fs::metadata(path).ok();
        Self { path: path.to_owned(), state: metadata.and_then(|m| Some((m.len(), m.modified().ok()?))) }
    }
}

impl Loaded {
    /// Rows that come from elsewhere than a file that this crate reads.
    pub fn new(
        train: Dataset,
        validation: Option<Dataset>,
        test: Option<Dataset>,
        classes: Vec<String>,
        scaling: Scaling,
    ) -> Self {
        Self { train, validation, test, columns: Vec::new(), classes, scaling, moments: Vec::new(), files: Vec::new() }
    }

    /// The same rows with names for their features, in the order of the inputs.
    pub fn with_columns(self, columns: Vec<String>) -> Self {
        Self { columns, ..self }
    }

    /// How rows became these, for rows to come.
    pub fn preprocessing(&self) -> Preprocessing {
        Preprocessing {
            input: self.train.input().to_vec(),
            columns: self.columns.clone(),
            classes: self.classes.clone(),
            scaling: self.scaling,
            moments: self.moments.clone(),
        }
    }

    /// The files that no longer look as they did when they were read. The rows in memory stay what they were.
    pub fn changed(&self) -> Vec<PathBuf> {
        let changed = |file: &&Fingerprint| Fingerprint::of(&file.path) != **file;
        self.files.iter().filter(changed).map(|file| file.path.clone()).collect()
    }
}

/// Loads what the settings name. `identity` decides the part when the settings do not.
///
/// # Errors
/// Any [`DataError`].
pub fn load(config: &DataConfig, identity: &[u8; 32]) -> Result<Loaded, DataError> {
    load_as(config, identity, None)
}

/// As [`load`], and scales the rows as those were scaled that a model has learnt from, where the columns are the same.
///
/// # Errors
/// Any [`DataError`].
pub fn load_as(config: &DataConfig, identity: &[u8; 32], before: Option<&Preprocessing>) -> Result<Loaded, DataError> {
    let choose = |labels: &[u32], classes: usize| -> Result<Option<Vec<usize>>, DataError> {
        let Some(partition) = config.partition else { return Ok(None) };
        let mut partitioned = partition.assign(labels, classes, config.parts, config.seed)?;
        let chosen = u64::from_le_bytes(*identity.first_chunk().unwrap_or(&[0; 8])) % config.parts as u64;
        Ok(Some(partitioned.swap_remove(config.part.unwrap_or(chosen as usize))))
    };
    let (train, test, auto, files) = read_chosen(config, &choose)?;
    let rows: Vec<usize> = (0..train.labels.len()).collect();
    let scaling = if config.scaling == Scaling::Auto { auto } else { config.scaling };
    let known = before.filter(|before| before.fits(&train.columns, scaling)).map(|before| &before.moments[..]);
    let mut loaded = prepared(&train, &rows, test.as_ref(), scaling, known, (config.validation, config.seed))?;
    loaded.files = files.iter().map(|path| Fingerprint::of(path)).collect();
    Ok(loaded)
}

/// Training rows, test rows, the scaling that `auto` means for them, and the files they came from.
pub type Source = (Raw, Option<Raw>, Scaling, Vec<PathBuf>);

/// Reads the source that the settings name, whole: neither partitioned nor scaled.
///
/// # Errors
/// Any [`DataError`].
pub fn read(config: &DataConfig) -> Result<Source, DataError> {
    read_chosen(config, &|_, _| Ok(None))
}

/// Reads the training rows that are wanted of the source that the settings name, and all test rows.
fn read_chosen(config: &DataConfig, choose: ChooseRows<'_>) -> Result<Source, DataError> {
    if config.source == "digits" {
        let (train, test) = digits()?;
        return Ok((train.chosen(choose)?, Some(test), Scaling::Unit(16.0), Vec::new()));
    }
    let path = Path::new(&config.source);
    if path.is_dir() {
        if !config.columns.is_empty() {
            let reason = "images have no columns; leave out data.columns".to_owned();
            return Err(DataError::File { path: path.to_owned(), reason });
        }
        let (mut train, mut test, files) = idx::load(path, choose)?;
        [Some(&mut train), test.as_mut()]
            .into_iter()
            .flatten()
            .try_for_each(|raw| raw.declare(path, &config.classes))?;
        Ok((train, test, Scaling::Unit(255.0), files))
    } else if path.exists() {
        let test_path = (!config.test.is_empty()).then(|| PathBuf::from(&config.test));
        let (train, test) = table::load(path, test_path.as_deref(), config)?;
        let files = [path.to_owned()].into_iter().chain(test_path).collect();
        Ok((train.chosen(choose)?, test, Scaling::Standard, files))
    } else {
        Err(DataError::Missing { path: path.to_owned() })
    }
}

/// Splits and scales some rows of a source: what [`load`] gives a node that has these rows. Test rows that are bytes
/// are shared with the source.
///
/// Shapes: `rows` are indices into `train`; `validation` is the fraction of them kept apart, chosen by `seed`.
///
/// # Errors
/// A value is not finite after scaling, or a label is out of range.
///
/// # Panics
/// An index is beyond the rows of `train`.
pub fn prepare(
    train: &Raw,
    rows: &[usize],
    test: Option<&Raw>,
    scaling: Scaling,
    validation: f64,
    seed: u64,
) -> Result<Loaded, DataError> {
    prepared(train, rows, test, scaling, None, (validation, seed))
}

/// `known` are moments to scale by in place of those of the rows; the last argument is the part kept apart, and its seed.
fn prepared(
    train: &Raw,
    rows: &[usize],
    test: Option<&Raw>,
    scaling: Scaling,
    known: Option<&[(f32, f32)]>,
    (validation, seed): (f64, u64),
) -> Result<Loaded, DataError> {
    let labels = pick(&train.labels, 1, rows);
    let (own, kept) = split(&labels, train.classes.len(), validation, seed);
    let of_train = |picked: &[usize]| train.pick(&pick(rows, 1, picked));
    let (mut own, mut kept, mut test) = (of_train(&own), Some(of_train(&kept)), test.cloned());
    kept.take_if(|kept| kept.labels.is_empty());
    let mut moments_used = Vec::new();
    if scaling == Scaling::Standard {
        let width = train.input.iter().product();
        moments_used = known.map_or_else(|| moments(width, own.features.floats_mut()), <[(f32, f32)]>::to_vec);
        for raw in kept.iter_mut().chain(&mut test).chain([&mut own]) {
            standardize(width, raw.features.floats_mut(), &moments_used);
        }
    }
    let dataset = |raw: Raw| {
        let unit = scaling.unit().unwrap_or(1.0);
        Dataset::in_units(raw.input, train.classes.len(), raw.features, unit, raw.labels)
    };
    Ok(Loaded {
        train: dataset(own)?,
        validation: kept.map(dataset).transpose()?,
        test: test.map(dataset).transpose()?,
        columns: train.columns.clone(),
        classes: train.classes.clone(),
        scaling,
        moments: moments_used,
        files: Vec::new(),
    })
}
