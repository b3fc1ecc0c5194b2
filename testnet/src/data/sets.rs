//! The tables that the experiments read, in their own splits.

use std::path::Path;

use peerlearn::data::csv::CsvReader;
use peerlearn_protocols::dataset::Dataset;

use super::table::Builder;
use super::{DataError, Table, table};

/// Hospitals in the heart disease data.
const HOSPITALS: usize = 4;
/// Columns before the features in the heart disease data.
const HEART_HEADER: [&str; 3] = ["disease", "center", "set"];
/// Features in the heart disease data.
const HEART_FEATURES: usize = 13;

/// The patients of one hospital, split as FLamby splits them.
#[derive(Debug, Clone)]
pub struct Hospital {
    /// Rows to learn from, as measured: not normalised.
    pub train: Dataset,
    /// Rows to be measured on, as measured: not normalised.
    pub test: Dataset,
}

/// UCI Heart Disease as the benchmark FLamby (Ogier du Terrail et al. 2022) has it: Cleveland, Hungary, Switzerland and
/// Long Beach, 13 features, disease or not. FLamby normalises each hospital by its own training mean and deviation.
///
/// # Errors
/// As [`table`], or the header, a hospital or a set is another, or a hospital lacks rows.
pub fn heart(dir: &Path) -> Result<Vec<Hospital>, DataError> {
    let path = dir.join("heart-disease/flamby_fed_heart.csv");
    let mut reader = CsvReader::open(&path, true)?;
    let (header, width) = (reader.header(), HEART_HEADER.len() + HEART_FEATURES);
    if header.len() != width || !header.iter().zip(HEART_HEADER).all(|(got, want)| got == want) {
        let what = format!("not the header {HEART_HEADER:?} and {HEART_FEATURES} features");
        return Err(DataError::line(&path, 1, what));
    }
    let mut builders: [[Builder; 2]; HOSPITALS] = Default::default();
    while let Some(row) = reader.next_row()? {
        let center = row.cell(1).parse().ok().filter(|&center: &usize| center < HOSPITALS);
        let set = ["train", "test"].iter().position(|set| *set == row.cell(2));
        let (Some(center), Some(set)) = (center, set) else {
            return Err(row.wrong(format!("no hospital {:?} with a set {:?}", row.cell(1), row.cell(2))).into());
        };
        if !["0", "1"].contains(&row.cell(0)) {
            return Err(row.wrong(format!("disease {:?} is neither 0 nor 1", row.cell(0))).into());
        }
        builders[center][set].push(&row, HEART_HEADER.len()..width, 0)?;
    }
    let hospital = |[train, test]: [Builder; 2]| {
        let rows = |builder: Builder| Ok::<_, DataError>(Table { classes: 2, ..builder.finish(&path)? }.rows()?);
        Ok(Hospital { train: rows(train)?, test: rows(test)? })
    };
    builders.into_iter().map(hospital).collect()
}

/// UCI Spambase: 4,601 mails, 57 features, spam (1) or not (0), spam first.
///
/// # Errors
/// As [`table`], or the shape is another.
pub fn spambase(dir: &Path) -> Result<Table, DataError> {
    shaped(&dir.join("spambase/spambase.data.gz"), (4601, 57), 2)
}

/// UCI Pen Digits with its own split: 7,494 rows to train and 3,498 to test on, 16 features from 0 to 100, 10 classes.
///
/// # Errors
/// As [`table`], or the shape is another.
pub fn pendigits(dir: &Path) -> Result<(Table, Table), DataError> {
    let part = |name: &str, rows| shaped(&dir.join("pendigits").join(name), (rows, 16), 10);
    Ok((part("pendigits.tra.gz", 7494)?, part("pendigits.tes.gz", 3498)?))
}

/// UCI Optical Digits with its own split: 3,823 rows to train and 1,797 to test on, 64 features from 0 to 16, 10
/// classes.
///
/// # Errors
/// As [`table`], or the shape is another.
pub fn optdigits(dir: &Path) -> Result<(Table, Table), DataError> {
    let part = |name: &str, rows| shaped(&dir.join("optdigits").join(name), (rows, 64), 10);
    Ok((part("optdigits.tra.gz", 3823)?, part("optdigits.tes.gz", 1797)?))
}

/// A table without a header that must have `shape` and `classes`.
fn shaped(path: &Path, shape: (usize, usize), classes: usize) -> Result<Table, DataError> {
    let table = table(path, false)?;
    if (table.len(), table.width) != shape || table.classes != classes {
        let (rows, width, found) = (table.len(), table.width, table.classes);
        let what = format!("{rows} rows of {width} in {found} classes, instead of {shape:?} in {classes}");
        return Err(DataError::format(path, what));
    }
    Ok(table)
}
