//! What peers told of their columns, for the network to exchange.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use peerlearn_network::{SummaryBook, SummaryName, is_signed};
use peerlearn_protocols::id::{Hash, PeerId};
use peerlearn_protocols::score::Fault;
use peerlearn_runtime::event::{EventBus, NodeEvent};
use peerlearn_task::frame::{Digest, Joined, Summaries, Summary};
use tokio::sync::watch;

use crate::access::Access;

/// The summaries of a task. Cloning shares them.
#[derive(Debug, Clone)]
pub(crate) struct Book(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    summaries: Mutex<Summaries>,
    access: Access,
    events: EventBus,
    changed: watch::Sender<()>,
}

impl Book {
    pub fn new(summaries: Summaries, access: Access, events: EventBus) -> Self {
        let (changed, _) = watch::channel(());
        Self(Arc::new(Inner { summaries: Mutex::new(summaries), access, events, changed }))
    }

    pub fn summaries(&self) -> MutexGuard<'_, Summaries> {
        self.0.summaries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells of everything new.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.0.changed.subscribe()
    }

    /// Whether what this peer tells counts: the task is open, or it was let in here. One whom this node has not met yet counts
    /// later.
    fn counts(&self, author: &PeerId) -> bool {
        self.0.access.gate().is_none() || self.0.access.name_of(author).is_some()
    }
}

impl SummaryBook for Book {
    fn names(&self) -> Vec<SummaryName> {
        self.summaries().digests().iter().map(name_of).collect()
    }

    fn bytes(&self, name: &SummaryName) -> Option<Vec<u8>> {
        let summaries = self.summaries();
        summaries.get(&digest_of(name)).map(|summary| summary.to_bytes(summaries.schema()))
    }

    fn take(&self, bytes: &[u8]) -> Result<bool, Fault> {
        let (summary, digest, message) = {
            let summaries = self.summaries();
            let (task, schema) = (summaries.task(), summaries.schema());
            let summary = Summary::from_bytes(bytes, task, schema).map_err(|_| Fault::Malformed)?;
            let digest = Digest { peer: summary.peer, hash: summary.hash(schema) };
            if summaries.get(&digest).is_some() {
                return Ok(false);
            }
            let message = summary.message(schema);
            (summary, digest, message)
        };
        if !is_signed(&summary.peer, &message, &summary.signature) {
            return Err(Fault::BadSignature);
        }
        if !self.counts(&digest.peer) {
            return Ok(false);
        }
        let joined = self.summaries().join(summary);
        if joined == Joined::Contradiction {
            let peer = self.0.access.label(&digest.peer);
            let message = format!("peer {peer} told two different things of its columns at once; neither counts");
            self.0.events.emit(NodeEvent::Warning { message });
        }
        let is_new = joined != Joined::Known;
        if is_new {
            self.0.changed.send_replace(());
        }
        Ok(is_new)
    }

    fn limits(&self) -> (usize, usize) {
        let summaries = self.summaries();
        (summaries.most_digests(), Summary::most_bytes(summaries.schema()))
    }
}

fn name_of(digest: &Digest) -> SummaryName {
    let mut name = [0; 64];
    name[..32].copy_from_slice(&digest.peer.0);
    name[32..].copy_from_slice(&digest.hash.0);
    name
}

fn digest_of(name: &SummaryName) -> Digest {
    let half = |at: usize| std::array::from_fn(|byte| name[at + byte]);
    Digest { peer: PeerId(half(0)), hash: Hash(half(32)) }
}
