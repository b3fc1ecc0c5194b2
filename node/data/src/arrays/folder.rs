//! Folders of images: a folder a class, with `train` and `test` above them or not.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use peerlearn_protocols::dataset::pick;

use super::decode::{Batch, Form, name, read};
use super::geometry::Geometry;
use super::names::Names;
use super::summary::some;
use super::{Parts, picture};
use crate::raw::{ChooseRows, Raw};
use crate::{DataError, Values};

/// Folders within folders, at most.
const MAX_DEPTH: usize = 8;
/// Entries looked at to find out whether there are images.
const LOOKED_AT: usize = 10_000;

/// Where images lie.
#[derive(Debug, Default)]
struct Found {
    /// Images in order.
    images: Vec<PathBuf>,
    /// Folders that were read.
    folders: Vec<PathBuf>,
    /// How many other files there are, by what their names end in.
    others: BTreeMap<String, usize>,
    /// Folders of classes without images.
    empty: Vec<String>,
}

/// Images with their classes.
struct Classes {
    /// Those that were wanted.
    raw: Raw,
    /// How many there are in all.
    total: usize,
    found: Found,
    /// How many had 16 bits a channel.
    deep: usize,
}

/// Where the classes are.
#[derive(Debug)]
struct Layout {
    train: PathBuf,
    test: Option<PathBuf>,
    /// Folders beside them that are not read.
    left: Vec<String>,
}

/// Whether there are images in a directory or below it.
pub(super) fn has_images(directory: &Path) -> bool {
    let (mut open, mut looked) = (vec![(directory.to_owned(), 0)], 0);
    while let Some((directory, depth)) = open.pop() {
        for path in entries(&directory).unwrap_or_default() {
            looked += 1;
            match path.is_dir() {
                _ if looked > LOOKED_AT => return false,
                true if depth < MAX_DEPTH => open.push((path, depth + 1)),
                true => {}
                false if is_image(&path) => return true,
                false => {}
            }
        }
    }
    false
}

/// Reads the images of a folder with a folder for each class.
///
/// # Errors
/// There are no such folders, an image is broken, or they have several shapes and no geometry is given.
pub(super) fn load(root: &Path, geometry: Option<&Geometry>, choose: ChooseRows<'_>) -> Result<Parts, DataError> {
    if root.is_file() {
        let reason = "it is one image; name the folder that holds a folder of images for each class".to_owned();
        return Err(DataError::File { path: root.to_owned(), reason });
    }
    let layout = layout(root)?;
    let form = geometry.map_or(Form::First, Form::Geometry);
    let Classes { raw: train, total, mut found, mut deep } = classes(&layout.train, form, choose)?;
    let mut test = None;
    if let Some(path) = &layout.test {
        let more = classes(path, form, &|_, _| Ok(None))?;
        found.folders.extend(more.found.folders);
        found.empty.extend(more.found.empty);
        more.found.others.into_iter().for_each(|(ending, count)| *found.others.entry(ending).or_default() += count);
        (test, deep) = (Some(more.raw), deep + more.deep);
    }
    let notes = notes(&layout, &found, deep);
    let what = format!("images in {}, a folder a class", layout.train.display());
    Ok(Parts { train, test, files: found.folders, most: 255.0, total, what, notes })
}

/// In words, what was left out or changed.
fn notes(layout: &Layout, found: &Found, deep: usize) -> Vec<String> {
    let mut notes = Vec::new();
    if !layout.left.is_empty() {
        notes.push(format!("not read: {}", some(layout.left.clone())));
    }
    if !found.empty.is_empty() {
        notes.push(format!("no images in: {}", some(found.empty.clone())));
    }
    if !found.others.is_empty() {
        let kinds = found.others.iter().map(|(ending, count)| format!("{count} {ending}")).collect();
        notes.push(format!("files left out: {}", some(kinds)));
    }
    if deep > 0 {
        notes.push(format!("{deep} images of 16 bits a channel were brought to 8"));
    }
    notes
}

/// The images in the folders of a directory, with the names of the folders as classes.
fn classes(place: &Path, form: Form<'_>, choose: ChooseRows<'_>) -> Result<Classes, DataError> {
    let (mut found, mut names) = (Found { folders: vec![place.to_owned()], ..Found::default() }, Names::default());
    for path in entries(place)? {
        if !path.is_dir() {
            found.other(&path);
            continue;
        }
        let before = found.images.len();
        found.walk(&path, 0)?;
        let class = path.file_name().unwrap_or_default().to_string_lossy();
        (before..found.images.len()).for_each(|_| names.push(&class));
        if before == found.images.len() {
            found.empty.push(class.into_owned());
        }
    }
    let (classes, labels) = names.finish();
    if labels.is_empty() {
        let reason = match has_images(place) {
            true => "its images lie in no folder; put those of each class into a folder with its name".to_owned(),
            false => {
                let kinds = found.others.iter().map(|(ending, count)| format!("{count} {ending}")).collect();
                format!("there are no PNG or JPEG images in its folders; files there: {}", some(kinds))
            }
        };
        return Err(DataError::File { path: place.to_owned(), reason });
    }
    let total = labels.len();
    let rows = choose(&labels, classes.len())?.unwrap_or_else(|| (0..total).collect());
    let paths: Vec<&Path> = rows.iter().map(|&row| found.images[row].as_path()).collect();
    let Batch { input, bytes, deep } = read(place, &paths, form)?;
    let raw = Raw {
        input: input.to_vec(),
        classes,
        features: Values::Bytes(Arc::new(bytes)),
        labels: pick(&labels, 1, &rows),
        targets: Vec::new(),
    };
    Ok(Classes { raw, total, found, deep })
}

/// Images for predicting: those of a folder and all folders in it, or one. Without a geometry they are brought to the
/// colours of the input and have its size.
///
/// # Errors
/// An image is broken or of another size.
pub(super) fn images(
    root: &Path,
    geometry: Option<&Geometry>,
    input: &[usize],
) -> Result<(Vec<String>, Vec<usize>, Values), DataError> {
    let form = match (geometry, input) {
        (Some(geometry), _) => Form::Geometry(geometry),
        (None, &[channels @ (1 | 3), height, width]) => Form::Input([channels, height, width]),
        (None, _) => {
            let reason = format!("it holds images, and the model takes {input:?} instead of channels, height, width");
            return Err(DataError::File { path: root.to_owned(), reason });
        }
    };
    let mut found = Found::default();
    match root.is_dir() {
        true => found.walk(root, 0)?,
        false => found.images.push(root.to_owned()),
    }
    let paths: Vec<&Path> = found.images.iter().map(PathBuf::as_path).collect();
    let Batch { input, bytes, .. } = read(root, &paths, form)?;
    let names = paths.iter().map(|path| name(root, path)).collect();
    Ok((names, input.to_vec(), Values::Bytes(Arc::new(bytes))))
}

impl Found {
    /// Adds what is in a directory and in those within it.
    fn walk(&mut self, directory: &Path, depth: usize) -> Result<(), DataError> {
        self.folders.push(directory.to_owned());
        for path in entries(directory)? {
            if path.is_dir() {
                if depth >= MAX_DEPTH {
                    let reason = format!("folders within folders, more than {MAX_DEPTH} deep");
                    return Err(DataError::File { path, reason });
                }
                self.walk(&path, depth + 1)?;
            } else if is_image(&path) {
                self.images.push(path);
            } else {
                self.other(&path);
            }
        }
        Ok(())
    }

    fn other(&mut self, path: &Path) {
        let ending = path.extension().map(|extension| format!(".{}", extension.to_string_lossy().to_lowercase()));
        *self.others.entry(ending.unwrap_or_else(|| "without an ending".to_owned())).or_default() += 1;
    }
}

/// Finds `train` and `test`, or the classes themselves; a lone folder that holds them all is entered.
fn layout(root: &Path) -> Result<Layout, DataError> {
    let mut place = root.to_owned();
    loop {
        let entries = entries(&place)?;
        let folders: Vec<&PathBuf> = entries.iter().filter(|path| path.is_dir()).collect();
        // A class may be called train, and then there are images in it.
        let named = |names: &[&str]| {
            let is = |path: &&&PathBuf| {
                let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
                names.contains(&&*name) && holds_folders(path)
            };
            folders.iter().find(is).map(|path| path.to_path_buf())
        };
        if let Some(train) = named(&["train", "training"]) {
            let test = named(&["test", "testing"]).or_else(|| named(&["val", "valid", "validation"]));
            let left = folders.iter().filter(|path| **path != &train && Some(**path) != test.as_ref());
            let left = left.map(|path| name(root, path)).collect();
            return Ok(Layout { train, test, left });
        }
        match folders[..] {
            [only] if holds_folders(only) && !entries.iter().any(|path| is_image(path)) => place = only.clone(),
            _ => return Ok(Layout { train: place, test: None, left: Vec::new() }),
        }
    }
}

/// Whether there are folders in it, and no images beside them.
fn holds_folders(directory: &Path) -> bool {
    let entries = entries(directory).unwrap_or_default();
    entries.iter().any(|path| path.is_dir()) && !entries.iter().any(|path| !path.is_dir() && is_image(path))
}

/// What is in a directory, in order, without what systems put there.
fn entries(directory: &Path) -> Result<Vec<PathBuf>, DataError> {
    let failed = |source| DataError::Read { path: directory.to_owned(), source };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().to_string_lossy().to_lowercase();
        if !name.starts_with('.') && !matches!(&*name, "__macosx" | "thumbs.db" | "desktop.ini") {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

/// By its name, else by its first bytes.
fn is_image(path: &Path) -> bool {
    if picture::is_one(path, &[]) {
        return path.is_file();
    }
    let mut start = Vec::new();
    let read = |file: File| file.take(16).read_to_end(&mut start);
    path.is_file() && File::open(path).and_then(read).is_ok() && picture::is_one(path, &start)
}
