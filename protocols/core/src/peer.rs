//! One peer: the machine that composes rounds, exchange, membership, scores and estimates.
//!
//! ```text
//!   facts                         Peer                                   effects
//!   Connected, Announced, ..  -> membership --known, drawn--+         -> Dial, Announce, Judge, Ban
//!   Asked, StreamAsked        -> model store, mode          |         -> Answer, Serve, Recode
//!   Pulled, Answered          -> mode, scores, estimates    v         -> Pull, CancelPull, Ask
//!   Trained, Published, Mixed -> round ---------------- what next? --> Train, Publish, Mix, Measure, Commit
//!   Woke                      -> whoever is due                       -> WakeAt
//! ```
//!
//! Whoever runs a peer (the actor of a node, the simulator, a test) carries out effects in their order and tells facts;
//! it decides nothing. The learning itself (what [`Effect::Train`], [`Effect::Publish`] and [`Effect::Mix`] do to the
//! parameters) is [`crate::recipe::ModelState`], which an interpreter calls where it likes: a node on the learner's
//! thread, the simulator in place.
//!
//! What is decided here and nowhere else: whom to ask for what and how long to wait; which offers are too old; when the
//! network is estimated, the own model measured and written to disk; what is published when, under each exchange mode;
//! what a peer is blamed for, and when it is banned; how long after a failure the next try comes.

mod checks;
mod config;
mod conversations;
mod effect;
mod fact;
mod machine;
mod neighbours;
mod rounds;
mod serving;
mod status;
#[cfg(test)]
mod tests;

pub use config::{PeerSettings, Restored};
pub use effect::{Effect, PeerEvent, PullRequest, Question, RoundClosed};
pub use fact::{Fact, Token};
pub use machine::Peer;
pub use status::{KnownPeer, PeerStatus};
