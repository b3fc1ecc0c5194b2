//! Experiments with networks of peers: replications of published results in the simulator, what a run leaves, and how
//! people look at it.

pub mod cli;
pub mod cnn;
pub mod compare;
pub mod data;
pub mod record;
pub mod replications;
pub mod report;
pub mod view;
pub mod watch;
