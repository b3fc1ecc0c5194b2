//! Many real nodes in one process, learning together: each with its own identity, swarm, actors and rows.
//!
//! Every node is told one address of one other node and finds the rest by gossip. What comes out is compared with the
//! same model trained alone on each slice, and trained on all rows pooled.

mod baseline;
mod board;
mod error;
mod load;
mod names;
mod outcome;
mod output;
mod plan;
mod run;
mod running;
mod table;
#[cfg(test)]
mod tests;
mod words;

pub use baseline::{Baselines, baselines};
pub use board::{Board, PeerLine};
pub use error::{DemoError, OutputError};
pub use load::{Load, LoadMeter, resident_mb};
pub use names::name;
pub use outcome::{Outcome, PeerOutcome, Scores, bytes};
pub use output::Output;
pub use plan::DemoPlan;
pub use run::{Ending, Progress, run};
pub use running::Running;
pub use table::{AccuracyRow, accuracy_table, percent};
pub use words::{brief_scores, scores, significant};
