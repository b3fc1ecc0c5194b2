//! Who is there: which peers are known, alive and worth dialling, whom to draw, and when to speak.
//!
//! A pure machine: [`Membership::handle`] takes the time and an [`Input`] and pushes [`Output`]s; [`Membership::draw`]
//! picks peers for a pull. It knows nothing of sockets: an address is a bounded string.
//!
//! How peers find each other. Everyone announces itself on the task's gossip topic. Whoever hears an unknown author
//! announces itself soon after, so that a newcomer who knows one peer knows all within a few hundred milliseconds;
//! afterwards the rate falls with the number of known peers, so that the topic as a whole carries at most
//! [`MembershipConfig::topic_rate`] announcements a second. Addresses learned this way are dialled when their peer is
//! drawn, or when too few connections are up to stay in the mesh.
//!
//! Where that is too much (thousands of peers), [`crate::sampling::Sampling::View`] keeps a bounded view instead, which
//! shuffles keep fresh; then nothing is announced. The two ways are two types, in `gossip.rs` and `view.rs`.
//!
//! Invariant (*bounded*): the view holds at most [`MembershipConfig::max_peers`] peers (a shuffled one its own size),
//! whatever arrives. When it is
//! full, a newcomer replaces the peer that is not connected and was heard longest ago, if that one is overdue;
//! otherwise it is not taken in. A stranger can thus never push out a live peer.

mod config;
mod contacts;
mod drawing;
mod gossip;
mod input;
mod known;
mod output;
mod scope;
mod state;
#[cfg(test)]
mod tests;
mod view;

pub use config::MembershipConfig;
pub use input::{Contact, Input};
pub use known::Known;
pub use output::{Acceptance, Output};
pub use scope::Scope;
pub use state::Membership;
