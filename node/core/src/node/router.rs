//! Carries network events to the peer.
//!
//! Mailboxes of actors have no bound; the permits handed along are the bound. When they are used up, the router waits,
//! the network's channel fills, and the swarm stops reading.

use std::collections::BTreeSet;
use std::sync::Arc;

use peerlearn_network::{NetworkEvent, Refuser};
use peerlearn_protocols::id::PeerId;
use peerlearn_protocols::membership::Contact;
use peerlearn_protocols::peer::Fact;
use peerlearn_protocols::wire::Address;
use peerlearn_runtime::event::{EventBus, NodeEvent};
use tokio::sync::{Semaphore, mpsc, watch};

use super::housekeeping::NOBODY;
use crate::access::Access;
use crate::peer::PeerHandle;

/// Messages from the network that may wait in mailboxes; each is at most 64 KiB, most are far below 1 KiB.
const MAX_WAITING: usize = 512;

pub(super) async fn route(
    mut network: mpsc::Receiver<NetworkEvent>,
    machine: PeerHandle,
    moved: watch::Sender<()>,
    events: EventBus,
    access: Access,
) {
    let permits = Arc::new(Semaphore::new(MAX_WAITING));
    let mut silence = Silence::default();
    while let Some(event) = network.recv().await {
        // The semaphore is never closed.
        let Ok(permit) = Arc::clone(&permits).acquire_owned().await else { return };
        let addresses = |texts: Vec<String>| texts.into_iter().map(Address).collect();
        match event {
            NetworkEvent::Up => {
                silence = Silence::default();
                machine.fact(Fact::Isolated, permit);
            }
            NetworkEvent::Listening { addresses: texts } => {
                texts.iter().cloned().for_each(|address| events.emit(NodeEvent::Listening { address }));
                machine.fact(Fact::Moved(addresses(texts)), permit);
                moved.send_replace(());
            }
            NetworkEvent::Slept { slept } => {
                let seconds = slept.as_secs();
                tracing::info!(seconds, "this machine slept; connections are made anew");
                events.emit(NodeEvent::Slept { seconds });
            }
            NetworkEvent::Connected { peer, dialled, scope } => {
                silence.connected(peer);
                events.emit(NodeEvent::PeerConnected { peer, dialled });
                machine.fact(Fact::Connected(peer), permit);
                if let Ok(permit) = Arc::clone(&permits).acquire_owned().await {
                    machine.fact(Fact::Reached(peer, scope), permit);
                }
            }
            NetworkEvent::Disconnected { peer } => {
                silence.disconnected(&peer);
                events.emit(NodeEvent::PeerDisconnected { peer });
                machine.fact(Fact::Disconnected(peer), permit);
            }
            NetworkEvent::DialFailed { peer, reason } => {
                tracing::debug!(?peer, %reason, "dial failed");
                silence.dial_failed(&reason, &events);
                machine.fact(Fact::DialFailed(peer), permit);
            }
            NetworkEvent::SameIdentity { address, dialled } => {
                let message = same_identity(&address, dialled);
                events.emit(NodeEvent::Warning { message });
            }
            NetworkEvent::Refused { peer, reason } => {
                reason.into_iter().for_each(|reason| events.emit(NodeEvent::PeerRefused { peer, reason }));
                machine.fact(Fact::Foreign(peer), permit);
            }
            NetworkEvent::NotAdmitted { peer, refuser, reason } => {
                access.not_admitted(peer, refuser, reason);
                // Not as one of another task: it may come back with an invitation a moment later.
                if refuser != Refuser::Undecided {
                    machine.fact(Fact::DialFailed(Some(peer)), permit);
                }
            }
            NetworkEvent::Punched { peer, failed } => events.emit(NodeEvent::Punched { peer, failed }),
            NetworkEvent::Found { peer, addresses: texts } => {
                let contact = Contact { peer: Some(peer), addresses: addresses(texts) };
                machine.fact(Fact::Contacted(contact), permit);
            }
            NetworkEvent::Announced { author, announcement, verdict } => {
                machine.announced(author, announcement, verdict, permit);
            }
            NetworkEvent::Asked { peer, request, reply } => machine.asked(peer, request, reply, permit),
            NetworkEvent::BulkAsked { request, writer, .. } => machine.stream_asked(request, writer, permit),
            NetworkEvent::Misbehaved { peer, fault } => machine.fact(Fact::Misbehaved(peer, fault), permit),
        }
    }
}

/// What is said of a contact that has the key of this node.
pub(super) const NAMES_ITSELF: &str = "a contact names this very node, so nobody is dialled: it is its own ticket, or the node \
     behind it runs on a copy of this home directory and needs one of its own";

fn same_identity(address: &str, dialled: bool) -> String {
    let met = if dialled { "answers at" } else { "has connected from" };
    format!(
        "another node {met} {address} with the key of this one: the home directory was copied; stop one of the two, and start \
         it with a home of its own"
    )
}

/// Says that nobody can be reached, once for each time that this is so: a mistyped address, a peer behind a router.
#[derive(Debug, Default)]
struct Silence {
    connected: BTreeSet<PeerId>,
    told: bool,
}

impl Silence {
    fn connected(&mut self, peer: PeerId) {
        self.connected.insert(peer);
        self.told = false;
    }

    fn disconnected(&mut self, peer: &PeerId) {
        self.connected.remove(peer);
    }

    fn dial_failed(&mut self, reason: &str, events: &EventBus) {
        if self.connected.is_empty() && !self.told {
            self.told = true;
            let message = format!("{NOBODY}: {reason}; it goes on trying, and learns alone until then");
            events.emit(NodeEvent::Warning { message });
        }
    }
}
