//! Why a pull came to nothing, and whose fault it is.

use thiserror::Error;

use crate::score::Fault;
use crate::wire::Refusal;

/// Why a pull came to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PullError {
    /// The holder said no.
    #[error("refused: {reason:?}")]
    Refused {
        /// Its reason.
        reason: Refusal,
        /// Do not ask again before this many milliseconds.
        retry_after_ms: u32,
    },
    /// The model is too far behind to be of use.
    #[error("model of age {age} is older than the least useful age {least}")]
    Stale {
        /// Its age.
        age: u64,
        /// The least age wanted.
        least: u64,
    },
    /// The holder has another model than the one that was named.
    #[error("the holder has another model by now")]
    Another,
    /// Cut too often.
    #[error("stream was cut {cuts} times")]
    Cut {
        /// Times.
        cuts: u32,
    },
    /// The offered size is not the size of the shared layout. The holder is at fault.
    #[error("offered {got} bytes where the layout has {want}")]
    WrongSize {
        /// Bytes offered.
        got: u64,
        /// Bytes of the own layout.
        want: u64,
    },
    /// A chunk or the list of hashes is not what was offered. The holder is at fault.
    #[error("chunk {chunk} does not have the offered hash")]
    WrongHash {
        /// Index of the chunk; the number of chunks when the list itself is wrong.
        chunk: u32,
    },
    /// An answer that does not fit the question. The holder is at fault.
    #[error("answer does not fit the question")]
    Unexpected,
}

/// A question to a peer, or a stream from it, came to nothing: what a transport says.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TransportFailure {
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
    /// The own network is down.
    #[error("the network is down")]
    Down,
}

/// Why an exchange came to nothing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PullFailure {
    /// The conversation failed.
    #[error(transparent)]
    Pull(#[from] PullError),
    /// The network failed.
    #[error(transparent)]
    Transport(#[from] TransportFailure),
    /// Not in time.
    #[error("did not arrive before the deadline")]
    Deadline,
    /// What arrived is no model: a compressed frame that holds none, or values that are not finite. The holder is at
    /// fault.
    #[error("what arrived is no model")]
    NoModel,
    /// The other is busy, has given the session up, or holds none.
    #[error("the peer is in another session or holds none")]
    NoSession,
    /// Nobody knows whether the other has moved: it was asked to settle and does not answer any more.
    #[error("the peer was lost while a session was settled; the mean may be off by half of the models' difference")]
    SessionLost,
}

impl PullFailure {
    /// Whether the offer was too old to be pulled.
    pub fn is_stale(&self) -> bool {
        matches!(self, PullFailure::Pull(PullError::Stale { .. }))
    }

    /// What to count against the holder; `None` when it is not to blame.
    pub fn fault(&self) -> Option<Fault> {
        match self {
            PullFailure::Pull(error) => error.fault(),
            PullFailure::Transport(TransportFailure::Malformed) => Some(Fault::Malformed),
            PullFailure::NoModel => Some(Fault::WrongShape),
            PullFailure::Transport(TransportFailure::Timeout) | PullFailure::Deadline => Some(Fault::Slow),
            _ => None,
        }
    }
}

impl PullError {
    /// What to count against the holder; `None` where an honest one gets here too.
    pub fn fault(&self) -> Option<Fault> {
        match self {
            PullError::WrongHash { .. } => Some(Fault::WrongHash),
            PullError::WrongSize { .. } => Some(Fault::WrongShape),
            PullError::Unexpected => Some(Fault::Unexpected),
            _ => None,
        }
    }
}
