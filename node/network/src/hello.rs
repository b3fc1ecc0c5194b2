//! What two peers show each other before anything else, where a task is not open to everybody: one stream each way.
//!
//! ```text
//!   whoever dialled   -- hello -->  judges, answers
//!       judges, answers <-- hello --  who has let the other in
//! ```
//!
//! Whoever did not dial shows itself only to those it has let in: a stranger who dials learns nothing of it.

use std::sync::Arc;
use std::time::Duration;

use futures::{AsyncReadExt, StreamExt};
use libp2p::{Stream, StreamProtocol};
use libp2p_stream::{Control, IncomingStreams, OpenStreamError};
use tokio::sync::{Semaphore, mpsc};

use super::bulk::limited;
use super::command::Command;
use super::gate::{Admission, Answer, Gate, OPEN};
use super::identity::from_libp2p;
use super::{TransportFailure, frames};

/// Most bytes of a hello and of its answer.
const MOST: usize = 4096;
/// Peers answered at a time.
const MAX_ANSWERED: usize = 64;
/// How often somebody asks anew who is not decided on.
const KNOCK_EVERY: Duration = Duration::from_secs(3);
/// Tries to show oneself while the other side does not answer: it may be starting.
const TRIES: u32 = 4;
/// Time between two of them.
const TRY_EVERY: Duration = Duration::from_millis(400);
/// Longest wait for a refused peer to have read why.
const PARTING: Duration = Duration::from_secs(1);

/// What came of a hello, for the swarm.
#[derive(Debug)]
pub(super) enum News {
    /// The peer showed itself here.
    Judged(Admission),
    /// This node showed itself there.
    Answered(Answer),
    /// The peer lets in members only, and this node takes the task as open.
    Unlike,
}

fn protocol() -> StreamProtocol {
    StreamProtocol::new("/peerlearn/hello/1")
}

/// Streams on which peers show themselves. Taken before the node listens, so that nobody comes too early.
pub(super) fn incoming(control: &mut Control) -> Option<IncomingStreams> {
    control.accept(protocol()).ok()
}

/// Judges those who show themselves, for ever. A node whose task is open has no gate, and says so.
pub(super) async fn answer_all(
    mut streams: IncomingStreams,
    gate: Option<Arc<dyn Gate>>,
    commands: mpsc::Sender<Command>,
) {
    let answering = Arc::new(Semaphore::new(MAX_ANSWERED));
    while let Some((peer, stream)) = streams.next().await {
        let Ok(permit) = Arc::clone(&answering).try_acquire_owned() else { continue };
        let (gate, commands) = (gate.clone(), commands.clone());
        tokio::spawn(async move {
            if let Some(news) = answer(peer, stream, gate).await {
                // The swarm may have ended.
                let _ = commands.send(Command::Hello { peer, news }).await;
            }
            drop(permit);
        });
    }
}

async fn answer(peer: libp2p::PeerId, mut stream: Stream, gate: Option<Arc<dyn Gate>>) -> Option<News> {
    let hello = limited(frames::read(&mut stream, MOST)).await.ok()?;
    let (bytes, news) = match gate {
        // Who asks whether the task is open here shows nothing.
        Some(_) if hello.is_empty() => return None,
        Some(gate) => {
            let admission = gate.judge(from_libp2p(&peer)?, &hello);
            (admission.to_bytes(), News::Judged(admission))
        }
        None => (vec![OPEN], News::Unlike),
    };
    let sent = limited(frames::write(&mut stream, &bytes)).await;
    if sent.is_ok() && matches!(news, News::Judged(Admission::Refused { .. }) | News::Unlike) {
        // What was answered must arrive before the connection is closed.
        let _ = tokio::time::timeout(PARTING, stream.read(&mut [0])).await;
    }
    Some(news)
}

/// Asks a peer that shows nothing whether the task is open to it, so that both can say so. Tells it nothing.
pub(super) async fn wonder(mut control: Control, peer: libp2p::PeerId, commands: mpsc::Sender<Command>) {
    if let Ok(answer @ Answer::Open) = ask(&mut control, peer, &[]).await {
        let news = News::Answered(answer);
        // The swarm may have ended.
        let _ = commands.send(Command::Hello { peer, news }).await;
    }
}

/// Shows this node to a peer, again and again while that has not decided.
pub(super) async fn show(
    mut control: Control,
    peer: libp2p::PeerId,
    gate: Arc<dyn Gate>,
    commands: mpsc::Sender<Command>,
) {
    let mut failures = 0;
    loop {
        let answer = match ask(&mut control, peer, &gate.hello()).await {
            Ok(answer) => answer,
            Err(TransportFailure::Unsupported) if failures >= TRIES => {
                Answer::Refused { reason: "it does not know of memberships".to_owned() }
            }
            // The connection is closed when nothing comes of it.
            Err(_) if failures >= TRIES => return,
            Err(_) => {
                failures += 1;
                tokio::time::sleep(TRY_EVERY).await;
                continue;
            }
        };
        let waits = matches!(answer, Answer::Waits { .. });
        if let (Answer::LetIn { papers }, Some(peer)) = (&answer, from_libp2p(&peer)) {
            gate.let_in(peer, papers);
        }
        let news = News::Answered(answer);
        if commands.send(Command::Hello { peer, news }).await.is_err() || !waits {
            return;
        }
        tokio::time::sleep(KNOCK_EVERY).await;
    }
}

async fn ask(control: &mut Control, peer: libp2p::PeerId, hello: &[u8]) -> Result<Answer, TransportFailure> {
    let asking = async {
        let mut stream = control.open_stream(peer, protocol()).await.map_err(|error| match error {
            OpenStreamError::UnsupportedProtocol(_) => TransportFailure::Unsupported,
            error => TransportFailure::Cut { reason: error.to_string() },
        })?;
        limited(frames::write(&mut stream, hello)).await?;
        let answer = limited(frames::read(&mut stream, MOST)).await?;
        Answer::from_bytes(&answer).ok_or(TransportFailure::Malformed)
    };
    tokio::time::timeout(2 * KNOCK_EVERY, asking).await.map_err(|_| TransportFailure::Timeout)?
}
