//! The round room: interprets the machine of [`peerlearn_protocols::round`] and carries models between the learner and
//! the exchange.
//!
//! It decides nothing itself: what to do next comes from the machine, whom to ask from membership, how to average from
//! the learner. Everything that takes long runs in tasks that report back; the actor only ever handles short messages.

mod actor;
mod api;
mod closing;
mod config;

pub use api::{Rooms, RoundHandle, RoundReport, RoundStart};
pub use config::RoundSettings;
