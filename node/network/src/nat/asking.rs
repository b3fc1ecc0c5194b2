//! Asks others whether this node can be reached: the asking side of AutoNAT v2, with a bound on what is asked.
//!
//! Peers say from where they see this node, and each of them can say anything. The client keeps all of it for ever, and
//! never asks again about what it has asked once (rust-libp2p issue 6203). Here it hears of a bounded number of
//! addresses, and is replaced by a fresh one once the addresses of this machine have changed.

use std::collections::{BTreeMap, BTreeSet};
use std::task::{Context, Poll};

use libp2p::PeerId;
use libp2p::autonat::v2::client;
use libp2p::core::transport::PortUse;
use libp2p::core::{ConnectedPoint, Endpoint, Multiaddr};
use libp2p::swarm::behaviour::ConnectionEstablished;
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
};

use super::super::address::{is_public, is_relayed};

/// Most addresses asked about between two changes of the machine's own.
const MAX_CANDIDATES: usize = 32;

/// The asking side of AutoNAT v2 with limits.
pub(crate) struct Asking {
    inner: client::Behaviour,
    connections: BTreeMap<ConnectionId, (PeerId, ConnectedPoint)>,
    candidates: BTreeSet<Multiaddr>,
    /// Whether addresses that the internet cannot dial are asked about as well.
    near: bool,
}

impl Asking {
    pub fn new(near: bool) -> Self {
        let (connections, candidates) = (BTreeMap::new(), BTreeSet::new());
        Self { inner: client::Behaviour::default(), connections, candidates, near }
    }

    /// Forgets all answers.
    pub fn anew(&mut self) {
        self.inner = client::Behaviour::default();
        self.candidates.clear();
        for (&connection_id, (peer_id, endpoint)) in &self.connections {
            // It keeps count of them, and would not know of their end.
            self.inner.on_swarm_event(FromSwarm::ConnectionEstablished(ConnectionEstablished {
                peer_id: *peer_id,
                connection_id,
                endpoint,
                failed_addresses: &[],
                other_established: 0,
            }));
        }
    }

    /// Whether to ask about an address.
    fn takes(&mut self, address: &Multiaddr) -> bool {
        let is_fit = !is_relayed(address) && (self.near || is_public(address));
        is_fit
            && (self.candidates.contains(address)
                || self.candidates.len() < MAX_CANDIDATES && self.candidates.insert(address.clone()))
    }
}

impl NetworkBehaviour for Asking {
    type ConnectionHandler = THandler<client::Behaviour>;
    type ToSwarm = client::Event;

    fn handle_established_inbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.inner.handle_established_inbound_connection(id, peer, local, remote)
    }

    fn handle_established_outbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        address: &Multiaddr,
        role: Endpoint,
        port: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.inner.handle_established_outbound_connection(id, peer, address, role, port)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match &event {
            FromSwarm::NewExternalAddrCandidate(candidate) if !self.takes(candidate.addr) => return,
            FromSwarm::ConnectionEstablished(established) => {
                let about = (established.peer_id, established.endpoint.clone());
                self.connections.insert(established.connection_id, about);
            }
            FromSwarm::ConnectionClosed(closed) => drop(self.connections.remove(&closed.connection_id)),
            _ => {}
        }
        self.inner.on_swarm_event(event);
    }

    fn on_connection_handler_event(&mut self, peer: PeerId, id: ConnectionId, event: THandlerOutEvent<Self>) {
        // A relayed connection cannot tell how this node is seen.
        if self.connections.contains_key(&id) {
            self.inner.on_connection_handler_event(peer, id, event);
        }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<ToSwarm<client::Event, THandlerInEvent<Self>>> {
        self.inner.poll(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_is_bounded_and_can_be_asked_anew() {
        let mut asking = Asking::new(false);
        let candidate = |port: u16| format!("/ip4/203.0.113.1/tcp/{port}").parse::<Multiaddr>().unwrap();
        assert_eq!((1..1000).filter(|port| asking.takes(&candidate(*port))).count(), MAX_CANDIDATES);
        assert!(asking.takes(&candidate(1)), "what is known already is counted again");
        asking.anew();
        assert!(asking.takes(&candidate(999)));
        assert!(!asking.takes(&"/ip4/192.168.1.1/tcp/1".parse().unwrap()));
        assert!(Asking::new(true).takes(&"/ip4/192.168.1.1/tcp/1".parse().unwrap()));
    }
}
