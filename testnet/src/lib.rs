//! Experiments with networks of peers: scenarios through four drivers, and replications of published results.

pub mod cnn;
pub mod compare;
pub mod compose;
pub mod data;
pub mod experiment;
pub mod fleet;
pub mod homes;
pub mod member;
pub mod netem;
pub mod record;
pub mod replications;
pub mod report;
pub mod run;
pub mod scenario;
pub mod simulation;
pub mod view;
pub mod watch;

/// See the feature `jemalloc` in the README of this folder.
#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;
