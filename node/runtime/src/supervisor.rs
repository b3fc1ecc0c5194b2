//! Starts the rooms, and starts them again when they fail.
//!
//! Nobody sends the supervisor messages; it hears of its children from ractor. A room that fails is started again after
//! a pause that doubles with each failure; a room that fails too often takes the node down, because something is wrong
//! that a restart does not mend.

mod actor;
mod table;
#[cfg(test)]
mod tests;

pub use actor::{Start, Supervisor};
pub use table::{RestartPolicy, Verdict};
