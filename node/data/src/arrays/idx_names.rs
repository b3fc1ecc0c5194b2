//! The names that IDX files have: `train-images-idx3-ubyte`, `train-images.idx3-ubyte`, those with `.gz`, those with
//! the name of a data set in front, as EMNIST has them, and where libraries put them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Files of one data set: images and labels to train on, and to measure on.
#[derive(Debug, Default, Clone, PartialEq)]
pub(super) struct Set {
    /// What stands in front of `train-images`, for example `emnist-letters`; empty for MNIST.
    pub(super) prefix: String,
    /// Images and labels to train on.
    pub(super) train: [Option<PathBuf>; 2],
    /// Images and labels to measure on.
    pub(super) test: [Option<PathBuf>; 2],
}

/// What the name of a file says.
#[derive(Debug, PartialEq)]
struct Named {
    prefix: String,
    test: bool,
    labels: bool,
    packed: bool,
}

/// The sets in a directory, or where libraries put them in it: `raw`, `gzip`, and `raw` in any directory. Empty if it
/// has no file with such a name.
pub(super) fn sets(directory: &Path) -> Vec<Set> {
    let own = sets_in(directory);
    if !own.is_empty() {
        return own;
    }
    let inner = directories(directory).into_iter().flat_map(|child| {
        let named = child.file_name().is_some_and(|name| name == "raw" || name == "gzip");
        [named.then(|| child.clone()), Some(child.join("raw"))].into_iter().flatten()
    });
    inner.flat_map(|place| sets_in(&place)).collect()
}

fn directories(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    found.sort();
    found
}

fn sets_in(directory: &Path) -> Vec<Set> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let named = |path: PathBuf| named(path.file_name()?.to_str()?).map(|name| (name.packed, path, name));
    let mut files: Vec<_> = entries.filter_map(|entry| named(entry.path())).filter(|file| file.1.is_file()).collect();
    // Of a file and its packed copy, the one that isn't packed.
    files.sort_by(|one, other| (one.0, &one.1).cmp(&(other.0, &other.1)));
    let mut sets = BTreeMap::<String, Set>::new();
    for (_, path, name) in files {
        let set = sets.entry(name.prefix.clone()).or_default();
        set.prefix = name.prefix;
        let pair = if name.test { &mut set.test } else { &mut set.train };
        pair[usize::from(name.labels)].get_or_insert(path);
    }
    sets.into_values().collect()
}

fn named(name: &str) -> Option<Named> {
    let name = name.to_ascii_lowercase();
    let words: Vec<&str> = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let at = words.windows(2).position(|pair| matches!(pair, ["images", "idx3"] | ["labels", "idx1"]))?;
    let (before, after) = (words.get(..at)?, words.get(at + 2..)?);
    let (part, prefix) = before.split_last()?;
    let test = match *part {
        "train" => false,
        "t10k" | "test" => true,
        _ => return None,
    };
    let known = after.iter().all(|word| matches!(*word, "ubyte" | "gz"));
    known.then(|| Named {
        prefix: prefix.join("-"),
        test,
        labels: words[at] == "labels",
        packed: after.contains(&"gz"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart() {
        let named = |name: &str| named(name).map(|name| (name.prefix, name.test, name.labels, name.packed));
        let plain = |test, labels, packed| Some((String::new(), test, labels, packed));
        assert_eq!(named("train-images-idx3-ubyte"), plain(false, false, false));
        assert_eq!(named("t10k-labels.idx1-ubyte"), plain(true, true, false));
        assert_eq!(named("TEST-images-idx3-ubyte.GZ"), plain(true, false, true));
        let letters = Some(("emnist-letters".to_owned(), false, true, true));
        assert_eq!(named("emnist-letters-train-labels-idx1-ubyte.gz"), letters);
        for other in
            ["train-images.png", "images-idx3-ubyte", "x-images-idx3-ubyte", "train-images-idx3-ubyte.sha256", ""]
        {
            assert_eq!(named(other), None, "{other}");
        }
    }
}
