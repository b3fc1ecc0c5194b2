//! What a demo leaves in a directory: `events.jsonl`, `curves.csv`, `outcome.json`.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use peerlearn::Stamped;

use super::{Board, Outcome, OutputError};

/// An output directory. Events are written as they come; the rest at the end.
#[derive(Debug)]
pub struct Output {
    directory: PathBuf,
    events: BufWriter<File>,
}

impl Output {
    /// Makes the directory, or takes over that of an earlier demo.
    ///
    /// # Errors
    /// It cannot be written, or holds other files.
    pub fn create(directory: &Path) -> Result<Self, OutputError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| OutputError::Write { path, source }
        };
        std::fs::create_dir_all(directory).map_err(failed(directory))?;
        let ours = directory.join("events.jsonl");
        let mut entries = std::fs::read_dir(directory).map_err(failed(directory))?;
        if !ours.exists() && entries.next().is_some() {
            return Err(OutputError::NotEmpty { path: directory.to_owned() });
        }
        let events = BufWriter::new(File::create(&ours).map_err(failed(&ours))?);
        Ok(Self { directory: directory.to_owned(), events })
    }

    /// Appends an event.
    ///
    /// # Errors
    /// The system refused.
    pub fn event(&mut self, stamped: &Stamped) -> Result<(), OutputError> {
        let path = self.directory.join("events.jsonl");
        let written = serde_json::to_writer(&mut self.events, stamped).map_err(std::io::Error::from);
        let written = written.and_then(|()| self.events.write_all(b"\n"));
        written.map_err(|source| OutputError::Write { path, source })
    }

    /// Writes everything else.
    ///
    /// # Errors
    /// The system refused.
    pub fn finish(mut self, board: &Board, outcome: &Outcome) -> Result<(), OutputError> {
        let file = |name: &str| self.directory.join(name);
        let failed = |name: &str| {
            let path = file(name);
            move |source| OutputError::Write { path, source }
        };
        self.events.flush().map_err(failed("events.jsonl"))?;
        std::fs::write(file("curves.csv"), curves(board)).map_err(failed("curves.csv"))?;
        let json = serde_json::to_vec_pretty(outcome).map_err(std::io::Error::from);
        let written = json.and_then(|json| std::fs::write(file("outcome.json"), json));
        written.map_err(failed("outcome.json"))
    }
}

/// One line a peer and measured round. Names are ours, so nothing needs quoting.
fn curves(board: &Board) -> String {
    let mut text = "peer,round,milliseconds,test_accuracy\n".to_owned();
    for line in board.lines() {
        for (round, at_ms, accuracy) in &line.curve {
            text.push_str(&format!("{},{round},{at_ms},{accuracy}\n", line.name));
        }
    }
    text
}
