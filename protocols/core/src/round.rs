//! When to train, when to ask, when to go on without an answer.
//!
//! The machine of one peer's rounds, on its own clock. Rounds of different peers are never aligned.
//!
//! ```text
//!  Joining --peers known, or waited long enough--> Gathering --all ended, or the deadline--> Mixing --> Resting
//!     |                                               ^                                                   |
//!     +-- nobody to ask                               +---- Training <----------- min_interval -----------+
//! ```
//!
//! A peer first pulls, then trains: a newcomer starts from what the network knows, and one that was away catches up
//! before it publishes anything of its own. Gathering ends when every pull has ended or at the deadline, whichever is
//! first; a pull that fails is replaced by a fresh draw while there is time. A peer alone gathers nothing and trains
//! on.
//!
//! Invariant (*progress*): whatever inputs are lost, the machine has a wake-up pending in Joining, Gathering and
//! Resting, and in Training and Mixing it waits only for its own learner.

mod config;
mod machine;
#[cfg(test)]
mod tests;

pub use config::RoundConfig;
pub use machine::{Input, Output, Phase, Round};
