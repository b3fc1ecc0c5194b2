//! The local control socket: how `peerlearn status` and its like reach the running node.
//!
//! A Unix domain socket `control.sock` in the home directory, for its owner only. One JSON object a line each way:
//! `{"ask":"status"}` is answered by `{"ok":…}` or `{"error":"…"}`. Lines have a limit, connections have a limit,
//! silence has a limit; whatever else arrives is answered with an error and never reaches the node. Where all places are taken,
//! the connection that has been silent longest is closed for the next one.

mod client;
mod clients;
mod error;
mod place;
mod server;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use client::ask;
pub use error::ControlError;
pub use server::{Answerer, ControlServer};

/// Longest request line. The longest request is a ticket.
const MAX_REQUEST: u64 = 64 * 1024;
/// Longest answer line read: a status with a full view of 256 peers is 100 KiB.
const MAX_ANSWER: u64 = 64 * 1024 * 1024;

/// A request. Braces without fields, because serde would take any field for a variant without braces.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case", deny_unknown_fields)]
pub enum ControlRequest {
    /// How the node is: a [`crate::status::Status`].
    Status {},
    /// How it is connected, and what it takes of its machine: a [`crate::doctor::Report`].
    Report {},
    /// A ticket to it: a string.
    Ticket {},
    /// A ticket with an invitation: a string.
    Invite {
        /// How many peers may join by it.
        uses: u32,
        /// For how many seconds from now.
        seconds: u64,
        /// What it is called; may be empty.
        name: String,
    },
    /// Who takes part: a [`crate::access::Members`].
    Members {},
    /// Let in one of those who wait, named by name or id: who it is, a string.
    Allow {
        /// Name, or the beginning of the id.
        who: String,
    },
    /// Dial this ticket or multiaddress.
    Contact {
        /// The ticket.
        ticket: String,
    },
    /// Stop.
    Stop {},
}

/// Name of the socket in the home directory.
const SOCKET: &str = "control.sock";
