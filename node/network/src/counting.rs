//! Counts the bytes of all streams of a node and of each peer, below the protocols and above encryption.

use std::collections::BTreeMap;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use futures::{AsyncRead, AsyncWrite};
use libp2p::PeerId;
use libp2p::core::muxing::{StreamMuxer, StreamMuxerEvent};

/// Most peers counted by themselves; those beyond are counted in the sum only.
const MAX_COUNTED: usize = 512;

/// Bytes received and sent.
#[derive(Debug, Default)]
struct Count {
    received: AtomicU64,
    sent: AtomicU64,
}

impl Count {
    fn read(&self) -> (u64, u64) {
        (self.received.load(Ordering::Relaxed), self.sent.load(Ordering::Relaxed))
    }
}

/// Bytes received and sent since the start. Clones count together.
#[derive(Debug, Clone, Default)]
pub struct Counters {
    sum: Arc<Count>,
    /// Of the peer whose streams these are.
    own: Option<Arc<Count>>,
    peers: Arc<Mutex<BTreeMap<PeerId, Arc<Count>>>>,
}

impl Counters {
    /// Received, sent.
    pub fn read(&self) -> (u64, u64) {
        self.sum.read()
    }

    /// Counts in the sum and, beside it, for this peer, over all of its connections. When too many are counted, those
    /// without a connection are forgotten.
    pub fn of(&self, peer: &PeerId) -> Self {
        let mut peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        if peers.len() >= MAX_COUNTED && !peers.contains_key(peer) {
            peers.retain(|_, count| Arc::strong_count(count) > 1);
        }
        let own = match peers.get(peer) {
            Some(count) => Some(Arc::clone(count)),
            None if peers.len() >= MAX_COUNTED => None,
            None => Some(Arc::clone(peers.entry(*peer).or_default())),
        };
        Self { sum: Arc::clone(&self.sum), own, peers: Arc::clone(&self.peers) }
    }

    /// Tells of each peer that is counted by itself what was received and sent.
    pub fn each(&self, mut tell: impl FnMut(&PeerId, (u64, u64))) {
        let peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        peers.iter().for_each(|(peer, count)| tell(peer, count.read()));
    }

    fn received(&self, bytes: usize) {
        for count in [&self.sum].into_iter().chain(&self.own) {
            count.received.fetch_add(bytes as u64, Ordering::Relaxed);
        }
    }

    fn sent(&self, bytes: usize) {
        for count in [&self.sum].into_iter().chain(&self.own) {
            count.sent.fetch_add(bytes as u64, Ordering::Relaxed);
        }
    }
}

/// A muxer whose streams count.
pub struct CountingMuxer<M> {
    inner: Pin<Box<M>>,
    counters: Counters,
}

impl<M> CountingMuxer<M> {
    pub fn new(inner: M, counters: Counters) -> Self {
        Self { inner: Box::pin(inner), counters }
    }
}

impl<M: StreamMuxer> StreamMuxer for CountingMuxer<M>
where
    M::Substream: Unpin,
{
    type Substream = CountingStream<M::Substream>;
    type Error = M::Error;

    fn poll_inbound(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Self::Substream, Self::Error>> {
        let inner = ready!(self.inner.as_mut().poll_inbound(cx))?;
        Poll::Ready(Ok(CountingStream { inner, counters: self.counters.clone() }))
    }

    fn poll_outbound(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Self::Substream, Self::Error>> {
        let inner = ready!(self.inner.as_mut().poll_outbound(cx))?;
        Poll::Ready(Ok(CountingStream { inner, counters: self.counters.clone() }))
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.as_mut().poll_close(cx)
    }

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<StreamMuxerEvent, Self::Error>> {
        self.inner.as_mut().poll(cx)
    }
}

/// A stream that counts.
pub struct CountingStream<S> {
    inner: S,
    counters: Counters,
}

impl<S: AsyncRead + Unpin> AsyncRead for CountingStream<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let read = ready!(Pin::new(&mut self.inner).poll_read(cx, buffer))?;
        self.counters.received(read);
        Poll::Ready(Ok(read))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for CountingStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.inner).poll_write(cx, buffer))?;
        self.counters.sent(written);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_close(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(counters: &Counters, wanted: &PeerId) -> Option<(u64, u64)> {
        let mut found = None;
        counters.each(|peer, count| found = if peer == wanted { Some(count) } else { found });
        found
    }

    #[test]
    fn peers_are_counted_beside_the_sum_and_their_number_is_bounded() {
        let counters = Counters::default();
        let (ant, bat) = (PeerId::random(), PeerId::random());
        let (of_ant, of_bat) = (counters.of(&ant), counters.of(&bat));
        of_ant.received(3);
        of_bat.sent(4);
        counters.of(&ant).sent(1);
        assert_eq!(counters.read(), (3, 5));
        assert_eq!(of(&counters, &ant), Some((3, 1)));
        assert_eq!(of(&counters, &bat), Some((0, 4)));
        for _ in 0..2 * MAX_COUNTED {
            drop(counters.of(&PeerId::random()));
        }
        assert!(counters.peers.lock().unwrap().len() <= MAX_COUNTED);
        assert_eq!(of(&counters, &ant), Some((3, 1)), "one that is connected is not forgotten");
    }
}
