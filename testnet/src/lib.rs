//! Experiments with networks of peers: replications of published results in the simulator.

pub mod cnn;
pub mod compare;
pub mod data;
pub mod record;
pub mod replications;
pub mod report;
