//! What all peers of a network agree on before they ever meet, and the file that people write it in.
//!
//! Three things are kept apart. A [`Definition`] is hashed: everything that changes what a weight means, or what may leave a
//! peer; its hash is the task, and what differs in it cannot mix. A [`Charter`] is not hashed: words, aliases, plausible ranges,
//! advice, who may join. [`Numbers`] are what columns are scaled by; how peers agree on them is in [`frame`]. Nothing here reads files
//! or the network.

pub mod access;
mod carry;
mod charter;
mod column;
mod definition;
mod diff;
mod document;
pub mod frame;
mod numbers;
mod output;
mod real;
mod schema;
mod table_schema;
mod task;
mod text;
mod writer;

pub use carry::{CarryError, carry};
pub use charter::{About, Accepted, Access, Charter, Join, Range};
pub use column::{Column, ColumnType, Invalid, Missing, Outlier, Slot, SlotKind, Transform};
pub use definition::{Definition, FORMAT, MAX_BYTES, ModelSpec, TaskError};
pub use diff::{Difference, Effect, differences};
pub use document::{Document, DocumentError};
pub use numbers::{Moments, Numbers, Scale};
pub use output::{Output, OutputKind, in_order};
pub use real::Real;
pub use schema::{ArrayInput, FrameRule, FrameRules, ImageInput, InputKind, Merge, Schema};
pub use table_schema::{from_table_schema, table_schema};
pub use task::{MAX_TRAVEL, Task, TaskSummary};
pub use text::{clean, same_name};
pub use writer::write;
