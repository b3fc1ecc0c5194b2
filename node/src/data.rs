//! The peer's own examples: what they are, where they come from, how they are cut.

mod dataset;
mod error;

pub use dataset::Dataset;
pub use error::DataError;
