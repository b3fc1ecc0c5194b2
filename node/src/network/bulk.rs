//! Streams of chunks.

use std::time::Duration;

use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use libp2p::{Stream, StreamProtocol};
use peerlearn_protocols::id::PeerId;
use peerlearn_protocols::score::Fault;
use peerlearn_protocols::wire::{BulkRequest, BulkStart, Wire};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;

use super::ids::from_libp2p;
use super::{NetworkEvent, RequestError, frames};

/// Longest silence on a stream before it counts as dead.
const IDLE: Duration = Duration::from_secs(10);
/// Inbound streams being negotiated at a time; each holds one small frame.
const MAX_OPENING: usize = 64;
/// Bytes read or written at a time; measured best between 64 and 256 KiB.
const STEP: usize = 64 * 1024;

/// Chunks on their way out.
#[derive(Debug)]
pub struct BulkWriter {
    stream: Stream,
}

impl BulkWriter {
    /// Says whether chunks follow.
    ///
    /// # Errors
    /// The stream was cut or its reader stopped reading.
    pub async fn start(&mut self, start: BulkStart) -> Result<(), RequestError> {
        let frame = start.to_bytes().map_err(|_| RequestError::Malformed)?;
        limited(frames::write(&mut self.stream, &frame)).await
    }

    /// Writes bytes, in steps, each within the idle limit.
    ///
    /// # Errors
    /// The stream was cut or its reader stopped reading.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), RequestError> {
        for step in bytes.chunks(STEP) {
            limited(self.stream.write_all(step)).await?;
        }
        Ok(())
    }

    /// Ends the stream after everything was sent.
    ///
    /// # Errors
    /// The stream was cut or its reader stopped reading.
    pub async fn finish(mut self) -> Result<(), RequestError> {
        limited(self.stream.close()).await
    }
}

/// Chunks on their way in.
#[derive(Debug)]
pub struct BulkReader {
    stream: Stream,
}

impl BulkReader {
    /// Asks for chunks on a fresh stream and waits for the go-ahead.
    pub(super) async fn open(mut stream: Stream, request: BulkRequest) -> Result<Self, RequestError> {
        let frame = request.to_bytes().map_err(|_| RequestError::Malformed)?;
        limited(frames::write(&mut stream, &frame)).await?;
        let answer = limited(frames::read(&mut stream, BulkStart::LIMIT)).await?;
        match BulkStart::from_bytes(&answer) {
            Ok(BulkStart::Sending) => Ok(Self { stream }),
            Ok(BulkStart::Gone) => Err(RequestError::Gone),
            Ok(BulkStart::Busy) => Err(RequestError::Busy),
            Err(_) => Err(RequestError::Malformed),
        }
    }

    /// Fills `chunk`, in steps, each within the idle limit.
    ///
    /// # Errors
    /// The stream ended early, was cut, or is silent.
    pub async fn read(&mut self, chunk: &mut [u8]) -> Result<(), RequestError> {
        for step in chunk.chunks_mut(STEP) {
            limited(self.stream.read_exact(step)).await?;
        }
        Ok(())
    }
}

async fn limited<T>(work: impl Future<Output = std::io::Result<T>>) -> Result<T, RequestError> {
    match timeout(IDLE, work).await {
        Err(_) => Err(RequestError::Timeout),
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::InvalidData => Err(RequestError::Malformed),
        Ok(Err(error)) => Err(RequestError::Cut { reason: error.to_string() }),
    }
}

/// Takes inbound streams, for ever. Nothing but spawning happens in the loop: libp2p drops a stream that nobody waits
/// for.
pub(super) async fn accept(
    mut control: libp2p_stream::Control,
    protocol: StreamProtocol,
    events: mpsc::Sender<NetworkEvent>,
) {
    let Ok(mut streams) = control.accept(protocol) else {
        return tracing::error!("bulk streams are already accepted elsewhere");
    };
    let opening = std::sync::Arc::new(Semaphore::new(MAX_OPENING));
    while let Some((peer, stream)) = streams.next().await {
        let (Some(peer), Ok(permit)) = (from_libp2p(&peer), std::sync::Arc::clone(&opening).try_acquire_owned()) else {
            continue;
        };
        let events = events.clone();
        tokio::spawn(async move {
            let event = take(peer, stream).await;
            drop(permit);
            if let Some(event) = event {
                let _ = events.send(event).await;
            }
        });
    }
}

async fn take(peer: PeerId, mut stream: Stream) -> Option<NetworkEvent> {
    let misbehaved = |fault| Some(NetworkEvent::Misbehaved { peer, fault });
    match limited(frames::read(&mut stream, BulkRequest::LIMIT)).await {
        Ok(frame) => match BulkRequest::from_bytes(&frame) {
            Ok(request) => Some(NetworkEvent::BulkAsked { peer, request, writer: BulkWriter { stream } }),
            Err(_) => misbehaved(Fault::Malformed),
        },
        Err(RequestError::Malformed) => misbehaved(Fault::TooLong),
        Err(_) => None,
    }
}
