//! The peer's own examples: what they are, where they come from, how they are cut.

mod config;
mod csv;
mod digits;
mod error;
mod idx;
mod load;
mod partition;
mod scaling;
mod split;
#[cfg(test)]
mod tests;

pub use config::DataConfig;
pub use digits::digits;

pub use error::DataError;
pub use load::{Loaded, Raw, Source, load, prepare, read};
pub use partition::{Partition, PartitionError};
pub use peerlearn_protocols::dataset::{Dataset, Values};
pub use scaling::Scaling;
pub use split::split;
