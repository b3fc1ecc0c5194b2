//! Experiments with networks of peers: scenarios through four drivers, and replications of published results.

pub mod cnn;
pub mod data;
pub mod experiment;
pub mod fleet;
pub mod member;
pub mod record;
pub mod replications;
pub mod run;
pub mod scenario;
