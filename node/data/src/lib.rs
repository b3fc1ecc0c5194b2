//! The peer's own examples: what they are, where they come from, how they are cut.

pub mod arrays;
mod check;
mod config;
pub mod csv;
mod digits;
mod encode;
mod error;
mod finding;
mod load;
mod map;
mod mapping;
mod own;
mod partition;
mod preprocessing;
mod propose;
mod raw;
pub mod records;
mod scaling;
mod split;
mod store;
mod survey;
mod table;
#[cfg(test)]
mod tests;

pub use arrays::idx;
pub use check::{Check, check, expected, short};
pub use config::DataConfig;
pub use digits::digits;
pub use encode::{CellError, Encoder, Tally};
pub use error::{DataError, WrongCell};
pub use finding::{Finding, Severity};
pub use load::{Known, Loaded, Source, load, prepare, read};
pub use map::{Map, MapEntry, add_to_map};
pub use mapping::{How, Labels, MappedColumn, Mapping, map_columns};
pub use partition::{Partition, PartitionError, cut_by_shares, dirichlet_shares};
pub use peerlearn_protocols::dataset::{Dataset, Values};
pub use peerlearn_task as task;
pub use preprocessing::{Preprocessing, Unanswered};
pub use propose::{Proposal, Wishes, propose};
pub use raw::{Raw, classes_of};
pub use scaling::Scaling;
pub use split::split;
pub use store::{FileRows, StoreWriter};
pub use survey::{ColumnSurvey, Guess, Leak, Survey};
