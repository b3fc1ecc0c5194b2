//! Small things that go on beside the rounds: the address book, and the list of recent problems.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use peerlearn_data::Loaded;
use peerlearn_network::NetworkHandle;
use peerlearn_protocols::id::PeerId;
use peerlearn_protocols::peer::KnownPeer;
use peerlearn_runtime::event::{EventBus, NodeEvent, Stamped};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, watch};

use crate::access::Access;
use crate::peer::PeerHandle;
use crate::registry::{BookEntry, Home, RegistryError, RegistryHandle};

/// Between two looks at the address book where nobody comes or goes; it is written when something in it changed.
const BOOK_EVERY: Duration = Duration::from_secs(60);
/// Least time between two looks at it.
const BOOK_GAP: Duration = Duration::from_millis(500);
/// How often data files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// How the problem begins that nobody can be reached.
pub(super) const NOBODY: &str = "nobody can be reached yet";
/// How the problem begins that others have not let this node in.
const NOT_LET_IN: &str = "not let in: ";
/// Problems kept for status.
const MAX_PROBLEMS: usize = 16;

/// The newest problems, for status.
#[derive(Debug, Clone, Default)]
pub(super) struct Problems(Arc<Mutex<VecDeque<String>>>);

impl Problems {
    pub fn newest(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    fn add(&self, problem: String) {
        let mut problems = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // The same problem again moves to the front.
        problems.retain(|known| *known != problem);
        problems.push_front(problem);
        problems.truncate(MAX_PROBLEMS);
    }

    fn forget(&self, beginning: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|known| !known.starts_with(beginning));
    }

    /// Collects problems from the event stream, until it ends.
    pub async fn collect(self, mut events: broadcast::Receiver<Stamped>) {
        loop {
            match events.recv().await {
                // What was said of nobody being there is over.
                Ok(Stamped { event: NodeEvent::PeerConnected { peer, .. }, .. }) => {
                    self.forget(NOBODY);
                    self.forget(&refused(peer));
                    // Only who has let this node in is connected.
                    self.forget(&format!("{NOT_LET_IN}{} says", peer.short()));
                }
                Ok(Stamped { event, .. }) => describe(&event).into_iter().for_each(|problem| self.add(problem)),
                // Somebody may have come meanwhile; what is still so of contacts is said of each.
                Err(RecvError::Lagged(_)) => self.forget(NOBODY),
                Err(RecvError::Closed) => return,
            }
        }
    }
}

/// How the problem begins that a peer was refused.
fn refused(peer: PeerId) -> String {
    format!("peer {} refused: ", peer.short())
}

fn describe(event: &NodeEvent) -> Option<String> {
    match event {
        NodeEvent::Warning { message } => Some(message.clone()),
        NodeEvent::CommitFailed { error } => Some(format!("state not written: {error}")),
        NodeEvent::PeerRefused { peer, reason } => Some(format!("{}{reason}", refused(*peer))),
        NodeEvent::NotLetIn { reason, .. } => Some(format!("{NOT_LET_IN}{reason}")),
        NodeEvent::Misbehaved { peer, reason, banned } => {
            let banned = if *banned { ", banned" } else { "" };
            Some(format!("peer {} {reason}{banned}", peer.short()))
        }
        NodeEvent::ComponentRestarted { component, times } => {
            Some(format!("the {component} component was restarted ({times})"))
        }
        _ => None,
    }
}

/// Keeps the address book on disk, for ever. Peers of `old` stay in it behind those known now.
pub(super) async fn keep_book(
    machine: PeerHandle,
    registry: RegistryHandle,
    old: Vec<BookEntry>,
    mut events: broadcast::Receiver<Stamped>,
) {
    let mut written = Vec::new();
    loop {
        // A peer that stays may still move.
        let _ = tokio::time::timeout(BOOK_EVERY, somebody_comes_or_goes(&mut events)).await;
        tokio::time::sleep(BOOK_GAP).await;
        let Some(entries) = entries(&machine, &old).await else { continue };
        if entries != written && !entries.is_empty() {
            registry.save_book(entries.clone());
            written = entries;
        }
    }
}

async fn somebody_comes_or_goes(events: &mut broadcast::Receiver<Stamped>) {
    loop {
        match events.recv().await.map(|stamped| stamped.event) {
            Ok(NodeEvent::PeerDiscovered { .. } | NodeEvent::PeerConnected { .. } | NodeEvent::PeerExpired { .. }) => {
                return;
            }
            // It may have been among those that were missed.
            Err(RecvError::Lagged(_)) => return,
            Err(RecvError::Closed) => std::future::pending().await,
            Ok(_) => {}
        }
    }
}

/// Keeps on disk where this node listens, for ever. `moved` tells of every change.
pub(super) async fn keep_addresses(network: NetworkHandle, home: Arc<Home>, mut moved: watch::Receiver<()>) {
    let mut written = home.addresses_before();
    loop {
        let addresses = network.addresses().await;
        if addresses != written && !addresses.is_empty() {
            let (home, remembered) = (Arc::clone(&home), addresses.clone());
            // A disk that takes nothing only means other ports next time.
            let _ = tokio::task::spawn_blocking(move || home.remember_addresses(&remembered)).await;
            written = addresses;
        }
        if moved.changed().await.is_err() {
            return;
        }
    }
}

/// Keeps on disk what this node shows of itself and whom it has let in, for ever.
pub(super) async fn keep_members(access: Access, home: Arc<Home>, events: EventBus) {
    let mut changes = access.changes();
    let mut told = String::new();
    loop {
        let (home, access) = (Arc::clone(&home), access.clone());
        match tokio::task::spawn_blocking(move || write_members(&access, &home)).await {
            Ok(Err(error)) if told != error.to_string() => {
                told = error.to_string();
                events.emit(NodeEvent::CommitFailed { error: told.clone() });
            }
            _ => {}
        }
        if changes.changed().await.is_err() {
            return;
        }
    }
}

/// Writes what is to be kept of who takes part, where that has changed.
pub(super) fn write_members(access: &Access, home: &Home) -> Result<(), RegistryError> {
    let (task, own, seen) = access.kept();
    home.remember_member(&own)?;
    home.remember_seen(task, seen)
}

/// Writes the address book once more.
pub(super) async fn save_book(machine: &PeerHandle, registry: &RegistryHandle, old: &[BookEntry]) {
    if let Some(entries) = entries(machine, old).await.filter(|entries| !entries.is_empty()) {
        registry.save_book(entries);
    }
}

async fn entries(machine: &PeerHandle, old: &[BookEntry]) -> Option<Vec<BookEntry>> {
    // Who was only announced may be nobody at all.
    let is_of_use = |known: &KnownPeer| known.proven && !known.addresses.is_empty();
    let mut known: Vec<KnownPeer> = machine.known_peers().await.ok()?.into_iter().filter(is_of_use).collect();
    // The book is cut where it is full: those go first from whom models came. Then by id: an order that changes with every
    // message would be written with every message.
    known.sort_by_key(|known| (known.mixed == 0, !known.connected, known.peer));
    let entry = |known: KnownPeer| {
        let addresses = known.addresses.into_iter().map(|address| address.0).collect();
        BookEntry { peer: known.peer, addresses }
    };
    let mut entries: Vec<BookEntry> = known.into_iter().map(entry).collect();
    let fresh: Vec<_> = old.iter().filter(|old| entries.iter().all(|entry| entry.peer != old.peer)).cloned().collect();
    entries.extend(fresh);
    Some(entries)
}

/// Warns once when a data file changes under the running node, for ever.
pub(super) async fn watch_data(loaded: Loaded, events: EventBus) {
    let mut warned = Vec::new();
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    loop {
        ticks.tick().await;
        for path in loaded.changed() {
            if !warned.contains(&path) {
                let message = format!("{} changed; this node goes on with the rows it has read", path.display());
                events.emit(NodeEvent::Warning { message });
                warned.push(path);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was said of a peer, or of nobody being there, is over when it is connected; what is said of others stays.
    #[tokio::test]
    async fn problems_that_are_over_go() {
        let (sender, events) = broadcast::channel(16);
        let (peer, other) = (PeerId([1; 32]), PeerId([2; 32]));
        let told = [
            NodeEvent::Warning { message: format!("{NOBODY}: no route") },
            NodeEvent::NotLetIn { peer, reason: format!("{} says: wait; ask", peer.short()) },
            NodeEvent::NotLetIn { peer: other, reason: format!("{} says: no; ask", other.short()) },
            NodeEvent::PeerRefused { peer, reason: "no member".to_owned() },
            NodeEvent::CommitFailed { error: "full".to_owned() },
            NodeEvent::PeerConnected { peer, dialled: true },
        ];
        for event in told {
            sender.send(Stamped { at_ms: 0, node: peer, event }).unwrap();
        }
        drop(sender);
        let problems = Problems::default();
        problems.clone().collect(events).await;
        let want = ["state not written: full".to_owned(), format!("not let in: {} says: no; ask", other.short())];
        assert_eq!(problems.newest(), want);
    }
}
