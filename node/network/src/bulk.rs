//! Streams of chunks.

use std::time::Duration;

use futures::{AsyncReadExt, AsyncWriteExt};
use libp2p::Stream;
use peerlearn_protocols::wire::{BulkRequest, BulkStart, Wire};
use tokio::time::timeout;

use super::{TransportFailure, frames};

/// Longest silence on a stream before it counts as dead.
const IDLE: Duration = Duration::from_secs(10);
/// Bytes read or written at a time; measured best between 64 and 256 KiB.
const STEP: usize = 64 * 1024;

/// Chunks on their way out.
#[derive(Debug)]
pub struct BulkWriter {
    stream: Stream,
}

impl BulkWriter {
    pub(super) fn new(stream: Stream) -> Self {
        Self { stream }
    }

    /// Says whether chunks follow.
    ///
    /// # Errors
    /// The stream was cut or its reader stopped reading.
    pub async fn start(&mut self, start: BulkStart) -> Result<(), TransportFailure> {
        let frame = start.to_bytes().map_err(|_| TransportFailure::Malformed)?;
        limited(frames::write(&mut self.stream, &frame)).await
    }

    /// Writes bytes, in steps, each within the idle limit.
    ///
    /// # Errors
    /// The stream was cut or its reader stopped reading.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), TransportFailure> {
        for step in bytes.chunks(STEP) {
            limited(self.stream.write_all(step)).await?;
        }
        Ok(())
    }

    /// Ends the stream after everything was sent.
    ///
    /// # Errors
    /// The stream was cut or its reader stopped reading.
    pub async fn finish(mut self) -> Result<(), TransportFailure> {
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
    pub(super) async fn open(mut stream: Stream, request: BulkRequest) -> Result<Self, TransportFailure> {
        let frame = request.to_bytes().map_err(|_| TransportFailure::Malformed)?;
        limited(frames::write(&mut stream, &frame)).await?;
        let answer = limited(frames::read(&mut stream, BulkStart::LIMIT)).await?;
        match BulkStart::from_bytes(&answer) {
            Ok(BulkStart::Sending) => Ok(Self { stream }),
            Ok(BulkStart::Gone) => Err(TransportFailure::Gone),
            Ok(BulkStart::Busy) => Err(TransportFailure::Busy),
            Err(_) => Err(TransportFailure::Malformed),
        }
    }

    /// Fills `chunk`, in steps, each within the idle limit.
    ///
    /// # Errors
    /// The stream ended early, was cut, or is silent.
    pub async fn read(&mut self, chunk: &mut [u8]) -> Result<(), TransportFailure> {
        for step in chunk.chunks_mut(STEP) {
            limited(self.stream.read_exact(step)).await?;
        }
        Ok(())
    }
}

pub(super) async fn limited<T>(work: impl Future<Output = std::io::Result<T>>) -> Result<T, TransportFailure> {
    match timeout(IDLE, work).await {
        Err(_) => Err(TransportFailure::Timeout),
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::InvalidData => Err(TransportFailure::Malformed),
        Ok(Err(error)) => Err(TransportFailure::Cut { reason: error.to_string() }),
    }
}
