//! The simulator: many peers in one process, in virtual time, with the same machines, codecs and mixing rules as nodes.
//!
//! Two ways to run peers:
//!
//! - [`lockstep`]: all peers train, publish and mix together, round by round, over a graph or fresh draws. Attackers
//!   see
//!   everything. What most papers measure, and fast.
//! - [`world`]: every peer runs the real machines of rounds, exchange and membership on its own clock; messages take
//!   time,
//!   get lost and meet partitions; peers come, go and lie. What nodes do.
//!
//! Both are deterministic: the same seed gives the same bytes on any number of threads, which [`Digest`] checks. Models
//! are [`Model`]s: [`Mlp`] (softmax, logistic, perceptron) and [`Averaging`] are here, larger ones with their users.

pub mod attack;
mod averaging;
mod digest;
mod head;
pub mod lockstep;
mod measure;
mod mlp;
mod model;
mod random;
pub mod script;
#[cfg(test)]
mod threads;
mod trainer;
pub mod trial;
pub mod world;

pub use averaging::Averaging;
pub use digest::Digest;
pub use head::Head;
pub use measure::{Measured, disagreement, mean_model, measure};
pub use mlp::{Initial, Mlp};
pub use model::Model;
pub use trainer::FlatTrainer;
