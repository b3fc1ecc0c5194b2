//! From a setting to the rows a node trains on and is measured on.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use peerlearn_protocols::dataset::pick;

use super::raw::ChooseRows;
use super::scaling::standardize;
use super::{DataConfig, DataError, Dataset, Raw, Scaling, digits, idx, split, table};

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
    let choose = |labels: &[u32], classes: usize| -> Result<Option<Vec<usize>>, DataError> {
        let Some(partition) = config.partition else { return Ok(None) };
        let mut partitioned = partition.assign(labels, classes, config.parts, config.seed)?;
        let chosen = u64::from_le_bytes(*identity.first_chunk().unwrap_or(&[0; 8])) % config.parts as u64;
        Ok(Some(partitioned.swap_remove(config.part.unwrap_or(chosen as usize))))
    };
    let (train, test, auto, files) = read_chosen(config, &choose)?;
    let rows: Vec<usize> = (0..train.labels.len()).collect();
    let scaling = if config.scaling == Scaling::Auto { auto } else { config.scaling };
    let mut loaded = prepare(&train, &rows, test.as_ref(), scaling, config.validation, config.seed)?;
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
        let (train, test, files) = idx::load(path, choose)?;
        Ok((train, test, Scaling::Unit(255.0), files))
    } else if path.exists() {
        let test_path = (!config.test.is_empty()).then(|| PathBuf::from(&config.test));
        let (train, test) = table::load(path, test_path.as_deref(), &config.label)?;
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
    let labels = pick(&train.labels, 1, rows);
    let (own, kept) = split(&labels, train.classes.len(), validation, seed);
    let of_train = |picked: &[usize]| train.pick(&pick(rows, 1, picked));
    let (mut own, mut kept, mut test) = (of_train(&own), Some(of_train(&kept)), test.cloned());
    kept.take_if(|kept| kept.labels.is_empty());
    if scaling == Scaling::Standard {
        let others = kept.iter_mut().chain(&mut test).map(|raw| raw.features.floats_mut());
        standardize(train.input.iter().product(), own.features.floats_mut(), others);
    }
    let dataset = |raw: Raw| {
        let unit = scaling.unit().unwrap_or(1.0);
        Dataset::in_units(raw.input, train.classes.len(), raw.features, unit, raw.labels)
    };
    Ok(Loaded {
        train: dataset(own)?,
        validation: kept.map(dataset).transpose()?,
        test: test.map(dataset).transpose()?,
        classes: train.classes.clone(),
        scaling,
        files: Vec::new(),
    })
}
