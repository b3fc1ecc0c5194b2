//! Length-delimited frames on request-response streams.
//!
//! The frames stay bytes here: whoever sent a bad one must be known when it is found to be bad.

use std::io;

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use libp2p::StreamProtocol;
use libp2p::request_response::Codec;
use peerlearn_protocols::wire::{Request, Response, Wire};

/// Bytes read at a time, so that a length allocates nothing before bytes back it.
const STEP: usize = 16 * 1024;

/// Reads and writes frames, each behind its length in four bytes.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Frames;

impl Codec for Frames {
    type Protocol = StreamProtocol;
    type Request = Vec<u8>;
    type Response = Vec<u8>;

    async fn read_request<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Vec<u8>>
    where
        T: AsyncRead + Unpin + Send,
    {
        match read(io, Request::LIMIT).await {
            // The behaviour says nothing of a request that could not be read, so a stand-in says who sent it: one byte
            // over the limit, which no frame is.
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Ok(vec![0; Request::LIMIT + 1]),
            read => read,
        }
    }

    async fn read_response<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Vec<u8>>
    where
        T: AsyncRead + Unpin + Send,
    {
        read(io, Response::LIMIT).await
    }

    async fn write_request<T>(&mut self, _: &StreamProtocol, io: &mut T, frame: Vec<u8>) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        write(io, &frame).await
    }

    async fn write_response<T>(&mut self, _: &StreamProtocol, io: &mut T, frame: Vec<u8>) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        write(io, &frame).await
    }
}

/// Reads one frame of at most `limit` bytes.
pub(super) async fn read<T: AsyncRead + Unpin>(io: &mut T, limit: usize) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    io.read_exact(&mut length).await?;
    let length = u32::from_be_bytes(length) as usize;
    if length > limit {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("frame of {length} bytes, limit {limit}")));
    }
    let mut frame = Vec::new();
    while frame.len() < length {
        let start = frame.len();
        frame.resize((start + STEP).min(length), 0);
        io.read_exact(&mut frame[start..]).await?;
    }
    Ok(frame)
}

/// Writes one frame.
pub(super) async fn write<T: AsyncWrite + Unpin>(io: &mut T, frame: &[u8]) -> io::Result<()> {
    // One write, so that a small frame is one packet.
    let length = u32::try_from(frame.len()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    io.write_all(&[&length.to_be_bytes(), frame].concat()).await?;
    io.flush().await
}
