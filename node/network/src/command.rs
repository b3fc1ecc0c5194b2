//! What the swarm task is told, and where to tell it.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use libp2p::gossipsub::MessageId;
use libp2p::request_response::ResponseChannel;
use peerlearn_protocols::id::PeerId;
use peerlearn_protocols::membership::Acceptance;
use peerlearn_protocols::wire::{Announcement, Request, Response};
use tokio::sync::{mpsc, oneshot};

use super::TransportFailure;
use super::hello::News;

/// What the handle wants of the swarm.
#[derive(Debug)]
pub(super) enum Command {
    Publish(Box<Announcement>),
    Judge { message: MessageId, source: libp2p::PeerId, verdict: Acceptance },
    Dial { peer: Option<PeerId>, addresses: Vec<String> },
    Disconnect { peer: PeerId },
    Ban { peer: PeerId, lasts: Duration },
    Ask { peer: PeerId, request: Request, reply: oneshot::Sender<Result<Response, TransportFailure>> },
    Respond { channel: ResponseChannel<Vec<u8>>, frame: Vec<u8> },
    Addresses { reply: oneshot::Sender<Vec<String>> },
    Connections { reply: oneshot::Sender<Vec<PeerId>> },
    Resolved { name: libp2p::Multiaddr, found: Result<Vec<String>, String> },
    Connectivity { reply: oneshot::Sender<super::Connectivity> },
    Hello { peer: libp2p::PeerId, news: News },
    Move,
}

/// Commands to the running swarm, and its streams.
pub(super) type Ends = (mpsc::Sender<Command>, libp2p_stream::Control);

/// Where commands and streams of the running swarm go, across its restarts. Clones share it.
#[derive(Clone, Default)]
pub(super) struct SwarmLink(Arc<RwLock<Option<Ends>>>);

impl SwarmLink {
    /// Commands and streams go there from now on.
    pub fn connect(&self, ends: Ends) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(ends);
    }

    /// The swarm that runs now.
    pub fn ends(&self) -> Result<Ends, TransportFailure> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone().ok_or(TransportFailure::Down)
    }
}
