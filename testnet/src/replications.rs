//! Published results, run again.
//!
//! Each replication is a folder in `testnet/replications`: `scenario.toml` with every number of its setup, `README.md`
//! with what others measured and what we did, and what the last full run wrote: `results.md`, `results.csv`,
//! `curves.csv`, `picture.svg`. Its code is one file here and one line in [`all`].

mod byrdlab;
mod clipped_gossip;
mod epidemic;
mod gossip;
mod hospitals;
mod journal;
mod picture;
mod real_and_simulated;
mod report;
mod robustness;
mod scaling;
mod scenario;
mod split;

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use thiserror::Error;

pub use journal::{JOURNAL_VARIABLE, remembered};
pub use picture::Axes;
pub use report::{Curve, Report, spread};
pub use scenario::Scenario;
pub use split::{assign, dirichlet};

use crate::data::DataError;

/// Why a replication could not be run.
#[derive(Debug, Error)]
pub enum ReplicationError {
    /// There is none of that name.
    #[error("there is no replication {got:?}; there are {names}")]
    Unknown {
        /// The name.
        got: String,
        /// Those there are.
        names: String,
    },
    /// The data are not there or wrong.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The scenario is wrong.
    #[error("{path}: {reason}")]
    Scenario {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A text of the scenario names nothing.
    #[error("{what} of a cell: {reason}")]
    Text {
        /// What it should name.
        what: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// A model or its parameters are impossible, or learning diverged.
    #[error("a model cannot go on: {0}")]
    Params(#[from] peerlearn_protocols::params::ParamsError),
    /// Real nodes could not do their part.
    #[error("real nodes: {reason}")]
    Node {
        /// What is wrong.
        reason: String,
    },
    /// A result cannot be written.
    #[error("cannot write {path}: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The picture cannot be drawn.
    #[error("cannot draw the picture: {reason}")]
    Picture {
        /// What is wrong.
        reason: String,
    },
}

/// How to run a replication.
#[derive(Debug, Clone)]
pub struct Run {
    /// Every number of the setup.
    pub scenario: Scenario,
    /// The data directory.
    pub data: PathBuf,
    /// Less of everything: the section `fast` of the scenario lies over the rest.
    pub fast: bool,
    /// Words; a row whose label has none of them is left out. Empty leaves nothing out.
    pub only: Vec<String>,
}

impl Run {
    /// Whether a row of this label is wanted.
    pub fn wants(&self, label: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|word| label.contains(word.as_str()))
    }
}

/// A published result, run again.
pub struct Replication {
    /// Its name and folder.
    pub name: &'static str,
    /// One sentence.
    pub about: &'static str,
    /// Runs it.
    pub run: fn(&Run) -> Result<Report, ReplicationError>,
}

/// Every replication, in the order of their texts.
pub fn all() -> Vec<Replication> {
    vec![
        clipped_gossip::REPLICATION,
        byrdlab::REPLICATION,
        hospitals::REPLICATION,
        gossip::REPLICATION,
        epidemic::REPLICATION,
        scaling::REPLICATION,
        robustness::REPLICATION,
        real_and_simulated::REPLICATION,
    ]
}

/// The replication of a name.
///
/// # Errors
/// There is none.
pub fn find(name: &str) -> Result<Replication, ReplicationError> {
    let names = || all().iter().map(|replication| replication.name).collect::<Vec<_>>().join(", ");
    let found = all().into_iter().find(|replication| replication.name == name);
    found.ok_or_else(|| ReplicationError::Unknown { got: name.to_owned(), names: names() })
}

/// A rule or an attack from the text of a scenario.
///
/// # Errors
/// The text names none.
pub fn parsed<T: FromStr<Err: Display>>(what: &'static str, text: &str) -> Result<T, ReplicationError> {
    text.parse().map_err(|error: T::Err| ReplicationError::Text { what, reason: error.to_string() })
}

/// The folder of all replications in the source tree.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("replications")
}
