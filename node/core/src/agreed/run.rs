//! Goes on beside the rounds: exchanges summaries with others, and takes numbers that are better.

use std::sync::Arc;
use std::time::Duration;

use peerlearn_learner::Snapshot;
use peerlearn_protocols::id::PeerId;
use peerlearn_runtime::event::{NodeEvent, Stamped};
use peerlearn_task::Task;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::Instant;

use super::Agreed;
use super::book::Book;
use super::told::changes;
use crate::peer::Components;
use crate::registry::Home;

/// After news, one of the connected peers is asked within this time; then ever more seldom.
const ASK_SOON: Duration = Duration::from_secs(1);
/// Without news, one of the connected peers is asked this often.
const ASK_EVERY: Duration = Duration::from_secs(30);
/// Peers asked at a time.
const AT_A_TIME: usize = 4;

/// Everything that agreeing needs.
pub(crate) struct Agreeing {
    pub agreed: Agreed,
    pub book: Book,
    pub task: Task,
    pub home: Option<Arc<Home>>,
    pub components: Components,
    pub events: broadcast::Receiver<Stamped>,
}

impl Agreeing {
    /// Agrees with others, for ever.
    pub async fn run(mut self) {
        self.keep().await;
        if self.agreed.0.first.is_none() {
            let message = "this model takes no other numbers than those of the task: it trains in these, and only tells others its own";
            self.components.events.emit(NodeEvent::Warning { message: message.to_owned() });
        }
        let mut changed = self.book.changes();
        let (mut pause, mut due) = (ASK_SOON, Instant::now() + ASK_SOON);
        let permits = Arc::new(tokio::sync::Semaphore::new(AT_A_TIME));
        loop {
            let peer = tokio::select! {
                () = tokio::time::sleep_until(due) => {
                    pause = (pause * 2).min(ASK_EVERY);
                    due = Instant::now() + pause;
                    self.any().await
                }
                peer = connected(&mut self.events) => Some(peer),
                Ok(()) = changed.changed() => {
                    self.consider().await;
                    (pause, due) = (ASK_SOON, due.min(Instant::now() + ASK_SOON));
                    None
                }
            };
            // Whom there is no time for is asked another time.
            let (Some(peer), Ok(permit)) = (peer, Arc::clone(&permits).try_acquire_owned()) else { continue };
            let network = self.components.network.clone();
            tokio::spawn(async move {
                if let Err(error) = network.exchange_summaries(peer).await {
                    tracing::debug!(peer = %peer.short(), %error, "summaries were not exchanged");
                }
                drop(permit);
            });
        }
    }

    async fn any(&self) -> Option<PeerId> {
        let peers = self.components.network.connections().await;
        peers.get(rand::random::<u32>() as usize % peers.len().max(1)).copied()
    }

    /// Takes better numbers, if there are some. A model that has learnt nothing yet begins anew in them: its first weights
    /// would else be too large or too small for columns whose numbers changed much.
    async fn consider(&self) {
        let taken = self.agreed.take_next(&self.book.summaries());
        let Some((before, now)) = taken else { return };
        let initial = self.agreed.initial(self.task.layout(), self.task.id().0);
        if let Err(error) = self.components.learner.begin_anew(Snapshot::fresh(initial)).await {
            tracing::debug!(%error, "a model without training stays as it was");
        }
        let changes = changes(&before, &now);
        if !changes.is_empty() {
            self.components.events.emit(NodeEvent::FrameTaken { voices: now.voices, changes });
        }
        self.keep().await;
    }

    async fn keep(&self) {
        let Some(home) = self.home.clone() else { return };
        let kept = self.agreed.kept();
        let writing = tokio::task::spawn_blocking(move || home.remember_frame(&kept)).await;
        if let Ok(Err(error)) = writing {
            self.components.events.emit(NodeEvent::CommitFailed { error: error.to_string() });
        }
    }
}

/// The next peer that connects.
async fn connected(events: &mut broadcast::Receiver<Stamped>) -> PeerId {
    loop {
        match events.recv().await.map(|stamped| stamped.event) {
            Ok(NodeEvent::PeerConnected { peer, .. }) => return peer,
            // Whoever was missed is asked when its turn comes.
            Ok(_) | Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}
