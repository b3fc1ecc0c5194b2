//! What peers told of their columns goes from one to another: two peers tell each other what they have and end with the union.
//!
//! ```text
//!   asker                                      asked
//!     task, names of all it has  ------------>
//!                                <------------  names of what it wants; what the asker lacks
//!     what is wanted             ------------>
//! ```
//!
//! Here it is bytes with names; what they mean, whether a signature holds and what is kept is for the [`SummaryBook`] to know. The
//! streams are held back from peers that have not been let in, as those of models are.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures::{AsyncRead, AsyncWrite, StreamExt};
use libp2p::{Stream, StreamProtocol};
use libp2p_stream::{Control, OpenStreamError};
use peerlearn_protocols::id::{PeerId, TaskId};
use peerlearn_protocols::score::Fault;
use tokio::sync::{Semaphore, mpsc, oneshot};

use super::bulk::limited;
use super::command::Command;
use super::identity::{from_libp2p, to_libp2p};
use super::{NetworkEvent, TransportFailure, frames};

/// Askers answered at a time.
const MAX_ASKERS: usize = 8;
/// Looks at who takes part, before an asker is sent away: it may have been told a moment before this node was.
const LOOKS: u32 = 10;
/// Time between two of them.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Bytes of a name.
const NAME: usize = 64;

/// Names one summary: the same name is the same bytes.
pub type SummaryName = [u8; NAME];

/// What peers told of their columns, as one node keeps it. Its answers come at once.
pub trait SummaryBook: std::fmt::Debug + Send + Sync + 'static {
    /// Names of all that is kept.
    fn names(&self) -> Vec<SummaryName>;

    /// The bytes behind a name that is kept.
    fn bytes(&self, name: &SummaryName) -> Option<Vec<u8>>;

    /// Takes one from a peer, wherever that has it from. Answers whether it was new.
    ///
    /// # Errors
    /// What the peer who passed it on did wrong: it is none, or its signature does not hold.
    fn take(&self, bytes: &[u8]) -> Result<bool, Fault>;

    /// Most names that any node of the task keeps, and most bytes behind one.
    fn limits(&self) -> (usize, usize);
}

fn protocol() -> StreamProtocol {
    StreamProtocol::new("/peerlearn/summaries/1")
}

/// Whether a peer may ask: it takes part, which is to be of the same task and version and, where the task is not open, to have been
/// let in.
async fn may_ask(peer: &PeerId, commands: &mpsc::Sender<Command>) -> bool {
    for _ in 0..LOOKS {
        let (reply, answer) = oneshot::channel();
        if commands.send(Command::Connections { reply }).await.is_err() {
            return false;
        }
        if answer.await.is_ok_and(|taking_part| taking_part.contains(peer)) {
            return true;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    false
}

/// Answers those who ask, for ever.
pub(super) async fn serve(
    mut control: Control,
    task: TaskId,
    book: Arc<dyn SummaryBook>,
    commands: mpsc::Sender<Command>,
    events: mpsc::Sender<NetworkEvent>,
) {
    let Ok(mut streams) = control.accept(protocol()) else {
        return tracing::error!("summaries are already exchanged elsewhere");
    };
    let askers = Arc::new(Semaphore::new(MAX_ASKERS));
    while let Some((peer, stream)) = streams.next().await {
        let (Some(peer), Ok(permit)) = (from_libp2p(&peer), Arc::clone(&askers).try_acquire_owned()) else { continue };
        let (book, commands, events) = (Arc::clone(&book), commands.clone(), events.clone());
        tokio::spawn(async move {
            if may_ask(&peer, &commands).await
                && let Err(Failure::Fault(fault)) = answer(stream, task, &*book).await
            {
                let _ = events.send(NetworkEvent::Misbehaved { peer, fault }).await;
            }
            drop(permit);
        });
    }
}

/// Asks a peer; both have the same then. Answers how many were new here.
pub(super) async fn ask(
    mut control: Control,
    peer: PeerId,
    task: TaskId,
    book: &dyn SummaryBook,
) -> Result<usize, TransportFailure> {
    let target = to_libp2p(&peer).ok_or(TransportFailure::Unreachable)?;
    let mut stream = control.open_stream(target, protocol()).await.map_err(|error| match error {
        OpenStreamError::UnsupportedProtocol(_) => TransportFailure::Unsupported,
        error => TransportFailure::Cut { reason: error.to_string() },
    })?;
    let asked = async {
        let first = Message { names: book.names(), summaries: Vec::new() };
        write(&mut stream, &[&task.0[..], &first.to_bytes()].concat()).await?;
        let answer = Message::read(&mut stream, book).await?;
        let new = answer.take(book)?;
        let wanted =
            Message { names: Vec::new(), summaries: answer.names.iter().filter_map(|name| book.bytes(name)).collect() };
        write(&mut stream, &wanted.to_bytes()).await?;
        Ok(new)
    };
    asked.await.map_err(|failure| match failure {
        Failure::Transport(failure) => failure,
        Failure::Fault(_) => TransportFailure::Malformed,
    })
}

async fn answer(mut stream: Stream, task: TaskId, book: &dyn SummaryBook) -> Result<(), Failure> {
    let bytes = read(&mut stream, 32 + Message::limit(book)).await?;
    let (theirs, rest) = bytes.split_first_chunk::<32>().ok_or(Failure::Fault(Fault::Malformed))?;
    if *theirs != task.0 {
        return Err(Failure::Fault(Fault::Unexpected));
    }
    let asked = Message::from_bytes(rest, book)?;
    let (theirs, ours): (BTreeSet<_>, BTreeSet<_>) =
        (asked.names.into_iter().collect(), book.names().into_iter().collect());
    let names = theirs.difference(&ours).copied().collect();
    let summaries = ours.difference(&theirs).filter_map(|name| book.bytes(name)).collect();
    write(&mut stream, &Message { names, summaries }.to_bytes()).await?;
    Message::read(&mut stream, book).await?.take(book)?;
    Ok(())
}

/// Why an exchange ended early.
enum Failure {
    Transport(TransportFailure),
    /// The other side did what no honest peer does.
    Fault(Fault),
}

async fn read(io: &mut (impl AsyncRead + Unpin), limit: usize) -> Result<Vec<u8>, Failure> {
    limited(frames::read(io, limit)).await.map_err(|failure| match failure {
        TransportFailure::Malformed => Failure::Fault(Fault::TooLong),
        failure => Failure::Transport(failure),
    })
}

async fn write(io: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> Result<(), Failure> {
    limited(frames::write(io, bytes)).await.map_err(Failure::Transport)
}

/// Names, and summaries in bytes. On the wire: the number of names, the names, and each summary behind its length; numbers are of
/// four bytes, big-endian.
#[derive(Debug, Default, PartialEq, Eq)]
struct Message {
    names: Vec<SummaryName>,
    summaries: Vec<Vec<u8>>,
}

impl Message {
    /// Most bytes of a message.
    fn limit(book: &dyn SummaryBook) -> usize {
        let (most, bytes) = book.limits();
        4 + most * (NAME + 4 + bytes)
    }

    async fn read(io: &mut (impl AsyncRead + Unpin), book: &dyn SummaryBook) -> Result<Self, Failure> {
        Self::from_bytes(&read(io, Self::limit(book)).await?, book)
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = (self.names.len() as u32).to_be_bytes().to_vec();
        self.names.iter().for_each(|name| bytes.extend(name));
        for summary in &self.summaries {
            bytes.extend((summary.len() as u32).to_be_bytes());
            bytes.extend(summary);
        }
        bytes
    }

    /// Reads what a stranger wrote; nothing is made larger than the bytes that are there.
    fn from_bytes(bytes: &[u8], book: &dyn SummaryBook) -> Result<Self, Failure> {
        let malformed = || Failure::Fault(Fault::Malformed);
        let (most, most_bytes) = book.limits();
        let (count, rest) = bytes.split_first_chunk::<4>().ok_or_else(malformed)?;
        let count = u32::from_be_bytes(*count) as usize;
        let (names, mut rest) = rest.split_at_checked(count.saturating_mul(NAME)).ok_or_else(malformed)?;
        let mut summaries = Vec::new();
        while !rest.is_empty() {
            let (length, behind) = rest.split_first_chunk::<4>().ok_or_else(malformed)?;
            let length = u32::from_be_bytes(*length) as usize;
            let (summary, behind) = behind.split_at_checked(length).ok_or_else(malformed)?;
            if length > most_bytes || summaries.len() == most {
                return Err(malformed());
            }
            summaries.push(summary.to_vec());
            rest = behind;
        }
        match count <= most {
            true => Ok(Self { names: names.as_chunks::<NAME>().0.to_vec(), summaries }),
            false => Err(malformed()),
        }
    }

    /// Puts the summaries into the book, up to one that is none.
    fn take(&self, book: &dyn SummaryBook) -> Result<usize, Failure> {
        let mut new = 0;
        for summary in &self.summaries {
            new += usize::from(book.take(summary).map_err(Failure::Fault)?);
        }
        Ok(new)
    }
}

#[cfg(test)]
pub(crate) mod tests;
