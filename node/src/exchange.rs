//! The exchange room: fetches models of others, and serves the own one.
//!
//! A pull is one task that drives the machine of [`peerlearn_protocols::exchange::Pull`] over a question and a stream;
//! serving is one task a stream, bounded by a semaphore. Bytes of models never pass through the actor.

mod actor;
mod api;
mod config;
mod meetings;
mod pull;
#[cfg(test)]
mod tests;

pub use api::ExchangeHandle;
pub use config::{Compression, ExchangeSettings};
pub use pull::PullFailure;
