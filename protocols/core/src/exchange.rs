//! Fetching a model from one peer, and keeping one's own for others.
//!
//! [`Pull`] is the conversation with one holder: ask for its newest offer, collect the chunk hashes, take chunks off a
//! stream and check each before it is kept, resume after a cut. It is told what arrived and answers with the next
//! [`Step`]; how bytes come is its interpreter's business. [`ModelStore`] is the other side: the models a peer holds
//! ready, and who may have how much of them.
//!
//! ```text
//!   Ask(Newest) --Offer--> [Ask(Hashes) --Hashes-->]* Stream --chunk--> ... --> Done
//!                  |                                    ^  |
//!                  +--> Failed (refused, stale, odd)    +--+ cut: resumed at the next chunk, a bounded number of times
//! ```
//!
//! What an exchange means beyond that is its [`ExchangeMode`]: [`plain`] pulls, [`push_sum`] where mass travels with
//! models, [`pairwise`] sessions in which both sides move by the same amount. A new mode is one file.
//!
//! Invariants (*bounded*, *finite*): nothing is allocated beyond the encoded size that the own layout and codec give,
//! and nothing is kept that does not hash to what was offered.

mod config;
mod failure;
pub mod mode;
pub mod pairwise;
pub mod plain;
mod pull;
pub mod push_sum;
mod store;
#[cfg(test)]
mod tests;

pub use config::ExchangeConfig;
pub use failure::{PullError, PullFailure, TransportFailure};
pub use mode::{Action, ExchangeMode};
pub use pull::{Pull, PullOrder, Pulled, SessionRole, Step};
pub use store::ModelStore;
