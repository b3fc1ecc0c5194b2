//! From a setting to the rows a node trains on and is measured on.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::{DataConfig, DataError, Dataset, Scaling, Values, csv, digits, idx, split};

/// Rows as they are in the source, not scaled.
#[derive(Debug, Clone, PartialEq)]
pub struct Raw {
    /// Shape of one example.
    pub input: Vec<usize>,
    /// Names of the classes.
    pub classes: Vec<String>,
    /// Shapes: `[rows, width]`.
    pub features: Values,
    /// Shapes: `[rows]`.
    pub labels: Vec<u32>,
}

/// Data ready to learn from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// Own rows to train on.
    pub train: Dataset,
    /// Own rows kept apart, if any.
    pub validation: Option<Dataset>,
    /// Rows of the source that are for measuring, if any.
    pub test: Option<Dataset>,
    /// Names of the classes.
    pub classes: Vec<String>,
    /// The scaling applied; never `auto`.
    pub scaling: Scaling,
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
        Self { train, validation, test, classes, scaling, files: Vec::new() }
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
    let (train, test, auto, files) = read(config)?;
    let rows: Vec<usize> = match config.partition {
        None => (0..train.labels.len()).collect(),
        Some(partition) => {
            let mut dealt = partition.deal(&train.labels, train.classes.len(), config.parts, config.seed)?;
            let chosen = u64::from_le_bytes(*identity.first_chunk().unwrap_or(&[0; 8])) % config.parts as u64;
            dealt.swap_remove(config.part.unwrap_or(chosen as usize))
        }
    };
    let scaling = if config.scaling == Scaling::Auto { auto } else { config.scaling };
    let mut loaded = prepare(&train, &rows, test.as_ref(), scaling, config.validation, config.seed)?;
    loaded.files = files.iter().map(|path| Fingerprint::of(path)).collect();
    Ok(loaded)
}

/// Training rows, test rows, the scaling that `auto` means for them, and the files they came from.
pub type Source = (Raw, Option<Raw>, Scaling, Vec<PathBuf>);

/// Reads the source that the settings name, whole: neither dealt nor scaled.
///
/// # Errors
/// Any [`DataError`].
pub fn read(config: &DataConfig) -> Result<Source, DataError> {
    if config.source == "digits" {
        let (train, test) = digits()?;
        return Ok((train, Some(test), Scaling::Unit(16.0), Vec::new()));
    }
    let path = Path::new(&config.source);
    if path.is_dir() {
        let (train, test, files) = idx::load(path)?;
        Ok((train, test, Scaling::Unit(255.0), files))
    } else if path.exists() {
        let test_path = (!config.test.is_empty()).then(|| PathBuf::from(&config.test));
        let (train, test) = csv::load(path, test_path.as_deref(), &config.label)?;
        Ok((train, test, Scaling::Standard, [path.to_owned()].into_iter().chain(test_path).collect()))
    } else {
        Err(DataError::Missing { path: path.to_owned() })
    }
}

/// Splits and scales some rows of a source: what [`load`] gives a node that has these rows.
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
    let width: usize = train.input.iter().product();
    let labels: Vec<u32> = rows.iter().map(|&row| train.labels[row]).collect();
    let (own, kept) = split(&labels, train.classes.len(), validation, seed);
    let pick = |picked: &[usize]| -> (Vec<f32>, Vec<u32>) {
        let features = train.features.rows(width, picked.iter().map(|&row| rows[row]));
        (features, picked.iter().map(|&row| labels[row]).collect())
    };
    let (mut own, mut kept) = (pick(&own), pick(&kept));
    let mut test = test.map(|test| (test.features.to_vec(), test.labels.clone()));
    let mut others: Vec<&mut [f32]> = vec![&mut kept.0];
    others.extend(test.as_mut().map(|test| test.0.as_mut_slice()));
    scaling.apply(width, &mut own.0, &mut others);
    let dataset = |(features, labels)| Dataset::new(train.input.clone(), train.classes.len(), features, labels);
    let validation = if kept.1.is_empty() { None } else { Some(dataset(kept)?) };
    Ok(Loaded {
        train: dataset(own)?,
        validation,
        test: test.map(dataset).transpose()?,
        classes: train.classes.clone(),
        scaling,
        files: Vec::new(),
    })
}
