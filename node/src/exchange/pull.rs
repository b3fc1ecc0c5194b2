//! One pull, from question to last chunk.

use peerlearn_protocols::exchange::{Pull, PullError, PullOrder, Pulled, Step};
use peerlearn_protocols::id::PeerId;
use peerlearn_protocols::score::Fault;
use peerlearn_protocols::wire::CHUNK_BYTES;
use thiserror::Error;

use crate::network::{BulkReader, NetworkHandle, RequestError};

/// Why a pull came to nothing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PullFailure {
    /// The conversation failed.
    #[error(transparent)]
    Pull(#[from] PullError),
    /// The network failed.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The other is busy, has given the meeting up, or meets nobody.
    #[error("the peer is in another meeting or meets nobody")]
    Meeting,
    /// Nobody knows whether the other has moved: it was asked to settle and does not answer any more.
    #[error("the peer was lost while a meeting was settled; the mean may be off by half of their difference")]
    Open,
    /// What came in a zstd coat is no model. The holder is at fault.
    #[error("what came in a zstd coat is no model")]
    Coat,
    /// Not in time.
    #[error("did not arrive before the deadline")]
    Deadline,
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
            PullFailure::Request(RequestError::Malformed) => Some(Fault::Malformed),
            PullFailure::Coat => Some(Fault::WrongShape),
            PullFailure::Request(RequestError::Timeout) | PullFailure::Deadline => Some(Fault::Slow),
            _ => None,
        }
    }
}

/// Drives a pull to its end. Memory: the encoded model and one chunk.
pub(super) async fn run(network: &NetworkHandle, peer: PeerId, order: PullOrder) -> Result<Pulled, PullFailure> {
    let (mut pull, mut step) = Pull::new(order);
    let mut stream: Option<BulkReader> = None;
    let mut buffer = Vec::new();
    loop {
        step = match step {
            Step::Ask(request) => pull.answered(network.request(peer, request).await?),
            Step::Stream(request) => match network.open_bulk(peer, request).await {
                Ok(reader) => {
                    stream = Some(reader);
                    pull.opened()
                }
                Err(RequestError::Cut { .. }) => pull.cut(),
                Err(error) => return Err(error.into()),
            },
            Step::Read(bytes) => {
                let bytes = bytes.min(CHUNK_BYTES);
                buffer.resize(bytes, 0);
                let read = match &mut stream {
                    Some(stream) => stream.read(&mut buffer).await,
                    None => Err(RequestError::Down),
                };
                match read {
                    Ok(()) => pull.chunk(&buffer),
                    Err(RequestError::Cut { .. }) => pull.cut(),
                    Err(error) => return Err(error.into()),
                }
            }
            Step::Done(pulled) => return Ok(*pulled),
            Step::Failed(error) => return Err(error.into()),
        }
    }
}
