//! Carries network events to the rooms they are for.
//!
//! Mailboxes of actors have no bound; the permits handed along are the bound. When they are used up, the router waits,
//! the network's channel fills, and the swarm stops reading.

use std::sync::Arc;

use peerlearn_protocols::membership::{Contact, Input};
use peerlearn_protocols::wire::{Address, Request};
use tokio::sync::{Semaphore, mpsc};

use crate::event::{EventBus, NodeEvent};
use crate::exchange::ExchangeHandle;
use crate::membership::MembershipHandle;
use crate::network::NetworkEvent;

/// Messages from the network that may wait in mailboxes; each is at most 64 KiB, most are far below 1 KiB.
const MAX_WAITING: usize = 512;

pub(super) async fn route(
    mut network: mpsc::Receiver<NetworkEvent>,
    membership: MembershipHandle,
    exchange: ExchangeHandle,
    events: EventBus,
) {
    let permits = Arc::new(Semaphore::new(MAX_WAITING));
    while let Some(event) = network.recv().await {
        // The semaphore is never closed.
        let Ok(permit) = Arc::clone(&permits).acquire_owned().await else { return };
        let addresses = |texts: Vec<String>| texts.into_iter().map(Address).collect();
        match event {
            NetworkEvent::Up => membership.fact(Input::Isolated, permit),
            NetworkEvent::Listening { addresses: texts } => {
                texts.iter().cloned().for_each(|address| events.emit(NodeEvent::Listening { address }));
                membership.fact(Input::Moved { addresses: addresses(texts) }, permit);
            }
            NetworkEvent::Connected { peer, dialled } => {
                events.emit(NodeEvent::PeerConnected { peer, dialled });
                membership.fact(Input::Connected { peer }, permit);
            }
            NetworkEvent::Disconnected { peer } => {
                events.emit(NodeEvent::PeerDisconnected { peer });
                membership.fact(Input::Disconnected { peer }, permit);
            }
            NetworkEvent::DialFailed { peer, reason } => {
                tracing::debug!(?peer, %reason, "dial failed");
                membership.fact(Input::DialFailed { peer }, permit);
            }
            NetworkEvent::Refused { peer, reason } => {
                reason.into_iter().for_each(|reason| events.emit(NodeEvent::PeerRefused { peer, reason }));
                membership.fact(Input::Refused { peer }, permit);
            }
            NetworkEvent::Found { peer, addresses: texts } => {
                let contact = Contact { peer: Some(peer), addresses: addresses(texts) };
                membership.fact(Input::Contacted(contact), permit);
            }
            NetworkEvent::Announced { author, announcement, verdict } => {
                membership.announced(author, *announcement, verdict, permit);
            }
            NetworkEvent::Asked { peer, request: Request::Shuffle { task, descriptors }, reply } => {
                membership.shuffle_asked(peer, task, descriptors, reply, permit);
            }
            NetworkEvent::Asked { peer, request, reply } => exchange.asked(peer, request, reply, permit),
            NetworkEvent::BulkAsked { request, writer, .. } => exchange.bulk_asked(request, writer, permit),
            NetworkEvent::Misbehaved { peer, fault } => membership.fault(peer, fault),
        }
    }
}
