//! Many image files at once, on all cores.

use std::path::Path;
use std::thread::{available_parallelism, scope};

use image::DynamicImage;

use super::geometry::{Colour, Geometry, coloured, planes, too_many};
use super::picture::Picture;
use super::summary::shape;
use super::{MAX_BYTES, picture};
use crate::DataError;

/// Most threads: each may hold a large image.
const MAX_THREADS: usize = 8;
/// Most files that an error names.
const NAMED: usize = 3;

/// What images are to become.
#[derive(Debug, Clone, Copy)]
pub(super) enum Form<'a> {
    /// This geometry.
    Geometry(&'a Geometry),
    /// What they are, where all are as the first.
    First,
    /// This shape; they are of this size, and brought to its colours.
    Input([usize; 3]),
}

/// Images of one shape.
#[derive(Debug)]
pub(super) struct Batch {
    /// Channels, height, width.
    pub(super) input: [usize; 3],
    /// Shapes: `[images, channels, height, width]`.
    pub(super) bytes: Vec<u8>,
    /// How many had 16 bits a channel.
    pub(super) deep: usize,
}

/// What is wrong with an image.
enum Fault {
    Broken(String),
    /// It has this shape.
    Differs([usize; 3]),
}

/// Images with what is wrong with them.
type Faults<'a> = Vec<(&'a Path, Fault)>;

/// Reads images, in this order. Shapes: the bytes are `[paths, product of input]`.
///
/// # Errors
/// Some are broken, or they have several shapes, or are too many.
pub(super) fn read(root: &Path, paths: &[&Path], form: Form<'_>) -> Result<Batch, DataError> {
    let wrong = |reason| DataError::File { path: root.to_owned(), reason };
    let input = match form {
        Form::Geometry(geometry) => geometry.input(),
        Form::Input(input) => input,
        Form::First => first(paths).map_err(|faults| wrong(broken(root, paths.len(), &faults)))?,
    };
    let width = input.iter().product::<usize>().max(1);
    if width as u64 * paths.len() as u64 > MAX_BYTES {
        return Err(wrong(too_many(paths.len(), &input)));
    }
    let mut bytes = vec![0; width * paths.len()];
    let threads = available_parallelism().map_or(1, usize::from).min(MAX_THREADS);
    let share = paths.len().div_ceil(threads).max(1);
    let results: Option<Vec<_>> = scope(|scope| {
        let work = paths.chunks(share).zip(bytes.chunks_mut(share * width));
        let start = |(paths, out)| scope.spawn(move || several(paths, out, input, form));
        let running: Vec<_> = work.map(start).collect();
        running.into_iter().map(|thread| thread.join().ok()).collect()
    });
    let (mut faults, mut deep) = (Faults::new(), 0);
    for (more, some) in results.ok_or_else(|| wrong("reading its images failed".to_owned()))? {
        faults.extend(more);
        deep += some;
    }
    let (differing, damaged): (Faults<'_>, Faults<'_>) =
        faults.into_iter().partition(|fault| matches!(fault.1, Fault::Differs(_)));
    match (damaged.is_empty(), differing.first()) {
        (false, _) => Err(wrong(broken(root, paths.len(), &damaged))),
        (true, Some((path, Fault::Differs(got)))) => Err(wrong(differs(root, paths, input, path, *got, form))),
        (true, _) => Ok(Batch { input, bytes, deep }),
    }
}

/// The shape of the first image that can be read.
fn first<'a>(paths: &[&'a Path]) -> Result<[usize; 3], Faults<'a>> {
    let mut faults = Faults::new();
    for path in paths {
        match picture::read(path) {
            Ok(picture) => return Ok(shape_of(&picture.image)),
            Err(reason) => faults.push((path, Fault::Broken(reason))),
        }
    }
    Err(faults)
}

fn shape_of(image: &DynamicImage) -> [usize; 3] {
    let channels = if image.color().has_color() { 3 } else { 1 };
    [channels, image.height() as usize, image.width() as usize]
}

/// What is wrong with some images, and how many had 16 bits. Shapes: `out` is `[paths, product of input]`.
fn several<'a>(paths: &[&'a Path], out: &mut [u8], input: [usize; 3], form: Form<'_>) -> (Faults<'a>, usize) {
    let (mut faults, mut deep) = (Faults::new(), 0);
    for (path, out) in paths.iter().zip(out.chunks_mut(input.iter().product::<usize>().max(1))) {
        match one(path, input, form) {
            Ok((bytes, was_deep)) => {
                out.copy_from_slice(&bytes);
                deep += usize::from(was_deep);
            }
            Err(fault) => faults.push((path, fault)),
        }
    }
    (faults, deep)
}

fn one(path: &Path, input: [usize; 3], form: Form<'_>) -> Result<(Vec<u8>, bool), Fault> {
    let Picture { mut image, deep } = picture::read(path).map_err(Fault::Broken)?;
    if let Form::Geometry(geometry) = form {
        return Ok((geometry.apply(image), deep));
    }
    if let Form::Input([channels, ..]) = form {
        image = coloured(image, if channels == 1 { Colour::Grey } else { Colour::Rgb });
    }
    match shape_of(&image) {
        own if own == input => Ok((planes(&image, input[0], [input[1], input[2]]), deep)),
        own => Err(Fault::Differs(own)),
    }
}

/// In words, which images are broken.
fn broken(root: &Path, all: usize, faults: &Faults<'_>) -> String {
    let mut words: Vec<String> = Vec::new();
    for (path, fault) in faults.iter().take(NAMED) {
        if let Fault::Broken(reason) = fault {
            words.push(format!("{} ({reason})", name(root, path)));
        }
    }
    let more = if faults.len() > NAMED { " and others" } else { "" };
    let these = format!("{}{more}; replace or remove what is damaged", words.join(", "));
    format!("{} of {all} images cannot be read: {these}", faults.len())
}

/// In words, how an image is of another shape.
fn differs(root: &Path, paths: &[&Path], want: [usize; 3], path: &Path, got: [usize; 3], form: Form<'_>) -> String {
    let (wanted, got) = (shape(&want), format!("{} is {}", name(root, path), shape(&got)));
    if let Form::Input(_) = form {
        return format!("{got}, and the model takes {wanted}; bring it to that size");
    }
    let first = paths.first().map(|first| name(root, first)).unwrap_or_default();
    let colour = if want[0] == 1 { "grey" } else { "rgb" };
    format!(
        "its images are not of one size and colour: {first} is {wanted}, but {got}; set what all are brought to, for \
         example image.size = [{}, {}] and image.colour = \"{colour}\"",
        want[1], want[2]
    )
}

/// The name of a file below a folder.
pub(super) fn name(root: &Path, path: &Path) -> String {
    let below = path.strip_prefix(root).ok().filter(|below| !below.as_os_str().is_empty());
    below.or_else(|| path.file_name().map(Path::new)).unwrap_or(path).display().to_string()
}
