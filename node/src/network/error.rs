//! What can go wrong: the world's fault in one type, a peer's in the other.

use thiserror::Error;

/// The network could not start or go on.
#[derive(Debug, Error)]
pub enum NetworkError {
    /// A listen address is no multiaddress.
    #[error("{address:?} is no multiaddress")]
    Address {
        /// The text.
        address: String,
    },
    /// Nothing can listen there.
    #[error("cannot listen on {address}: {reason}; choose another port in network.listen, or port 0 for any free one")]
    Listen {
        /// The address.
        address: String,
        /// What the system said.
        reason: String,
    },
    /// A part of the stack could not be set up.
    #[error("cannot set up {part}: {reason}")]
    Setup {
        /// Which.
        part: &'static str,
        /// Why.
        reason: String,
    },
}

/// A question to a peer, or a stream from it, came to nothing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RequestError {
    /// No connection, and none could be made.
    #[error("cannot reach the peer")]
    Unreachable,
    /// No answer in time, or bytes come too slowly.
    #[error("the peer does not answer in time")]
    Timeout,
    /// The connection or stream ended early.
    #[error("the connection was cut: {reason}")]
    Cut {
        /// What the transport said.
        reason: String,
    },
    /// The peer does not speak this protocol.
    #[error("the peer does not speak this protocol version")]
    Unsupported,
    /// The peer is busy.
    #[error("the peer is busy")]
    Busy,
    /// The peer no longer holds what was asked for.
    #[error("the peer no longer holds it")]
    Gone,
    /// The answer is no message. The peer is at fault.
    #[error("the peer's answer is no message")]
    Malformed,
    /// The network room is being restarted or the node stops.
    #[error("the network is down")]
    Down,
}
