//! The network: one libp2p swarm, in one task. It alone names libp2p; to others, addresses are texts, a key is an
//! [`Identity`] and a peer a `PeerId` of the protocol.
//!
//! It knows nothing of rounds, models or membership. It carries signed announcements by gossip, questions and answers
//! by request-response, chunks by streams; it checks what can be checked without knowing more than the task (sizes,
//! frames, signatures, versions), and hands the rest to its owner as [`NetworkEvent`]s.
//!
//! ```text
//!   NetworkHandle --commands, bounded--> swarm task --events, bounded--> owner
//!        |                                   |
//!        +------ streams, one task each -----+        (bytes never pass through an actor)
//! ```
//!
//! When the owner does not take events, the swarm is not polled: back-pressure reaches the sockets.

mod accepting;
mod actor;
mod address;
mod api;
mod behaviour;
mod bulk;
mod command;
mod config;
mod counting;
mod dialling;
mod doors;
mod environment;
mod error;
mod event;
mod frames;
mod gate;
mod gossip;
mod hello;
mod identity;
#[cfg(any(feature = "faults", test))]
pub mod links;
mod listening;
mod names;
mod nat;
mod paths;
mod summaries;
mod swarm;
mod task_exchange;
#[cfg(test)]
mod tests;
mod transport;
mod valve;

pub use address::source_towards;
pub use api::NetworkHandle;
pub use bulk::{BulkReader, BulkWriter};
pub use config::NetworkConfig;
pub use environment::NetworkEnvironment;
pub use error::{NetworkError, TransportFailure};
pub use event::{NetworkEvent, ReplyToken, VerdictToken};
pub use gate::{Admission, Gate, Refuser};
pub use identity::{Identity, is_multiaddress, is_signed, libp2p_text, peer_at};
pub use nat::RelayMode;
pub use paths::{Attempts, Carrier, Connectivity, FailedDial, LocalSearch, Path};
pub use summaries::{SummaryBook, SummaryName};
pub use task_exchange::fetch_task;
