//! Streams that others open to be sent chunks.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::StreamExt;
use libp2p::{Stream, StreamProtocol};
use peerlearn_protocols::id::PeerId;
use peerlearn_protocols::score::Fault;
use peerlearn_protocols::wire::{BulkRequest, Wire};
use tokio::sync::{Semaphore, mpsc};

use super::bulk::{BulkWriter, limited};
use super::identity::from_libp2p;
use super::{NetworkEvent, TransportFailure, frames};

/// Inbound streams being negotiated at a time; each holds one small frame.
const MAX_OPENING: usize = 256;
/// The same of one peer: who opens streams and is silent takes none from others.
const MAX_OPENING_PER_PEER: usize = 8;

/// Takes inbound streams, for ever. Nothing but spawning happens in the loop: libp2p drops a stream that nobody waits
/// for.
pub(super) async fn accept(
    mut control: libp2p_stream::Control,
    protocol: StreamProtocol,
    events: mpsc::Sender<NetworkEvent>,
) {
    let Ok(mut streams) = control.accept(protocol) else {
        return tracing::error!("bulk streams are already accepted elsewhere");
    };
    let opening = Arc::new(Semaphore::new(MAX_OPENING));
    let mut by_peer: BTreeMap<PeerId, Arc<Semaphore>> = BTreeMap::new();
    while let Some((peer, stream)) = streams.next().await {
        let Some(peer) = from_libp2p(&peer) else { continue };
        // Those with nothing under way are forgotten.
        by_peer.retain(|_, of_peer| of_peer.available_permits() < MAX_OPENING_PER_PEER);
        let of_peer = by_peer.entry(peer).or_insert_with(|| Arc::new(Semaphore::new(MAX_OPENING_PER_PEER)));
        let permits = (Arc::clone(of_peer).try_acquire_owned(), Arc::clone(&opening).try_acquire_owned());
        let (Ok(of_peer), Ok(permit)) = permits else { continue };
        let events = events.clone();
        tokio::spawn(async move {
            let event = take(peer, stream).await;
            drop((permit, of_peer));
            if let Some(event) = event {
                let _ = events.send(event).await;
            }
        });
    }
}

async fn take(peer: PeerId, mut stream: Stream) -> Option<NetworkEvent> {
    let misbehaved = |fault| Some(NetworkEvent::Misbehaved { peer, fault });
    match limited(frames::read(&mut stream, BulkRequest::LIMIT)).await {
        Ok(frame) => match BulkRequest::from_bytes(&frame) {
            Ok(request) => Some(NetworkEvent::BulkAsked { peer, request, writer: BulkWriter::new(stream) }),
            Err(_) => misbehaved(Fault::Malformed),
        },
        Err(TransportFailure::Malformed) => misbehaved(Fault::TooLong),
        Err(TransportFailure::Timeout) => misbehaved(Fault::Slow),
        Err(_) => None,
    }
}
