//! Streams that others open to be sent chunks.

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
const MAX_OPENING: usize = 64;

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
    while let Some((peer, stream)) = streams.next().await {
        let (Some(peer), Ok(permit)) = (from_libp2p(&peer), Arc::clone(&opening).try_acquire_owned()) else {
            continue;
        };
        let events = events.clone();
        tokio::spawn(async move {
            let event = take(peer, stream).await;
            drop(permit);
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
        Err(_) => None,
    }
}
