//! What can go wrong: the world's fault in one type, a peer's in the other.

use thiserror::Error;

pub use peerlearn_protocols::exchange::TransportFailure;

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
    #[error("cannot listen on {address}: {reason}; {hint}", hint = listen_hint(reason))]
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

/// What to do about it.
fn listen_hint(reason: &str) -> &'static str {
    match reason.contains("Too many open files") {
        true => "this process may open too few files at a time: raise the limit with ulimit -n",
        false => "choose another port in network.listen, or port 0 for any free one",
    }
}
