//! Looks at a run while it goes on: the page of a report, served from one port, asking for new data every two seconds.
//!
//! There are two places to look: a run directory that is being written, and a directory into which nodes append their
//! events (`peerlearn run --events DIR/NAME.jsonl`), as the containers of a compose file do. Both are only read. What
//! stands in them is not trusted: files, lines and rows are bounded, and every text reaches the page as text.

mod events;
mod file;
mod gate;
mod server;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use thiserror::Error;

pub use events::EventsDirectory;
pub use server::serve;

use crate::record::{RecordError, RunRecord, read_run};
use crate::report::PageData;

/// Why nothing can be shown.
#[derive(Debug, Error)]
pub enum WatchError {
    /// The run cannot be read.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The directory of events cannot be read.
    #[error("cannot read {path}: {source}", path = path.display())]
    Events {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The port cannot be served.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: String,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Where data come from.
#[derive(Debug)]
pub enum Source {
    /// A run directory.
    Run(Box<RunRecord>),
    /// A directory of files of events.
    Events(Box<EventsDirectory>),
}

impl Source {
    /// A run directory, begun or finished.
    ///
    /// # Errors
    /// There is no run, or it cannot be read.
    pub fn run(directory: &Path) -> Result<Self, WatchError> {
        Ok(Self::Run(Box::new(read_run(directory)?)))
    }

    /// A directory of files of events, which may still be empty.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn events(directory: &Path) -> Result<Self, WatchError> {
        let mut events = EventsDirectory::new(directory);
        events.scan(SystemTime::now())?;
        Ok(Self::Events(Box::new(events)))
    }

    /// Reads what is new; the state as a page shows it.
    ///
    /// # Errors
    /// As when it was opened.
    pub fn data(&mut self) -> Result<PageData, WatchError> {
        let run = match self {
            Source::Run(run) => {
                run.refresh()?;
                &**run
            }
            Source::Events(events) => {
                events.scan(SystemTime::now())?;
                events.run()
            }
        };
        Ok(PageData::new(run, true))
    }
}
