//! The peer's own examples: what they are, where they come from, how they are cut.

mod config;
pub mod csv;
mod digits;
mod error;
pub mod idx;
mod load;
mod packed;
mod partition;
mod preprocessing;
mod raw;
mod scaling;
mod split;
mod table;
#[cfg(test)]
mod tests;

pub use config::DataConfig;
pub use digits::digits;
pub use error::DataError;
pub use load::{Loaded, Source, load, load_as, prepare, read};
pub use partition::{Partition, PartitionError, cut_by_shares, dirichlet_shares};
pub use peerlearn_protocols::dataset::{Dataset, Values};
pub use preprocessing::Preprocessing;
pub use raw::Raw;
pub use scaling::Scaling;
pub use split::split;
pub use table::classes_of;
