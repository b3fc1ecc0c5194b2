//! One growing file of events, written by a stranger.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use peerlearn::event::Stamped;

/// Most bytes taken of one file at a time. A file that is longer when it is first seen is read from so far before its
/// end: about a night of a busy node.
const STEP: u64 = 16 << 20;
/// Longest line that is read. The longest event holds a short text; a longer line is skipped.
const LINE: usize = 64 << 10;

/// A file of events. Half lines wait for their end; lines that are no events are counted and skipped; a file that
/// shrank or was replaced is read from its start, after the rest of the one that was replaced.
#[derive(Debug)]
pub(super) struct EventFile {
    pub name: String,
    path: PathBuf,
    file: Option<File>,
    inode: u64,
    offset: u64,
    /// Lines that were no events.
    pub skipped: u64,
    /// Start of the node's present life, milliseconds since 1970.
    life: Option<i64>,
    last_at_ms: u64,
}

/// An event with the time it happened, milliseconds since 1970.
pub(super) type Timed = (i64, Stamped);

impl EventFile {
    pub fn new(path: &Path, name: String) -> Self {
        Self { name, path: path.to_owned(), file: None, inode: 0, offset: 0, skipped: 0, life: None, last_at_ms: 0 }
    }

    /// The events that came since the last time. A file that cannot be read has none.
    pub fn read(&mut self) -> Vec<Timed> {
        let (mut events, mut written) = (Vec::new(), None);
        if let Some(file) = self.file.take() {
            written = self.take(&file, &mut events);
            self.file = Some(file);
        }
        // Pipes and links are not opened: the one may wait for ever, the other may lead anywhere.
        let Ok(metadata) = std::fs::symlink_metadata(&self.path) else { return self.timed(events, written) };
        let replaced = self.file.is_none() || metadata.ino() != self.inode || metadata.len() < self.offset;
        if metadata.is_file()
            && replaced
            && let Ok(file) = File::open(&self.path)
        {
            (self.inode, self.offset) = (metadata.ino(), 0);
            written = self.take(&file, &mut events).or(written);
            self.file = Some(file);
        }
        self.timed(events, written)
    }

    /// Takes whole lines from the offset on; answers when the file was last written.
    fn take(&mut self, mut file: &File, events: &mut Vec<Stamped>) -> Option<SystemTime> {
        let metadata = file.metadata().ok()?;
        if metadata.len() <= self.offset {
            return None;
        }
        if self.offset == 0 {
            // The first line is then half of one, and counts as skipped.
            self.offset = metadata.len().saturating_sub(STEP);
        }
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(self.offset)).ok()?;
        file.take(STEP).read_to_end(&mut bytes).ok()?;
        let end = match bytes.iter().rposition(|byte| *byte == b'\n') {
            Some(end) => end + 1,
            // One line that fills a step will never be an event.
            None if bytes.len() as u64 == STEP => bytes.len(),
            None => return None,
        };
        self.offset += end as u64;
        for line in bytes[..end].split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let event = (line.len() <= LINE).then(|| serde_json::from_slice(line).ok()).flatten();
            match event {
                Some(event) => events.push(event),
                None => self.skipped += 1,
            }
        }
        metadata.modified().ok()
    }

    /// Puts events on the clock of the world. They only say how long after the start of their node they happened. The
    /// last one happened when the file was last written; lives before the last are laid end to end before it.
    fn timed(&mut self, events: Vec<Stamped>, written: Option<SystemTime>) -> Vec<Timed> {
        let (Some(last), Some(written)) = (events.last(), written) else { return Vec::new() };
        let written = written.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_millis());
        let anchor = i64::try_from(written).unwrap_or(0) - whole(last.at_ms);
        let (mut lives, mut before) = (vec![Vec::new()], self.last_at_ms);
        for event in events {
            if event.at_ms < before {
                lives.push(Vec::new());
            }
            before = event.at_ms;
            lives.last_mut().into_iter().for_each(|life| life.push(event.clone()));
        }
        self.last_at_ms = before;
        let goes_on = lives.len() == 1;
        let mut start = if goes_on { self.life.unwrap_or(anchor) } else { anchor };
        let known = self.life.replace(start);
        let mut timed = Vec::new();
        for (index, life) in lives.iter().enumerate().rev() {
            if let (0, false, Some(known)) = (index, goes_on, known) {
                start = known;
            } else if index + 1 < lives.len() {
                start -= life.last().map_or(0, |last| whole(last.at_ms));
            }
            timed.extend(life.iter().map(|event| (start.saturating_add(whole(event.at_ms)), event.clone())));
        }
        timed.sort_by_key(|(at, _)| *at);
        timed
    }
}

/// Times of strangers may be absurd: a century is the most.
fn whole(ms: u64) -> i64 {
    const CENTURY: i64 = 100 * 366 * 86_400_000;
    i64::try_from(ms).unwrap_or(CENTURY).min(CENTURY)
}
