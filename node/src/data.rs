//! The peer's own examples: what they are, where they come from, how they are cut.

mod config;
mod csv;
mod dataset;
mod digits;
mod error;
mod idx;
mod load;
mod partition;
mod scaling;
mod split;
#[cfg(test)]
mod tests;
mod values;

pub use config::DataConfig;
pub use dataset::Dataset;
pub use digits::digits;
pub use error::DataError;

pub use load::{Loaded, Raw, Source, load, prepare, read};
pub use partition::{Partition, PartitionError};
pub use scaling::Scaling;
pub use split::split;
pub use values::Values;
