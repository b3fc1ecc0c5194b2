//! Other nodes that run under the own key, met directly: both ends notice, because neither takes a connection with itself.

use std::task::Poll;
use std::time::{Duration, Instant};

use libp2p::core::muxing::{StreamMuxerBox, StreamMuxerExt};
use libp2p::core::transport::Boxed;
use libp2p::core::{ConnectedPoint, Transport};
use libp2p::swarm::{DialError, ListenError, SwarmEvent};
use libp2p::{Multiaddr, PeerId};

use super::super::NetworkEvent;
use super::super::address::bare;
use super::super::behaviour::BehaviourEvent;
use super::super::identity::from_libp2p;
use super::super::listening::why_not_dialled;
use super::Driver;

/// How long after a dial to an own address a connection under the own key may be that very one.
const ECHO: Duration = Duration::from_secs(20);
/// Longest wait for a double to notice.
const NOTICING: Duration = Duration::from_secs(2);

/// What was noticed of them.
#[derive(Debug, Default)]
pub(super) struct Doubles {
    own_dialled: Option<Instant>,
    /// Whether one that was dialled, and one that dialled, was told of.
    told: [bool; 2],
}

/// Makes whoever has dialled a double wait until that has noticed too: it does only once its half of the handshake is through,
/// which takes a little longer than ours, after which the swarm hangs up.
pub(super) fn patient(transport: Boxed<(PeerId, StreamMuxerBox)>, own: PeerId) -> Boxed<(PeerId, StreamMuxerBox)> {
    let wait = move |(peer, mut muxer): (PeerId, StreamMuxerBox), endpoint: ConnectedPoint| async move {
        if peer == own && endpoint.is_dialer() {
            // It hangs up as soon as it knows.
            let closed = std::future::poll_fn(|context| {
                loop {
                    match muxer.poll_unpin(context) {
                        Poll::Ready(Ok(_)) => {}
                        Poll::Ready(Err(_)) => return Poll::Ready(()),
                        Poll::Pending => return Poll::Pending,
                    }
                }
            });
            let _ = tokio::time::timeout(NOTICING, closed).await;
        }
        Ok::<_, std::io::Error>((peer, muxer))
    };
    transport.and_then(wait).boxed()
}

impl Driver {
    /// Remembers that one of the own addresses is dialled, where that is so: an old contact may lead there.
    pub(super) fn heed_dial(&mut self, addresses: &[Multiaddr]) {
        if addresses.iter().any(|address| self.is_own(address)) {
            self.doubles.own_dialled = Some(Instant::now());
        }
    }

    /// Tells of a connection from a node under the own key.
    pub(super) fn heed_incoming(&mut self, event: &SwarmEvent<BehaviourEvent>) {
        if let SwarmEvent::IncomingConnectionError { error: ListenError::LocalPeerId { address }, .. } = event
            && self.doubles.own_dialled.is_none_or(|at| at.elapsed() > ECHO)
        {
            self.tell_double(address, false);
        }
    }

    pub(super) fn on_dial_error(&mut self, peer: Option<PeerId>, error: &DialError) {
        let own = *self.swarm.local_peer_id();
        let reason = match error {
            DialError::DialPeerConditionFalse(_) | DialError::Aborted => return,
            DialError::LocalPeerId { address } => return self.on_own_key(address),
            DialError::WrongPeerId { obtained, address } if *obtained == own => {
                self.on_own_key(address);
                format!("{address}: this node's own key answers there")
            }
            DialError::WrongPeerId { obtained, address } => {
                format!("{address}: another peer answers there, {obtained}: it has that address now, or a new key")
            }
            error => why_not_dialled(error),
        };
        let peer = peer.as_ref().and_then(from_libp2p);
        self.tell(NetworkEvent::DialFailed { peer, reason });
    }

    fn on_own_key(&mut self, address: &Multiaddr) {
        if !self.is_own(address) {
            self.tell_double(address, true);
        }
    }

    /// Tells of one, once for each direction.
    fn tell_double(&mut self, address: &Multiaddr, dialled: bool) {
        if !std::mem::replace(&mut self.doubles.told[usize::from(dialled)], true) {
            self.tell(NetworkEvent::SameIdentity { address: bare(address.clone()).to_string(), dialled });
        }
    }

    /// Whether this node itself is reached there.
    fn is_own(&self, address: &Multiaddr) -> bool {
        let address = bare(address.clone());
        self.swarm.listeners().chain(self.swarm.external_addresses()).any(|own| bare(own.clone()) == address)
    }
}
