//! Both dial at the same moment: DCUtR, with a bound on where a peer can make this node dial.
//!
//! The other side says where to dial, in as many addresses as fit into 4 KiB. Peers of one local network find each
//! other by mDNS; so only addresses of the internet are told and dialled here, of few machines, and only so often.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::task::{Context, Poll};

use libp2p::core::transport::PortUse;
use libp2p::core::{Endpoint, Multiaddr};
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
};
use libp2p::{PeerId, dcutr};

use super::super::address::{ip_of, is_public};
use super::attempts::Attempts;

/// Most addresses in one attempt; an honest peer remembers 20 at which it was seen.
const MAX_ADDRESSES: usize = 20;
/// Most machines in one attempt: one of IPv4 and one of IPv6, and those of networks left a while ago.
const MAX_MACHINES: usize = 6;
/// Attempts with one peer a minute: three each time that both meet through a relay.
const MAX_PER_PEER: usize = 9;
/// Attempts with all peers together a minute.
const MAX_IN_ALL: usize = 60;

/// DCUtR with limits.
pub(crate) struct Punching {
    inner: dcutr::Behaviour,
    /// Dials that it has begun, for whom.
    dials: BTreeMap<ConnectionId, PeerId>,
    attempts: Attempts,
    /// Whether addresses that the internet cannot dial count as well.
    near: bool,
}

impl Punching {
    pub fn new(me: PeerId, near: bool) -> Self {
        Self {
            inner: dcutr::Behaviour::new(me),
            dials: BTreeMap::new(),
            attempts: Attempts::new(MAX_PER_PEER, MAX_IN_ALL),
            near,
        }
    }

    /// Why not to dial these, if so; counted otherwise.
    fn objection(&mut self, peer: PeerId, addresses: &[Multiaddr]) -> Option<&'static str> {
        let machines: BTreeSet<_> = addresses.iter().map(ip_of).collect();
        if addresses.len() > MAX_ADDRESSES || machines.len() > MAX_MACHINES {
            return Some("the peer names too many addresses");
        }
        if !self.near && !addresses.iter().all(is_public) {
            return Some("the peer names addresses that the internet cannot dial");
        }
        (!self.attempts.allows(peer)).then_some("too many attempts in one minute")
    }
}

impl NetworkBehaviour for Punching {
    type ConnectionHandler = THandler<dcutr::Behaviour>;
    type ToSwarm = dcutr::Event;

    fn handle_established_inbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.inner.handle_established_inbound_connection(id, peer, local, remote)
    }

    fn handle_pending_outbound_connection(
        &mut self,
        id: ConnectionId,
        _: Option<PeerId>,
        addresses: &[Multiaddr],
        _: Endpoint,
    ) -> Result<Vec<Multiaddr>, ConnectionDenied> {
        let Some(peer) = self.dials.get(&id).copied() else { return Ok(Vec::new()) };
        match self.objection(peer, addresses) {
            Some(reason) => Err(ConnectionDenied::new(io::Error::other(reason))),
            None => Ok(Vec::new()),
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
            FromSwarm::NewExternalAddrCandidate(candidate) if !self.near && !is_public(candidate.addr) => return,
            FromSwarm::ConnectionEstablished(established) => drop(self.dials.remove(&established.connection_id)),
            FromSwarm::DialFailure(failed) => drop(self.dials.remove(&failed.connection_id)),
            _ => {}
        }
        self.inner.on_swarm_event(event);
    }

    fn on_connection_handler_event(&mut self, peer: PeerId, id: ConnectionId, event: THandlerOutEvent<Self>) {
        self.inner.on_connection_handler_event(peer, id, event);
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<ToSwarm<dcutr::Event, THandlerInEvent<Self>>> {
        let polled = self.inner.poll(context);
        if let Poll::Ready(ToSwarm::Dial { opts }) = &polled
            && let Some(peer) = opts.get_peer_id()
        {
            self.dials.insert(opts.connection_id(), peer);
        }
        polled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(ip: &str, ports: std::ops::Range<u16>) -> Vec<Multiaddr> {
        ports.map(|port| format!("/ip4/{ip}/udp/{port}/quic-v1").parse().unwrap()).collect()
    }

    #[test]
    fn a_peer_can_make_this_node_dial_few_machines_of_the_internet_and_seldom() {
        let (mut punching, peer) = (Punching::new(PeerId::random(), false), PeerId::random());
        assert!(punching.objection(peer, &on("203.0.113.7", 1..22)).is_some(), "too many addresses");
        assert!(punching.objection(peer, &on("192.168.1.1", 1..2)).is_some(), "not into the LAN");
        let many: Vec<Multiaddr> = (1..9).flat_map(|n| on(&format!("203.0.113.{n}"), 1..2)).collect();
        assert!(punching.objection(peer, &many).is_some(), "too many machines");
        let fair = on("203.0.113.7", 1..9);
        let taken = |punching: &mut Punching, peer| punching.objection(peer, &fair).is_none();
        assert_eq!((0..100).filter(|_| taken(&mut punching, peer)).count(), MAX_PER_PEER);
        assert_eq!((0..100).filter(|_| taken(&mut punching, PeerId::random())).count(), MAX_IN_ALL - MAX_PER_PEER);
    }
}
