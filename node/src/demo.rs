//! Many real nodes in one process, learning together: each with its own identity, swarm, actors and rows.
//!
//! Every node is told one address of one other node and finds the rest by gossip. What comes out is compared with the
//! same model trained alone on each slice, and trained on all rows pooled.

mod baseline;
mod board;
mod names;
mod outcome;
mod output;
mod picture;
mod plan;
mod run;
#[cfg(test)]
mod tests;

pub use baseline::{Baselines, baselines};
pub use board::{Board, Line};
pub use names::name;
pub(crate) use outcome::bytes;
pub use outcome::{Outcome, PeerOutcome};
pub use output::{Output, OutputError};
pub use picture::accuracy_picture;
pub use plan::{DemoError, DemoPlan};
pub use run::{Ending, run};
