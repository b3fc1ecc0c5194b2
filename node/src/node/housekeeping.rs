//! Small things that go on beside the rounds: the address book, and the list of recent problems.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use crate::data::Loaded;
use crate::event::{EventBus, NodeEvent, Stamped};
use crate::membership::MembershipHandle;
use crate::network::NetworkHandle;
use crate::registry::{BookEntry, Home, RegistryHandle};

/// How often the address book is looked at; it is written when peers in it changed.
const EVERY: Duration = Duration::from_millis(500);
/// How often data files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);
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

    /// Collects problems from the event stream, until it ends.
    pub async fn collect(self, mut events: broadcast::Receiver<Stamped>) {
        loop {
            match events.recv().await {
                Ok(Stamped { event, .. }) => describe(&event).into_iter().for_each(|problem| self.add(problem)),
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            }
        }
    }
}

fn describe(event: &NodeEvent) -> Option<String> {
    match event {
        NodeEvent::Warning { message } => Some(message.clone()),
        NodeEvent::CommitFailed { error } => Some(format!("state not written: {error}")),
        NodeEvent::PeerRefused { peer, reason } => Some(format!("peer {} refused: {reason}", peer.short())),
        NodeEvent::Misbehaved { peer, reason, banned } => {
            let banned = if *banned { ", banned" } else { "" };
            Some(format!("peer {} {reason}{banned}", peer.short()))
        }
        NodeEvent::RoomRestarted { room, times } => Some(format!("the {room} room was restarted ({times})")),
        _ => None,
    }
}

/// Keeps the address book on disk, for ever. Peers of `old` stay in it behind those known now.
pub(super) async fn keep_book(membership: MembershipHandle, registry: RegistryHandle, old: Vec<BookEntry>) {
    let mut written = Vec::new();
    let mut ticks = tokio::time::interval(EVERY);
    loop {
        ticks.tick().await;
        let Some(entries) = entries(&membership, &old).await else { continue };
        if entries != written && !entries.is_empty() {
            registry.save_book(entries.clone());
            written = entries;
        }
    }
}

/// Keeps on disk where this node listens, for ever.
pub(super) async fn keep_addresses(network: NetworkHandle, home: Arc<Home>) {
    let mut written = home.addresses_before();
    let mut ticks = tokio::time::interval(EVERY);
    loop {
        ticks.tick().await;
        let addresses = network.addresses().await;
        if addresses != written && !addresses.is_empty() {
            let (home, remembered) = (Arc::clone(&home), addresses.clone());
            // A disk that takes nothing only means other ports next time.
            let _ = tokio::task::spawn_blocking(move || home.remember_addresses(&remembered)).await;
            written = addresses;
        }
    }
}

/// Writes the address book once more.
pub(super) async fn save_book(membership: &MembershipHandle, registry: &RegistryHandle, old: &[BookEntry]) {
    if let Some(entries) = entries(membership, old).await.filter(|entries| !entries.is_empty()) {
        registry.save_book(entries);
    }
}

async fn entries(membership: &MembershipHandle, old: &[BookEntry]) -> Option<Vec<BookEntry>> {
    let (peers, _) = membership.report().await.ok()?;
    let known = peers.into_iter().filter(|peer| !peer.addresses.is_empty());
    let mut entries: Vec<BookEntry> =
        known.map(|peer| BookEntry { peer: peer.peer, addresses: peer.addresses }).collect();
    // By id: an order that changes with every message would be written with every message.
    entries.sort_by_key(|entry| entry.peer);
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
