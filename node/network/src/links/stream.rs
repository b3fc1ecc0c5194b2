//! Streams shaped by [`Links`].

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::future::BoxFuture;
use futures::{AsyncRead, AsyncWrite, FutureExt};
use libp2p::Transport;
use libp2p::core::muxing::{StreamMuxer, StreamMuxerBox, StreamMuxerEvent};
use peerlearn_protocols::id::PeerId;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::time::{Instant, Sleep};

use super::Links;
use crate::identity::from_libp2p;
use crate::transport::Connections;

/// Bytes held back for one stream; beyond that nothing more is read, and the sender feels it.
const MAX_HELD: usize = 1 << 20;
/// Bytes read at a time.
const READ: usize = 4 * 1024;

/// The same connections, over these links where there are any.
pub fn shaped(sound: Connections, links: Option<&Links>) -> Connections {
    let Some(links) = links.cloned() else { return sound };
    let shape = move |(peer, muxer): (libp2p::PeerId, StreamMuxerBox), _| {
        let known = from_libp2p(&peer).ok_or_else(|| io::Error::other("the peer is not ed25519"));
        let shaped = known.and_then(|id| ShapedMuxer::new(muxer, id, links.clone()));
        std::future::ready(shaped.map(|muxer| (peer, StreamMuxerBox::new(muxer))))
    };
    sound.and_then(shape).boxed()
}

/// A muxer whose streams are shaped by the links to its peer.
pub struct ShapedMuxer<M> {
    inner: Pin<Box<M>>,
    peer: PeerId,
    links: Links,
    opened: u64,
}

impl<M> ShapedMuxer<M> {
    /// Fails where nothing can pass: a peer behind a cut cable cannot be connected to.
    pub fn new(inner: M, peer: PeerId, links: Links) -> io::Result<Self> {
        match links.of(&peer).is_cut() {
            true => Err(io::Error::new(io::ErrorKind::TimedOut, "the link is cut")),
            false => Ok(Self { inner: Box::pin(inner), peer, links, opened: 0 }),
        }
    }

    fn shaped<S>(&mut self, inner: S) -> ShapedStream<S> {
        self.opened += 1;
        let seed = self.peer.0.iter().fold(self.opened, |seed, &byte| seed.rotate_left(7) ^ u64::from(byte));
        ShapedStream::new(inner, self.peer, self.links.clone(), seed)
    }
}

impl<M: StreamMuxer> StreamMuxer for ShapedMuxer<M>
where
    M::Substream: Unpin,
{
    type Substream = ShapedStream<M::Substream>;
    type Error = M::Error;

    fn poll_inbound(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Self::Substream, Self::Error>> {
        let inner = ready!(self.inner.as_mut().poll_inbound(cx))?;
        Poll::Ready(Ok(self.shaped(inner)))
    }

    fn poll_outbound(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Self::Substream, Self::Error>> {
        let inner = ready!(self.inner.as_mut().poll_outbound(cx))?;
        Poll::Ready(Ok(self.shaped(inner)))
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.as_mut().poll_close(cx)
    }

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<StreamMuxerEvent, Self::Error>> {
        self.inner.as_mut().poll(cx)
    }
}

/// A stream that obeys the link to its peer.
pub struct ShapedStream<S> {
    inner: S,
    peer: PeerId,
    links: Links,
    rng: ChaCha8Rng,
    /// What has arrived, and when it may be seen.
    held: VecDeque<(Instant, Vec<u8>)>,
    held_bytes: usize,
    /// How the inner stream ended: with this error, or well.
    ended: Option<Option<io::Error>>,
    due: Option<Pin<Box<Sleep>>>,
    refill: Option<Pin<Box<Sleep>>>,
    news_for_reading: Option<BoxFuture<'static, ()>>,
    news_for_writing: Option<BoxFuture<'static, ()>>,
}

impl<S> ShapedStream<S> {
    pub fn new(inner: S, peer: PeerId, links: Links, seed: u64) -> Self {
        Self {
            inner,
            peer,
            links,
            rng: ChaCha8Rng::seed_from_u64(seed),
            held: VecDeque::new(),
            held_bytes: 0,
            ended: None,
            due: None,
            refill: None,
            news_for_reading: None,
            news_for_writing: None,
        }
    }
}

/// Whether the stream stalls; if so, the task is woken when the links change.
fn stalls(
    is_cut: impl Fn() -> bool,
    links: &Links,
    news: &mut Option<BoxFuture<'static, ()>>,
    cx: &mut Context<'_>,
) -> bool {
    while is_cut() {
        let waiting = news.get_or_insert_with(|| {
            let mut changes = links.changes();
            async move { drop(changes.changed().await) }.boxed()
        });
        // Asked again, because the links may have changed before the subscription.
        if is_cut() && waiting.as_mut().poll(cx).is_pending() {
            return true;
        }
        *news = None;
    }
    false
}

impl<S: AsyncRead + Unpin> ShapedStream<S> {
    /// Takes in what has arrived, stamped with when it may be seen.
    fn take_in(&mut self, cx: &mut Context<'_>) {
        let link = self.links.of(&self.peer);
        let mut buffer = [0; READ];
        while self.ended.is_none() && self.held_bytes < MAX_HELD {
            match Pin::new(&mut self.inner).poll_read(cx, &mut buffer) {
                Poll::Pending => return,
                Poll::Ready(Ok(0)) => self.ended = Some(None),
                Poll::Ready(Err(error)) => self.ended = Some(Some(error)),
                Poll::Ready(Ok(read)) => {
                    let rng = &mut self.rng;
                    let due = Instant::now() + link.hold(read, || rng.random());
                    // Streams keep their order.
                    let due = self.held.back().map_or(due, |(last, _)| due.max(*last));
                    self.held_bytes += read;
                    self.held.push_back((due, buffer[..read].to_vec()));
                }
            }
        }
    }

    fn hand_out(&mut self, buffer: &mut [u8]) -> usize {
        let Some((_, bytes)) = self.held.front_mut() else { return 0 };
        let count = bytes.len().min(buffer.len());
        buffer[..count].copy_from_slice(&bytes[..count]);
        bytes.drain(..count);
        if bytes.is_empty() {
            self.held.pop_front();
        }
        self.held_bytes -= count;
        count
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for ShapedStream<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let (links, peer) = (&this.links, &this.peer);
        if stalls(|| links.of(peer).deaf, links, &mut this.news_for_reading, cx) {
            return Poll::Pending;
        }
        if this.held.is_empty() && this.ended.is_none() && this.links.of(&this.peer).is_immediate() {
            return Pin::new(&mut this.inner).poll_read(cx, buffer);
        }
        this.take_in(cx);
        loop {
            let Some(&(due, _)) = this.held.front() else {
                return match this.ended.take() {
                    None => Poll::Pending,
                    Some(how) => {
                        this.ended = Some(None);
                        Poll::Ready(how.map_or(Ok(0), Err))
                    }
                };
            };
            if due <= Instant::now() {
                this.due = None;
                return Poll::Ready(Ok(this.hand_out(buffer)));
            }
            let sleep = this.due.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(due)));
            ready!(sleep.as_mut().poll(cx));
            this.due = None;
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for ShapedStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let (links, peer) = (&this.links, &this.peer);
        if stalls(|| links.of(peer).mute, links, &mut this.news_for_writing, cx) {
            return Poll::Pending;
        }
        loop {
            if let Some(refill) = &mut this.refill {
                ready!(refill.as_mut().poll(cx));
                this.refill = None;
            }
            match this.links.take(buffer.len()) {
                Err(wait) => this.refill = Some(Box::pin(tokio::time::sleep(wait))),
                Ok(allowed) => {
                    let written = Pin::new(&mut this.inner).poll_write(cx, &buffer[..allowed]);
                    let sent = if let Poll::Ready(Ok(sent)) = &written { *sent } else { 0 };
                    this.links.give_back(allowed - sent.min(allowed));
                    return written;
                }
            }
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_close(cx)
    }
}
