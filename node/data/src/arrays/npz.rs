//! Archives of arrays of NumPy, by the names that people give the arrays; and single arrays, for predicting.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;
use std::sync::Arc;

use zip::ZipArchive;

use super::npy::Npy;
use super::{Parts, summary};
use crate::raw::{ChooseRows, Raw};
use crate::{DataError, Values};

/// What arrays of inputs are called, without `train` and the like.
const INPUTS: [&str; 6] = ["x", "images", "image", "data", "features", "inputs"];
/// What arrays of labels are called.
const LABELS: [&str; 6] = ["y", "labels", "label", "target", "targets", "classes"];
/// What the parts to learn from are called, before or after the name; the first that is there counts.
const TRAIN: [&str; 3] = ["train", "training", ""];
/// What the parts to measure on are called.
const TEST: [&str; 5] = ["test", "testing", "val", "valid", "validation"];
/// Most classes; beyond that the labels are none.
const MAX_CLASSES: usize = 10_000;
/// Scales that values have: fractions, the digits of UCI, bytes, and 16 bits.
const SCALES: [f32; 4] = [1.0, 16.0, 255.0, 65_535.0];

/// An archive and the names of its arrays.
struct Archive<'a> {
    path: &'a Path,
    zip: ZipArchive<BufReader<File>>,
    names: Vec<String>,
}

/// Numbers as an array has them, and the largest of them.
struct Inputs {
    input: Vec<usize>,
    values: Values,
    most: f32,
}

/// Reads an archive of inputs and labels.
///
/// # Errors
/// It is no archive, holds no such arrays, or they are damaged, too large or of a kind that is not read.
pub(super) fn load(path: &Path, choose: ChooseRows<'_>) -> Result<Parts, DataError> {
    let mut archive = Archive::open(path)?;
    let names = &archive.names;
    let train = couple(names, &TRAIN).or_else(|| Some((find(names, "arr_0")?, find(names, "arr_1")?)));
    let Some(train) = train else {
        let there = summary::some(names.clone());
        let reason = format!(
            "inputs and labels are looked for as x_train and y_train (and x_test and y_test), x and y, images and \
             labels, data and target; its arrays are {there}; save it with numpy.savez(name, x=..., y=...)"
        );
        return Err(DataError::File { path: path.to_owned(), reason });
    };
    let test = couple(names, &TEST);
    let used: Vec<&String> = test.iter().chain([&train]).flat_map(|(one, other)| [one, other]).collect();
    let unused: Vec<String> = names.iter().filter(|name| !used.contains(name)).cloned().collect();
    let notes = if unused.is_empty() { Vec::new() } else { vec![format!("not read: {}", summary::some(unused))] };
    let (raw, total, mut most) = archive.rows(&train, choose)?;
    let mut tested = None;
    if let Some(test) = test {
        let (rows, _, more) = archive.rows(&test, &|_, _| Ok(None))?;
        (tested, most) = (Some(rows), most.max(more));
    }
    let what = format!("arrays {} and {} of {}", train.0, train.1, path.display());
    Ok(Parts { train: raw, test: tested, files: vec![path.to_owned()], most: scale(most), total, what, notes })
}

/// The inputs of an archive or of a single array, with the numbers of their rows from 1, and their shape.
///
/// # Errors
/// As [`load`].
pub(super) fn images(path: &Path) -> Result<(Vec<String>, Vec<usize>, Values), DataError> {
    let Inputs { input, values, .. } = match is_single(path)? {
        true => {
            let failed = |source| DataError::Read { path: path.to_owned(), source };
            let file = File::open(path).map_err(failed)?;
            let length = file.metadata().map_err(failed)?.len();
            let mut content = BufReader::new(file);
            let read = Npy::open(&mut content as &mut dyn Read, length).and_then(inputs);
            read.map_err(|reason| DataError::File { path: path.to_owned(), reason })?
        }
        false => {
            let mut archive = Archive::open(path)?;
            let parts = TEST.iter().chain(&TRAIN).filter(|part| !part.is_empty());
            let known = || [""].iter().chain(parts).find_map(|part| named(&archive.names, &INPUTS, part));
            let name = match &archive.names[..] {
                [only] => Some(only.clone()),
                names => known().or_else(|| find(names, "arr_0")),
            };
            let Some(name) = name else {
                let there = summary::some(archive.names);
                let reason = format!("inputs are looked for as x or images; its arrays are {there}");
                return Err(DataError::File { path: path.to_owned(), reason });
            };
            archive.array(&name, inputs)?
        }
    };
    let rows = values.len() / input.iter().product::<usize>().max(1);
    Ok(((1..=rows).map(|row| row.to_string()).collect(), input, values))
}

fn is_single(path: &Path) -> Result<bool, DataError> {
    let mut start = Vec::new();
    let read = File::open(path).and_then(|file| file.take(6).read_to_end(&mut start));
    read.map_err(|source| DataError::Read { path: path.to_owned(), source })?;
    Ok(start == super::npy::MAGIC)
}

impl<'a> Archive<'a> {
    fn open(path: &'a Path) -> Result<Self, DataError> {
        if is_single(path)? {
            let reason =
                "it is one array; learning needs inputs and labels: numpy.savez(name, x=..., y=...)".to_owned();
            return Err(DataError::File { path: path.to_owned(), reason });
        }
        let file = File::open(path).map_err(|source| DataError::Read { path: path.to_owned(), source })?;
        let zip = ZipArchive::new(BufReader::new(file)).map_err(|error| {
            let reason = format!("it is no .npz archive, or a damaged one: {error}");
            DataError::File { path: path.to_owned(), reason }
        })?;
        let names = zip.file_names().filter_map(|name| Some(name.ok()?.strip_suffix(".npy")?.to_owned())).collect();
        Ok(Self { path, zip, names })
    }

    /// Reads one array.
    fn array<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(Npy<&mut dyn Read>) -> Result<T, String>,
    ) -> Result<T, DataError> {
        let path = self.path;
        let wrong = |reason| DataError::File { path: path.to_owned(), reason: format!("array {name}: {reason}") };
        let mut file = self.zip.by_name(&format!("{name}.npy")).map_err(|error| wrong(error.to_string()))?;
        let length = file.size();
        Npy::open(&mut file as &mut dyn Read, length).and_then(read).map_err(wrong)
    }

    /// The rows wanted of inputs and labels with these names, how many there are in all, and the largest value.
    fn rows(
        &mut self,
        (inputs_name, labels_name): &(String, String),
        choose: ChooseRows<'_>,
    ) -> Result<(Raw, usize, f32), DataError> {
        let names = self.array(labels_name, |array| array.names())?;
        let (path, different) = (self.path.to_owned(), names.different());
        if different > MAX_CLASSES {
            let (column, got) = (labels_name.clone(), different);
            return Err(DataError::Classes { path, column, got, most: MAX_CLASSES });
        }
        let (classes, labels) = names.finish();
        let total = labels.len();
        let Inputs { input, values, most } = self.array(inputs_name, |array| match array.shape.first() {
            Some(rows) if *rows == total => inputs(array),
            rows => Err(format!("it has {} rows, and {labels_name} has {total} labels", rows.unwrap_or(&0))),
        })?;
        let raw = Raw { input, classes, features: values, labels, targets: Vec::new() };
        Ok((raw.chosen(choose)?, total, most))
    }
}

/// Reads numbers and brings images to channels, height, width.
fn inputs(array: Npy<&mut dyn Read>) -> Result<Inputs, String> {
    let (input, last) = layout(&array.shape)?;
    let (mut values, most) = array.values()?;
    if let (true, &[channels, height, width]) = (last, &input[..]) {
        let plane = height * width;
        match &mut values {
            Values::Bytes(values) => channels_first(&mut Arc::make_mut(values)[..], plane, channels),
            Values::Floats(values) => channels_first(&mut Arc::make_mut(values)[..], plane, channels),
            // Arrays are read into memory.
            Values::Stored(_) => {}
        }
    }
    Ok(Inputs { input, values, most })
}

/// The shape of an example of an array of this shape, and whether its channels are last there.
fn layout(shape: &[usize]) -> Result<(Vec<usize>, bool), String> {
    match *shape {
        [_, width] => Ok((vec![width], false)),
        [_, height, width] => Ok((vec![1, height, width], false)),
        [_, 1 | 3, _, 1 | 3] => Err(format!(
            "its shape {shape:?} may mean channels first or last; leave out the channel of grey images: (rows, height, \
             width)"
        )),
        [_, height, width, channels @ (1 | 3)] => Ok((vec![channels, height, width], true)),
        [_, channels @ (1 | 3), height, width] => Ok((vec![channels, height, width], false)),
        _ => Err(format!(
            "its shape is {shape:?}; taken are (rows, numbers), (rows, height, width), and those with 1 or 3 channels, \
             last or before the height"
        )),
    }
}

/// Moves the channels of every image to the front.
///
/// Shapes: `[images, plane, channels]` becomes `[images, channels, plane]`.
fn channels_first<T: Copy>(values: &mut [T], plane: usize, channels: usize) {
    let mut image = Vec::with_capacity(plane * channels);
    for values in values.chunks_exact_mut((plane * channels).max(1)) {
        image.clear();
        image.extend_from_slice(values);
        for (at, value) in image.iter().enumerate() {
            values[at % channels * plane + at / channels] = *value;
        }
    }
}

/// The names of inputs and labels of the first of these parts that has both.
fn couple(names: &[String], parts: &[&str]) -> Option<(String, String)> {
    parts.iter().find_map(|part| Some((named(names, &INPUTS, part)?, named(names, &LABELS, part)?)))
}

/// The first of these names that is there, with the part before or after it.
fn named(names: &[String], wanted: &[&str], part: &str) -> Option<String> {
    wanted.iter().find_map(|name| match part.is_empty() {
        true => find(names, name),
        false => {
            let forms = [format!("{name}_{part}"), format!("{part}_{name}"), format!("{name}{part}")];
            forms.iter().find_map(|form| find(names, form))
        }
    })
}

fn find(names: &[String], wanted: &str) -> Option<String> {
    names.iter().find(|name| name.eq_ignore_ascii_case(wanted)).cloned()
}

/// The scale of values of which the largest is `most`: the same for two people, one of whom lacks the very largest.
fn scale(most: f32) -> f32 {
    SCALES.into_iter().find(|scale| most <= *scale).unwrap_or(most)
}
