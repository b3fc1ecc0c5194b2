//! Scenarios: one TOML file says who is there, what they learn from, over which links, what goes wrong when, and what
//! is expected. The same file runs in every driver.
//!
//! ```text
//!   text --Document--> Scenario (typed, as written) --Plan, for one seed--> peers with settings and rows, steps in time
//! ```
//!
//! Everything that can be refused is refused here, before anything starts, naming file, line and key.

mod document;
mod error;
mod expect;
mod plan;
mod rows;
mod schema;
mod template;
#[cfg(test)]
mod tests;
mod timeline;
mod trace;
mod units;

pub use document::Document;
pub use error::ScenarioError;
pub use expect::{Expect, ExpectationResult, Reached, judge};
pub use plan::{PeerPlan, Plan};
pub use rows::{Partitioned, RowAssignment, partition_rows, pooled_rows};
pub use schema::{ChurnSetup, DataSetup, FaultKind, FaultSetup, Group, LinkSetup, RandomFaults, Scenario};
pub use template::template;
pub use timeline::{Act, Step};
pub use units::{Bytes, Span};
