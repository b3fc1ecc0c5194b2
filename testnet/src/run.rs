//! Running a scenario: the clock of a run, what happens when, and when it is over.
//!
//! ```text
//!   Plan + rows --real: a Fleet (in process, processes, containers)--> tables of one seed
//!               --simulated: a World--------------------------------->  the same tables
//! ```

mod links;
mod real;
mod simulated;

use std::path::PathBuf;

use peerlearn_protocols::params::ParamsError;
use thiserror::Error;

pub use links::LinkBook;
pub use real::{TOLD, run_real};
pub use simulated::run_simulated;

use crate::fleet::FleetError;
use crate::record::RecordError;
use crate::scenario::ScenarioError;

/// Why a run ended without a result.
#[derive(Debug, Error)]
pub enum RunError {
    /// The scenario is wrong.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// Nodes could not be handled.
    #[error(transparent)]
    Fleet(#[from] FleetError),
    /// What was measured cannot be written.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The simulator cannot go on.
    #[error("the simulator cannot go on: {0}")]
    Params(#[from] ParamsError),
    /// Baselines cannot be had.
    #[error("no baselines: {reason}")]
    Baselines {
        /// Why.
        reason: String,
    },
    /// This driver cannot do what the scenario asks.
    #[error("the driver {driver} cannot do this: {reason}")]
    Driver {
        /// The driver.
        driver: &'static str,
        /// What it cannot do.
        reason: String,
    },
    /// A file cannot be handled.
    #[error("cannot {action} {path}: {source}", path = path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// With what.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// How the run of one seed ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// Everything that was to be done is done.
    Finished(String),
    /// The time limit came first.
    TimedOut,
    /// Somebody stopped it.
    Interrupted,
}

impl Ending {
    /// In words.
    pub fn words(&self) -> &str {
        match self {
            Ending::Finished(words) => words,
            Ending::TimedOut => "the time limit came first",
            Ending::Interrupted => "it was interrupted",
        }
    }

    /// Whether everything was done.
    pub fn is_finished(&self) -> bool {
        matches!(self, Ending::Finished(_))
    }
}
