//! Rows of another file than the one that is learnt from, to measure a model on: all of them.

use std::path::Path;

use peerlearn_task::InputKind;

use super::load::{Known, Loaded, dataset, read};
use super::mapping::Labels;
use super::table::{self, Reading};
use super::{DataConfig, DataError};

/// Reads all rows of a file that a model is to be measured on: they are the `train` rows of the answer, and nothing is kept apart.
/// The file may have the names of the task where `config` has those of the file that is learnt from.
///
/// # Errors
/// Any [`DataError`]; also where it is in doubt in which unit numbers are.
pub fn measure(path: &Path, config: &DataConfig, known: Known<'_>) -> Result<Loaded, DataError> {
    let (preprocessing, schema) = (known.preprocessing.clone(), &known.preprocessing.schema);
    if schema.kind != InputKind::Table {
        let config = DataConfig { source: path.display().to_string(), partition: None, ..config.clone() };
        let source = read(&config, Some(known), &[])?;
        let test = source.test.map(|test| dataset(schema, test)).transpose()?;
        let mut loaded = Loaded::new(dataset(schema, source.train)?, None, test, preprocessing);
        (loaded.understood, loaded.notes) = (source.understood, source.notes);
        return Ok(loaded);
    }
    if path != Path::new("-") && !path.exists() {
        return Err(DataError::Missing { path: path.to_owned() });
    }
    let how = Reading { schema, charter: known.charter, numbers: &known.preprocessing.numbers, config, beside: &[] };
    let label = (!config.label.is_empty()).then_some(config.label.as_str());
    let rows = table::read(path, &how, Labels::Measured(label))?;
    let mut loaded = Loaded::new(dataset(schema, rows.rows)?, None, None, preprocessing);
    loaded.understood = vec![format!("{}: {}", path.display(), rows.understood)];
    loaded.notes = rows.notes;
    Ok(loaded)
}
