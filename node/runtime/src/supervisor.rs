//! Starts the components, and starts them again when they fail.
//!
//! Nobody sends the supervisor messages; it hears of its children from ractor. A component that fails is started again
//! after a pause that doubles with each failure; a component that fails too often takes the node down, because
//! something is wrong that a restart does not mend.

mod actor;
mod table;
#[cfg(test)]
mod tests;

pub use actor::{Start, Supervisor};
pub use table::{RestartDecision, RestartPolicy};
