//! `--events FILE`: everything that happens in a node, one JSON object a line, for whoever watches a network of nodes.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::event::Stamped;

/// Bytes after which the file becomes `FILE.1`, in place of an earlier one. A busy node writes about 2 MB an hour, so
/// this is more than a day, and both files together stay under 128 MiB.
const ROTATE_AT: u64 = 64 << 20;

/// An event with the time by the clock of this machine, so that files of several machines can be laid beside each other.
#[derive(Serialize)]
struct Dated<'a> {
    #[serde(serialize_with = "in_milliseconds")]
    time: jiff::Timestamp,
    #[serde(flatten)]
    stamped: &'a Stamped,
}

fn in_milliseconds<S: serde::Serializer>(time: &jiff::Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{time:.3}"))
}

/// Appends events to a file. Whatever the system refuses is a warning: a full disk must not end a node.
#[derive(Debug)]
pub struct EventFile {
    path: PathBuf,
    rotate_at: u64,
    file: Option<File>,
    bytes: u64,
    warned: bool,
}

impl EventFile {
    /// Opens a file, or makes it. A half line at its end is ended.
    pub fn open(path: &Path) -> Self {
        Self::rotating_at(path, ROTATE_AT)
    }

    fn rotating_at(path: &Path, rotate_at: u64) -> Self {
        let mut events = Self { path: path.to_owned(), rotate_at, file: None, bytes: 0, warned: false };
        let opened = events.reopen();
        events.warn(opened);
        events
    }

    /// Appends one line in one write, so that a reader sees at most the last line in half.
    pub fn append(&mut self, stamped: &Stamped) {
        let written = self.try_append(stamped);
        self.warn(written);
    }

    fn try_append(&mut self, stamped: &Stamped) -> std::io::Result<()> {
        let mut line = serde_json::to_vec(&Dated { time: jiff::Timestamp::now(), stamped })?;
        line.push(b'\n');
        if self.bytes > 0 && self.bytes + line.len() as u64 > self.rotate_at {
            self.file = None;
            std::fs::rename(&self.path, previous(&self.path))?;
        }
        if self.file.is_none() {
            self.reopen()?;
        }
        if let Some(file) = &mut self.file {
            file.write_all(&line)?;
            self.bytes += line.len() as u64;
        }
        Ok(())
    }

    /// A half line of a killed predecessor is ended first, or the first line of this life would be lost with it.
    fn reopen(&mut self) -> std::io::Result<()> {
        let mut file = OpenOptions::new().create(true).append(true).open(&self.path)?;
        self.bytes = file.metadata()?.len();
        if self.bytes > 0 && !ends_a_line(&self.path, self.bytes)? {
            file.write_all(b"\n")?;
            self.bytes += 1;
        }
        self.file = Some(file);
        Ok(())
    }

    /// Warns once until it works again.
    fn warn(&mut self, written: std::io::Result<()>) {
        match written {
            Ok(()) => self.warned = false,
            Err(error) if !self.warned => {
                self.warned = true;
                tracing::warn!(%error, path = %self.path.display(), "events cannot be written");
            }
            Err(_) => {}
        }
    }
}

/// `FILE.1` beside `FILE`.
fn previous(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".1");
    PathBuf::from(name)
}

fn ends_a_line(path: &Path, bytes: u64) -> std::io::Result<bool> {
    use std::io::{Read, Seek, SeekFrom};
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(bytes - 1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

#[cfg(test)]
mod tests {
    use peerlearn_protocols::id::PeerId;

    use super::*;
    use crate::event::NodeEvent;

    fn event(at_ms: u64) -> Stamped {
        Stamped { at_ms, node: PeerId([7; 32]), event: NodeEvent::Committed { round: at_ms } }
    }

    fn lines(path: &Path) -> Vec<Stamped> {
        let text = std::fs::read_to_string(path).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn a_second_life_goes_on_in_the_same_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ant.jsonl");
        EventFile::open(&path).append(&event(1));
        EventFile::open(&path).append(&event(2));
        assert_eq!(lines(&path), [event(1), event(2)]);
    }

    #[test]
    fn a_half_line_spoils_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ant.jsonl");
        std::fs::write(&path, "{\"at_ms\":1,\"no").unwrap();
        EventFile::open(&path).append(&event(2));
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(serde_json::from_str::<Stamped>(text.lines().nth(1).unwrap()).unwrap(), event(2));
    }

    #[test]
    fn two_files_are_the_most() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ant.jsonl");
        let mut events = EventFile::rotating_at(&path, 1000);
        (0..50).for_each(|at| events.append(&event(at)));
        let (old, new) = (lines(&previous(&path)), lines(&path));
        assert_eq!(new.last(), Some(&event(49)));
        assert_eq!(old.last().map(|last| last.at_ms + 1), new.first().map(|first| first.at_ms));
        assert!(std::fs::metadata(&path).unwrap().len() <= 1000);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_place_that_cannot_be_written_is_no_end() {
        let folder = tempfile::tempdir().unwrap();
        let mut events = EventFile::open(folder.path());
        events.append(&event(1));
        assert!(events.warned && events.file.is_none());
    }
}
