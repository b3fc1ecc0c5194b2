//! Finished cells of a long run, so that one that is stopped goes on where it was.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::ReplicationError;

/// The environment variable that names the file; without it nothing is kept.
pub const JOURNAL_VARIABLE: &str = "PEERLEARN_JOURNAL";

#[derive(Serialize, Deserialize)]
struct Line<T> {
    key: String,
    value: T,
}

/// What `work` gives, or what the journal says that it gave before under the same key. The key is to hold every number
/// that the result depends on. Lines are appended whole, so several processes can share one file.
///
/// # Errors
/// Those of `work`, or the journal cannot be written.
pub fn remembered<T: Serialize + DeserializeOwned>(
    key: &str,
    work: impl FnOnce() -> Result<T, ReplicationError>,
) -> Result<T, ReplicationError> {
    let Some(path) = std::env::var_os(JOURNAL_VARIABLE).map(PathBuf::from) else { return work() };
    if let Some(value) = look_up(&path, key) {
        return Ok(value);
    }
    let line = Line { key: key.to_owned(), value: work()? };
    append(&path, &line).map_err(|source| ReplicationError::Write { path, source })?;
    Ok(line.value)
}

fn look_up<T: DeserializeOwned>(path: &Path, key: &str) -> Option<T> {
    let text = fs::read_to_string(path).ok()?;
    // A line cut short by a kill is no finished cell.
    let mut lines = text.lines().filter_map(|line| serde_json::from_str::<Line<serde_json::Value>>(line).ok());
    serde_json::from_value(lines.find(|line| line.key == key)?.value).ok()
}

fn append<T: Serialize>(path: &Path, line: &Line<T>) -> std::io::Result<()> {
    let text = serde_json::to_string(line)? + "\n";
    OpenOptions::new().create(true).append(true).open(path)?.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finished_cell_is_found_and_a_cut_line_is_not() {
        let dir = tempfile::TempDir::new().unwrap();
        let path = dir.path().join("journal");
        assert_eq!(look_up::<u32>(&path, "a"), None);
        append(&path, &Line { key: "a".to_owned(), value: 7u32 }).unwrap();
        fs::write(&path, fs::read_to_string(&path).unwrap() + "{\"key\":\"b\",\"val").unwrap();
        assert_eq!((look_up(&path, "a"), look_up(&path, "b")), (Some(7u32), None::<u32>));
    }
}
