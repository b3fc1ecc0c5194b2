//! What was read, in words.

use std::path::Path;

use super::Parts;

/// Most names listed of a directory.
const LISTED: usize = 8;

/// One line for the person whose data it is.
pub(super) fn of(parts: &Parts) -> String {
    let Parts { train, test, total, what, notes, .. } = parts;
    let test = test.as_ref().map(|test| format!(", and {} to measure on", test.labels.len())).unwrap_or_default();
    let notes: String = notes.iter().map(|note| format!("; {note}")).collect();
    format!("{what}: {total} of {}, {} classes{test}{notes}", shape(&train.input), train.classes.len())
}

/// The shape of an example, in words.
pub(super) fn shape(input: &[usize]) -> String {
    match input {
        [1, height, width] => format!("{height} x {width}, grey"),
        [3, height, width] => format!("{height} x {width}, rgb"),
        [width] => format!("{width} numbers"),
        other => format!("{other:?}"),
    }
}

/// The first names of what is in a directory, in words.
pub(super) fn listing(directory: &Path) -> String {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    some(names)
}

/// The first of these in order, and how many more there are.
pub(super) fn some(mut names: Vec<String>) -> String {
    names.sort();
    let more = names.len().saturating_sub(LISTED);
    names.truncate(LISTED);
    match (names.is_empty(), more) {
        (true, _) => "nothing".to_owned(),
        (false, 0) => names.join(", "),
        (false, more) => format!("{} and {more} more", names.join(", ")),
    }
}
