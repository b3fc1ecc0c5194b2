//! What a run leaves: a directory of tables that anyone can open, the same from every driver.
//!
//! ```text
//! RUN/scenario.toml  run.json  outcome.json  report.html
//! RUN/seed-0/peers.csv rounds.csv mixes.csv links.csv faults.csv network.csv outcome.json
//! ```
//!
//! Tables grow line by line, and every line is flushed as it is written: whoever kills a runner leaves at most one half
//! line, which readers skip. A seed without `outcome.json` was cut; what it reached until then is computed from its
//! rows by the same [`Standings`] that a finished run uses. Nothing here knows of drivers or of how a page looks.

mod error;
mod events;
mod info;
mod outcome;
mod reader;
mod rows;
mod standings;
mod tail;
#[cfg(test)]
mod tests;
mod writer;

pub use error::RecordError;
pub use events::EventFold;
pub use info::{Machine, RunInfo, utc};
pub use outcome::{
    BaselineOutcome, Expectation, Outcome, PeerOutcome, RunOutcome, WATTS_OF_A_BUSY_CORE, mean_and_deviation,
    watt_hours,
};
pub use reader::{RunRecord, SeedRecord, read_run};
pub use rows::{FaultRow, LinkRow, MixRow, NetworkRow, PeerRow, RoundRow, Row};
pub use standings::{Standing, Standings, fault_moves};
pub use tail::Tail;
pub use writer::{RunWriter, SeedWriter};
