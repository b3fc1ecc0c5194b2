//! Fetching a model from one peer, and keeping one's own for others.
//!
//! [`Pull`] is the conversation with one holder: ask for its newest offer, collect the chunk hashes, take chunks off a
//! stream and check each before it is kept, resume after a cut. It is told what arrived and answers with the next
//! [`Step`]; how bytes come and when to give up waiting is its interpreter's business. [`Shelf`] is the other side: the
//! models a peer holds ready, and who may have how much of them. Under push-sum a question for a model is one for mass too,
//! and [`Purse`] keeps the books of both sides. [`Pairing`] is for two that move towards each other by the same amount.
//!
//! ```text
//!   Ask(Newest) --Offer--> [Ask(Hashes) --Hashes-->]* Stream --chunk--> ... --> Done
//!                  |                                    ^  |
//!                  +--> Failed (refused, stale, odd)    +--+ cut: resumed at the next chunk, a bounded number of times
//! ```
//!
//! Invariants (*bounded*, *finite*): nothing is allocated beyond the encoded size that the own layout and codec give, and
//! nothing is kept that does not hash to what was offered.

mod config;
pub mod pairing;
mod pull;
mod purse;
mod shelf;
#[cfg(test)]
mod tests;

pub use config::ExchangeConfig;
pub use pairing::Pairing;
pub use pull::{Meeting, Pull, PullError, PullOrder, Pulled, Step};
pub use purse::Purse;
pub use shelf::{Publication, Shelf};
