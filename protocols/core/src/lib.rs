//! The rules of peerlearn, without the world: wire format, codecs, mixing rules, scores and the state machines of
//! membership, exchange and rounds.
//!
//! ```text
//!            round      exchange      membership        state machines: (now, input) -> outputs
//!              |            |             |
//!              +-----+------+------+------+
//!                    v             v
//!   mixing  drift  score  codec  sampling  estimate      wire  params  task      pure functions and types
//!      |      |      |      |       |         |            |     |      |
//!      +------+------+------+-------+---------+-----+------+-----+------+
//!                                                   v
//!                                               id   time
//! ```
//!
//! The simulator stands above all of it, in a crate of its own, and interprets the machines for many peers in virtual
//! time.
//!
//! What is absent is the architecture: no clock, no thread, no socket, no file, no runtime, no burn, no libp2p. Time is
//! an argument ([`time::Time`]), randomness a seeded generator handed in, identity a newtype. The machines do not name
//! each other; whoever interprets them (a real node, a test, a simulation) carries outputs of one to inputs of another.
//!
//! Everything that leaves a node is defined in [`wire`]; the one place that names bincode is `wire/codec.rs`.

pub mod codec;
pub mod dataset;
pub mod drift;
pub mod estimate;
pub mod exchange;
pub mod id;
pub mod invariant;
pub mod membership;
pub mod mixing;
pub mod params;
pub mod peer;
pub mod recipe;
pub mod round;
pub mod sampling;
pub mod score;
pub mod time;
pub mod token_bucket;
pub mod wire;
