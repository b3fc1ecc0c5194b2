//! The peer of a node: one actor that tells [`peerlearn_protocols::peer::Peer`] what happens and carries out its
//! effects.
//!
//! It decides nothing: whom to ask, how long to wait, what to publish and whom to ban comes from the machine. What
//! takes long runs elsewhere and comes back as a fact; the actor only ever handles short messages.
//!
//! ```text
//!   router --facts, questions, streams--> actor: Peer --> learner jobs, one at a time (training.rs)
//!                                           |   ^ ------> pulls and questions, a task each (asking.rs)
//!                                           |   |  -----> models sent, a task each (serving.rs)
//!                                           |   +-------- what came of it
//!                                           +--> network commands, registry, events
//! ```
//!
//! Bytes of models never pass through the actor: a pull is a task that drives [`peerlearn_protocols::exchange::Pull`],
//! and a model that is served is shared.

mod actor;
mod api;
mod asking;
mod carry_out;
mod serving;
#[cfg(test)]
mod tests;
mod training;

pub use api::{Components, PeerHandle, PeerStart};
pub use asking::pull;
pub use serving::send;
