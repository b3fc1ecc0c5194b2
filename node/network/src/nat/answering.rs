//! Tells others whether they can be reached: the serving side of AutoNAT v2, which would dial whatever it is asked to.
//!
//! Dialled is only a machine from which the asker itself is connected, so nobody is made to knock at a third one, and
//! only so often.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::task::{Context, Poll};

use libp2p::PeerId;
use libp2p::autonat::v2::server;
use libp2p::core::transport::PortUse;
use libp2p::core::{Endpoint, Multiaddr};
use libp2p::swarm::behaviour::{ConnectionClosed, DialFailure};
use libp2p::swarm::{
    CloseConnection, ConnectionDenied, ConnectionId, DialError, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent,
    THandlerOutEvent, ToSwarm,
};

use super::super::address::{direct_ip, ip_of, is_relayed};
use super::attempts::Attempts;

/// Dials for one peer a minute.
const MAX_PER_PEER: usize = 12;
/// Dials for all peers together a minute.
const MAX_IN_ALL: usize = 60;

/// The serving side of AutoNAT v2 with limits.
pub(crate) struct Answering {
    inner: server::Behaviour,
    /// Direct connections, each with its peer and the machine that it comes from.
    seen: BTreeMap<ConnectionId, (PeerId, IpAddr)>,
    dialled: Attempts,
    /// Dials under way or connected, for whom.
    dials: BTreeMap<ConnectionId, PeerId>,
    /// Connections whose question is answered.
    done: VecDeque<(PeerId, ConnectionId)>,
}

impl Answering {
    pub fn new() -> Self {
        Self {
            inner: server::Behaviour::default(),
            seen: BTreeMap::new(),
            dialled: Attempts::new(MAX_PER_PEER, MAX_IN_ALL),
            dials: BTreeMap::new(),
            done: VecDeque::new(),
        }
    }

    /// Whether the peer is connected from this machine.
    fn is_from(&self, peer: PeerId, address: &Multiaddr) -> bool {
        let ip = direct_ip(address);
        self.seen.values().any(|(seen, from)| *seen == peer && Some(*from) == ip)
    }

    fn refuse(&mut self, id: ConnectionId, peer: PeerId) {
        let failure = DialFailure { peer_id: Some(peer), error: &DialError::Aborted, connection_id: id };
        self.inner.on_swarm_event(FromSwarm::DialFailure(failure));
    }
}

impl NetworkBehaviour for Answering {
    type ConnectionHandler = THandler<server::Behaviour>;
    type ToSwarm = server::Event;

    fn handle_established_inbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        if let Some(ip) = ip_of(remote).filter(|_| !is_relayed(local)) {
            self.seen.insert(id, (peer, ip));
        }
        self.inner.handle_established_inbound_connection(id, peer, local, remote)
    }

    fn handle_pending_outbound_connection(
        &mut self,
        id: ConnectionId,
        _: Option<PeerId>,
        addresses: &[Multiaddr],
        _: Endpoint,
    ) -> Result<Vec<Multiaddr>, ConnectionDenied> {
        match self.dials.get(&id) {
            Some(&peer) if !addresses.iter().all(|address| self.is_from(peer, address)) => {
                Err(ConnectionDenied::new(std::io::Error::other("the asker is not connected from there")))
            }
            _ => Ok(Vec::new()),
        }
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
            FromSwarm::ConnectionClosed(ConnectionClosed { connection_id, .. }) => {
                self.seen.remove(connection_id);
                self.dials.remove(connection_id);
            }
            FromSwarm::DialFailure(DialFailure { connection_id, .. }) => drop(self.dials.remove(connection_id)),
            FromSwarm::ListenFailure(failed) => drop(self.seen.remove(&failed.connection_id)),
            _ => {}
        }
        self.inner.on_swarm_event(event);
    }

    fn on_connection_handler_event(&mut self, peer: PeerId, id: ConnectionId, event: THandlerOutEvent<Self>) {
        self.inner.on_connection_handler_event(peer, id, event);
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<ToSwarm<server::Event, THandlerInEvent<Self>>> {
        if let Some((peer_id, id)) = self.done.pop_front() {
            return Poll::Ready(ToSwarm::CloseConnection { peer_id, connection: CloseConnection::One(id) });
        }
        loop {
            match self.inner.poll(context) {
                Poll::Ready(ToSwarm::Dial { opts }) => {
                    let (id, Some(peer)) = (opts.connection_id(), opts.get_peer_id()) else { continue };
                    if self.dialled.allows(peer) {
                        self.dials.insert(id, peer);
                        return Poll::Ready(ToSwarm::Dial { opts });
                    }
                    self.refuse(id, peer);
                }
                Poll::Ready(ToSwarm::GenerateEvent(event)) => {
                    // The asker has its answer; a second connection to it would only cost.
                    let over = self.dials.extract_if(.., |_, peer| *peer == event.client);
                    self.done.extend(over.map(|(id, peer)| (peer, id)));
                    return Poll::Ready(ToSwarm::GenerateEvent(event));
                }
                other => return other,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dials_are_counted_for_each_peer_and_in_all() {
        let mut answering = Answering::new();
        let greedy = PeerId::random();
        assert_eq!((0..100).filter(|_| answering.dialled.allows(greedy)).count(), MAX_PER_PEER);
        assert_eq!((0..100).filter(|_| answering.dialled.allows(PeerId::random())).count(), MAX_IN_ALL - MAX_PER_PEER);
        assert!(!answering.dialled.allows(PeerId::random()));
        answering.dialled.clear();
        assert!(answering.dialled.allows(greedy));
    }

    #[test]
    fn only_where_the_asker_is_connected_from_is_dialled() {
        let mut answering = Answering::new();
        let (asker, id) = (PeerId::random(), ConnectionId::new_unchecked(1));
        let [here, there] = ["/ip4/203.0.113.7/tcp/4001", "/ip4/198.51.100.1/tcp/22"].map(|text| text.parse().unwrap());
        let local = "/ip4/203.0.113.1/tcp/1".parse().unwrap();
        answering.handle_established_inbound_connection(id, asker, &local, &here).unwrap();
        let dial = ConnectionId::new_unchecked(2);
        answering.dials.insert(dial, asker);
        let mut pending = |to: &Multiaddr| {
            answering.handle_pending_outbound_connection(dial, Some(asker), std::slice::from_ref(to), Endpoint::Dialer)
        };
        assert!(pending(&here).is_ok());
        assert!(pending(&there).is_err(), "nobody is made to knock at a third machine");
    }
}
