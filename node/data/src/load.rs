//! From a setting to the rows a node trains on and is measured on.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use peerlearn_protocols::dataset::{Loss, pick};
use peerlearn_task::{Charter, FrameRule, InputKind, Moments, Numbers, OutputKind, Scale, Schema, SlotKind};

use super::finding::Finding;
use super::mapping::Labels;
use super::raw::ChooseRows;
use super::records::is_table;
use super::split::split_numbers;
use super::table::{self, Reading};
use super::{DataConfig, DataError, Dataset, Preprocessing, Raw, Scaling, arrays, digits, own};

/// Data ready to learn from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// Own rows to train on.
    pub train: Dataset,
    /// Own rows kept apart, if any.
    pub validation: Option<Dataset>,
    /// Rows of the source that are for measuring, if any.
    pub test: Option<Dataset>,
    /// How rows became these, for rows to come.
    pub preprocessing: Preprocessing,
    /// What the readers made of the files, one sentence each.
    pub understood: Vec<String>,
    /// What somebody should know of the files.
    pub notes: Vec<String>,
    /// Moments of the number columns of the own rows to train on, where peers agree on numbers; else none.
    pub moments: BTreeMap<String, Moments>,
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
        preprocessing: Preprocessing,
    ) -> Self {
        let (understood, notes, moments, files) = (Vec::new(), Vec::new(), BTreeMap::new(), Vec::new());
        Self { train, validation, test, preprocessing, understood, notes, moments, files }
    }

    /// Rows of one shape without names, in so many named classes; see [`Schema::array`].
    pub fn unnamed(train: Dataset, validation: Option<Dataset>, test: Option<Dataset>, classes: Vec<String>) -> Self {
        let schema = Schema::array(train.input().to_vec(), 1.0, classes);
        Self::new(train, validation, test, Preprocessing::of(schema))
    }

    /// The same rows, trained on with this loss.
    ///
    /// # Errors
    /// It does not go with the kind of answer.
    pub fn with_loss(mut self, loss: Loss) -> Result<Self, DataError> {
        let with = |rows: Dataset| rows.with_loss(loss);
        self.train = with(self.train)?;
        self.validation = self.validation.map(with).transpose()?;
        self.test = self.test.map(with).transpose()?;
        Ok(self)
    }

    /// Names of the classes; none where the answer is a number.
    pub fn classes(&self) -> &[String] {
        self.preprocessing.schema.classes()
    }

    /// The files that no longer look as they did when they were read. The rows in memory stay what they were.
    pub fn changed(&self) -> Vec<PathBuf> {
        let changed = |file: &&Fingerprint| Fingerprint::of(&file.path) != **file;
        self.files.iter().filter(changed).map(|file| file.path.clone()).collect()
    }
}

/// What is known of a task before data are read.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// What goes in and out, and by what numbers are scaled.
    pub preprocessing: &'a Preprocessing,
    /// Aliases and plausible ranges.
    pub charter: &'a Charter,
}

/// Loads what the settings name. `identity` decides the part when the settings do not. Without a task, the file says what its
/// columns are.
///
/// # Errors
/// Any [`DataError`].
pub fn load(config: &DataConfig, identity: &[u8; 32], known: Option<Known<'_>>) -> Result<Loaded, DataError> {
    let choose = |labels: &[u32], classes: usize| -> Result<Option<Vec<usize>>, DataError> {
        let Some(partition) = config.partition else { return Ok(None) };
        let mut partitioned = partition.assign(labels, classes, config.parts, config.seed)?;
        let chosen = u64::from_le_bytes(*identity.first_chunk().unwrap_or(&[0; 8])) % config.parts as u64;
        Ok(Some(partitioned.swap_remove(config.part.unwrap_or(chosen as usize))))
    };
    let source = read_chosen(config, known, &[], &choose)?;
    let mut loaded = prepare_rows(&source, None, source.test.as_ref(), config.validation, config.seed)?;
    loaded.files = source.files.iter().map(|path| Fingerprint::of(path)).collect();
    Ok(loaded)
}

/// A source, read whole: not partitioned.
#[derive(Debug, Clone)]
pub struct Source {
    /// How its rows became inputs; where each peer scales by its own rows, they are not scaled yet.
    pub preprocessing: Preprocessing,
    /// Rows to train on.
    pub train: Raw,
    /// Rows to measure on, if it has some.
    pub test: Option<Raw>,
    /// Words of the columns asked for beside, of every training row, `[columns][rows]`.
    pub words: Vec<Vec<String>>,
    /// What the readers made of the files, one sentence each.
    pub understood: Vec<String>,
    /// What somebody should know.
    pub notes: Vec<String>,
    files: Vec<PathBuf>,
    /// Whether the numbers that each peer scales by for itself are known already.
    own_numbers: bool,
}

impl Source {
    /// Scales the numbers of a table by these training rows, for all who use the source: what an owner who has them would write
    /// into a task. The source must have been read unscaled, with [`Scaling::None`].
    pub fn scale_by(&mut self, rows: &[usize]) {
        let slots = self.preprocessing.schema.slots();
        let some = self.train.pick(rows);
        let mut scales = Vec::new();
        // Rows that cannot be read are refused whenever they are to be learnt from.
        let moments = own::moments(&some.features, slots.len()).unwrap_or_default();
        for (slot, moments) in slots.iter().zip(moments) {
            let column =
                self.preprocessing.schema.columns.get_mut(&slot.column).filter(|_| slot.kind == SlotKind::Number);
            scales.push(column.and_then(|column| {
                let (mean, sd) = moments.rounded()?;
                (column.mean, column.sd) = (Some(mean), Some(sd));
                column.outlier = peerlearn_task::Outlier::Clamp;
                Some(Scale { mean: mean.get(), sd: sd.get() })
            }));
        }
        let by = own::rescale(&scales, self.preprocessing.schema.frame.clip.get());
        for raw in [Some(&mut self.train), self.test.as_mut()].into_iter().flatten() {
            raw.features.rescale(&by);
        }
        self.preprocessing.numbers = Numbers::declared(&self.preprocessing.schema);
    }

    /// Lets each peer scale by its own rows. The source must have been read unscaled, with [`Scaling::None`].
    pub fn scale_per_peer(&mut self) {
        let schema = &mut self.preprocessing.schema;
        schema.frame.rule = FrameRule::PerPeer;
        schema.columns.values_mut().for_each(|column| (column.mean, column.sd) = (None, None));
        self.preprocessing.numbers = Numbers::declared(schema);
    }
}

/// Reads the source that the settings name, whole. Of a table, the words of the columns `beside` are kept too.
///
/// # Errors
/// Any [`DataError`].
pub fn read(config: &DataConfig, known: Option<Known<'_>>, beside: &[String]) -> Result<Source, DataError> {
    read_chosen(config, known, beside, &|_, _| Ok(None))
}

/// Reads the training rows that are wanted of the source that the settings name, and all test rows.
fn read_chosen(
    config: &DataConfig,
    known: Option<Known<'_>>,
    beside: &[String],
    choose: ChooseRows<'_>,
) -> Result<Source, DataError> {
    if config.source == "digits" {
        let (train, test) = digits()?;
        let preprocessing = Preprocessing::of(Schema::array(train.input.clone(), 16.0, train.classes.clone()));
        if let Some(known) = known.filter(|known| known.preprocessing.schema != preprocessing.schema) {
            return Err(not_the_digits(known.preprocessing));
        }
        return Ok(Source {
            preprocessing,
            train: train.chosen(choose)?,
            test: Some(test),
            words: Vec::new(),
            understood: Vec::new(),
            notes: Vec::new(),
            files: Vec::new(),
            own_numbers: false,
        });
    }
    let path = Path::new(&config.source);
    if config.source != "-" && !path.exists() {
        return Err(DataError::Missing { path: path.to_owned() });
    }
    if let Some(known) = known {
        contradictions(path, config, &known.preprocessing.schema)?;
    }
    let is_arrays = config.source != "-" && (arrays::kind_of(path).is_some() || path.is_dir() && !is_table(path));
    match known.map(|known| known.preprocessing.schema.kind) {
        Some(InputKind::Table) => {}
        Some(_) => return read_arrays(path, config, known, choose),
        None if is_arrays => return read_arrays(path, config, known, choose),
        None => {}
    }
    read_table(path, config, known, beside, choose)
}

/// Settings that say something else than the task.
fn contradictions(path: &Path, config: &DataConfig, schema: &Schema) -> Result<(), DataError> {
    let wrong = |reason: String| Err(DataError::File { path: path.to_owned(), reason });
    let mut columns = config.columns.clone();
    columns.sort();
    if !columns.is_empty() && !columns.iter().eq(schema.columns.keys()) {
        let theirs = schema.columns.keys().take(20).cloned().collect::<Vec<_>>().join(", ");
        return wrong(format!("data.columns names {}, the task learns from {theirs}", columns.join(", ")));
    }
    let classes = super::raw::classes_of(config.classes.clone());
    if !classes.is_empty() && classes != schema.classes() {
        return wrong(format!(
            "data.classes names {}, the task has {}",
            classes.join(", "),
            schema.classes().join(", ")
        ));
    }
    let alike = |by: f64| {
        let numeric = |column: &&peerlearn_task::Column| column.kind.is_numeric();
        let is = |number: Option<peerlearn_task::Real>, want: f64| number.is_some_and(|number| number.get() == want);
        schema.columns.values().filter(numeric).all(|column| is(column.mean, 0.0) && is(column.sd, by))
    };
    let fits = match (config.scaling, schema.kind) {
        (Scaling::Auto, _) => true,
        (Scaling::Standard, InputKind::Table) => schema.frame.rule == FrameRule::PerPeer,
        (Scaling::None, InputKind::Table) => alike(1.0),
        (Scaling::Unit(by), InputKind::Table) => alike(f64::from(by)),
        (scaling, _) => scaling.unit() == schema.most(),
    };
    match fits {
        true => Ok(()),
        false => wrong(format!("data.scaling is {}, and the task says otherwise; leave it out", config.scaling)),
    }
}

fn not_the_digits(known: &Preprocessing) -> DataError {
    let reason = format!(
        "the task learns from {}, and no data were named; name yours with --data, or data.source in the settings",
        in_words(&known.schema)
    );
    DataError::File { path: PathBuf::from("digits"), reason }
}

/// What a schema takes, in words.
pub(super) fn in_words(schema: &Schema) -> String {
    let shape: Vec<String> = schema.shape().iter().map(usize::to_string).collect();
    match schema.kind {
        InputKind::Table => format!("tables of {} columns", schema.columns.len()),
        InputKind::Image => format!("pictures of {}", shape.join("x")),
        InputKind::Array => format!("arrays of {}", shape.join("x")),
    }
}

fn read_arrays(
    path: &Path,
    config: &DataConfig,
    known: Option<Known<'_>>,
    choose: ChooseRows<'_>,
) -> Result<Source, DataError> {
    if !config.columns.is_empty() {
        let reason = "images have no columns; leave out data.columns".to_owned();
        return Err(DataError::File { path: path.to_owned(), reason });
    }
    let of_task = known.and_then(|known| known.preprocessing.schema.image.as_ref()).map(arrays::Geometry::of);
    let geometry = of_task.or_else(|| config.image.clone());
    let arrays::Arrays { mut train, mut test, files, understood, most } =
        arrays::load(path, geometry.as_ref(), choose)?;
    let preprocessing = match known {
        Some(known) => known.preprocessing.clone(),
        None => {
            let most = config.scaling.unit().filter(|_| config.scaling != Scaling::Auto).unwrap_or(most);
            let classes = if config.classes.is_empty() { train.classes.clone() } else { config.classes.clone() };
            if let [class] = &classes[..] {
                let reason = format!("every label is {class}; 2 or more classes are needed");
                return Err(DataError::File { path: path.to_owned(), reason });
            }
            let schema = match &geometry {
                Some(geometry) => geometry.schema(most, classes),
                None => Schema::array(train.input.clone(), most, classes),
            };
            Preprocessing::of(schema)
        }
    };
    let schema = &preprocessing.schema;
    if train.input != schema.shape() {
        let reason = format!("its examples have shape {:?}, the task wants {}", train.input, in_words(schema));
        return Err(DataError::File { path: path.to_owned(), reason });
    }
    for raw in [Some(&mut train), test.as_mut()].into_iter().flatten() {
        raw.declare(path, schema.classes())?;
    }
    let (understood, notes) = (vec![understood], Vec::new());
    Ok(Source { preprocessing, train, test, words: Vec::new(), understood, notes, files, own_numbers: false })
}

fn read_table(
    path: &Path,
    config: &DataConfig,
    known: Option<Known<'_>>,
    beside: &[String],
    choose: ChooseRows<'_>,
) -> Result<Source, DataError> {
    let test_path = (!config.test.is_empty()).then(|| PathBuf::from(&config.test));
    let no_words = Charter::default();
    let (preprocessing, charter, mut notes) = match known {
        Some(known) => (known.preprocessing.clone(), known.charter, Vec::new()),
        None => {
            let (schema, findings) = table::schema_of(path, test_path.as_deref(), config)?;
            let notes = findings.iter().map(Finding::sentence).collect();
            (Preprocessing::of(schema), &no_words, notes)
        }
    };
    let how = Reading { schema: &preprocessing.schema, charter, numbers: &preprocessing.numbers, config, beside };
    let label = (!config.label.is_empty()).then_some(config.label.as_str());
    let train = table::read(path, &how, Labels::Wanted(label))?;
    let how = Reading { beside: &[], ..how };
    let test = test_path.as_deref().map(|test| table::read(test, &how, Labels::Measured(label))).transpose()?;
    let mut understood = vec![format!("{}: {}", path.display(), train.understood)];
    if let (Some(path), Some(test)) = (&test_path, &test) {
        understood.push(format!("{}: {}", path.display(), test.understood));
    }
    notes.extend(train.notes);
    notes.extend(test.iter().flat_map(|test| test.notes.iter().map(|note| format!("test rows: {note}"))));
    let files = [path.to_owned()].into_iter().filter(|path| path.as_os_str() != "-").chain(test_path).collect();
    let own_numbers = preprocessing.is_own() && known.is_some_and(|known| !known.preprocessing.is_untouched());
    Ok(Source {
        train: train.rows.chosen(choose)?,
        test: test.map(|test| test.rows),
        words: train.words,
        understood,
        notes,
        files,
        own_numbers,
        preprocessing,
    })
}

/// Splits some rows of a source and makes them ready to learn from: what [`load`] gives a node that has these rows. Test rows
/// that are bytes are shared with the source.
///
/// Shapes: `rows` are indices into the training rows; `validation` is the fraction of them kept apart, chosen by `seed`.
///
/// # Errors
/// A value is not finite after scaling, or a label is out of range.
///
/// # Panics
/// An index is beyond the training rows.
pub fn prepare(
    source: &Source,
    rows: &[usize],
    test: Option<&Raw>,
    validation: f64,
    seed: u64,
) -> Result<Loaded, DataError> {
    prepare_rows(source, Some(rows), test, validation, seed)
}

/// The same of these rows, or of all.
fn prepare_rows(
    source: &Source,
    rows: Option<&[usize]>,
    test: Option<&Raw>,
    validation: f64,
    seed: u64,
) -> Result<Loaded, DataError> {
    let (train, schema) = (&source.train, &source.preprocessing.schema);
    let labels = rows.map_or(Cow::Borrowed(&train.labels[..]), |rows| Cow::Owned(pick(&train.labels, 1, rows)));
    let (own, kept) = split_numbers(&labels, train.classes.len().max(1), validation, seed);
    let of_train = |picked: Vec<u32>| match rows {
        None => train.pick_numbers(&picked),
        Some(rows) => train.pick(&picked.iter().map(|row| rows[*row as usize]).collect::<Vec<_>>()),
    };
    let (mut own, mut kept, mut test) = (of_train(own), Some(of_train(kept)), test.cloned());
    kept.take_if(|kept| kept.labels.is_empty());
    let mut preprocessing = source.preprocessing.clone();
    if schema.frame.rule == FrameRule::PerPeer && !source.own_numbers {
        let scales = own::scales(schema, &own.features)?;
        let by = own::rescale(&scales, schema.frame.clip.get());
        for raw in kept.iter_mut().chain(&mut test).chain([&mut own]) {
            raw.features.rescale(&by);
        }
        let numeric =
            schema.slots().into_iter().zip(&scales).filter_map(|(slot, scale)| Some((slot.column, (*scale)?)));
        preprocessing.numbers = Numbers(numeric.collect());
    }
    let moments = match (schema.kind, schema.frame.rule) {
        (InputKind::Table, FrameRule::Agreed) => own::of_columns(schema, &own.features)?,
        _ => BTreeMap::new(),
    };
    Ok(Loaded {
        train: dataset(schema, own)?,
        validation: kept.map(|kept| dataset(schema, kept)).transpose()?,
        test: test.map(|test| dataset(schema, test)).transpose()?,
        preprocessing,
        understood: source.understood.clone(),
        notes: source.notes.clone(),
        moments,
        files: Vec::new(),
    })
}

pub(super) fn dataset(schema: &Schema, raw: Raw) -> Result<Dataset, DataError> {
    let unit = schema.most().unwrap_or(1.0);
    if schema.output.kind == OutputKind::Number {
        let sd = schema.output.sd.map_or(1.0, peerlearn_task::Real::get) as f32;
        let rows = Dataset::numbers_in_units(raw.input, raw.features, 1.0, raw.targets)?;
        return Ok(rows.with_number_unit(sd)?);
    }
    let rows = Dataset::in_units(raw.input, schema.classes().len(), raw.features, unit, raw.labels)?;
    match schema.output.class_weights() {
        Some(weights) => Ok(rows.with_class_weights(weights)?),
        None => Ok(rows),
    }
}
