//! The tables that the experiments read, in their own splits.

use std::path::Path;

use peerlearn_sim::Rows;

use super::table::{Builder, Text};
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
    pub train: Rows,
    /// Rows to be measured on, as measured: not normalised.
    pub test: Rows,
}

/// UCI Heart Disease as the benchmark FLamby (Ogier du Terrail et al. 2022) has it: Cleveland, Hungary, Switzerland and
/// Long Beach, 13 features, disease or not. FLamby normalises each hospital by its own training mean and deviation.
///
/// # Errors
/// As [`table`], or the header, a hospital or a set is another, or a hospital lacks rows.
pub fn heart(dir: &Path) -> Result<Vec<Hospital>, DataError> {
    let path = dir.join("heart-disease/flamby_fed_heart.csv");
    let text = Text::read(&path)?;
    let header = text.header();
    if !header.starts_with(&HEART_HEADER) || header.len() != HEART_HEADER.len() + HEART_FEATURES {
        return Err(DataError::line(
            &path,
            1,
            format!("not the header {HEART_HEADER:?} and {HEART_FEATURES} features"),
        ));
    }
    let mut builders: [[Builder; 2]; HOSPITALS] = Default::default();
    for (line, cells) in text.lines(true)? {
        let center = cells[1].parse().ok().filter(|&center: &usize| center < HOSPITALS);
        let set = ["train", "test"].iter().position(|set| *set == cells[2]);
        let (Some(center), Some(set)) = (center, set) else {
            let what = format!("no hospital {:?} with a set {:?}", cells[1], cells[2]);
            return Err(DataError::line(&path, line, what));
        };
        if !["0", "1"].contains(&cells[0]) {
            return Err(DataError::line(&path, line, format!("disease {:?} is neither 0 nor 1", cells[0])));
        }
        builders[center][set].push(&path, line, &cells[HEART_HEADER.len()..], cells[0])?;
    }
    let hospital = |[train, test]: [Builder; 2]| {
        let rows = |builder: Builder| Ok(Rows { classes: 2, ..builder.finish(&path)?.rows() });
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

/// UCI Optical Digits with its own split: 3,823 rows to train and 1,797 to test on, 64 features from 0 to 16, 10 classes.
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
