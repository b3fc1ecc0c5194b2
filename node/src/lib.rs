//! peerlearn: a serverless, peer-to-peer decentralized learner.
//!
//! ```text
//!              supervisor (restart table with back-off; itself has no messages)
//!                  |
//!    +---------+---+------+----------+---------+----------+
//!  network  membership  round    exchange   learner    registry
//!  swarm    who is      when to  chunks in  burn, own  checkpoint,
//!  (libp2p) alive,      train,   flight,    OS thread  address book,
//!           sampling    mix      hashes                identity
//! ```
//!
//! Each room is one ractor actor behind a cloneable handle. `round`, `exchange` and `membership` interpret the pure state
//! machines of [`peerlearn_protocols`] and hold no decisions of their own. `network` alone names libp2p, `learner` alone
//! names burn. [`event::NodeEvent`] is the one typed stream that logs, views, tests and testnets read.

pub mod cli;
pub mod clock;
pub mod config;
pub mod control;
pub mod data;
pub mod demo;
pub mod event;
pub mod exchange;
pub mod learner;
pub mod mailbox;
pub mod membership;
pub mod network;
pub mod node;
pub mod registry;
pub mod round;
pub mod status;
pub mod supervisor;
pub mod telemetry;
pub mod ticket;

pub use config::NodeConfig;
pub use node::Node;
pub use peerlearn_protocols as protocols;
