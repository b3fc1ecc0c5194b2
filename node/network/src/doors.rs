//! Limits on connections that others open, by where they come from: one machine, or one small network, must not fill what is
//! there for all.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt;
use std::net::IpAddr;
use std::task::{Context, Poll};

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, ListenFailure, NetworkBehaviour, THandler, THandlerInEvent,
    THandlerOutEvent, ToSwarm, dummy,
};
use libp2p::{Multiaddr, PeerId};

use super::address::direct_ip;

/// Handshakes at a time with one address.
const MOST_HANDSHAKES: usize = 16;
/// A small network, a /24 of IPv4 or a /48 of IPv6, may have so many times what one address may.
const NETWORK: usize = 2;

/// Counts connections that others open, and refuses those over the limits.
#[derive(Debug)]
pub(super) struct Doors {
    /// Connections at a time from one address.
    most: usize,
    handshakes: BTreeMap<ConnectionId, IpAddr>,
    up: BTreeMap<ConnectionId, IpAddr>,
}

/// Too many connections come from one place.
#[derive(Debug)]
struct TooMany {
    from: IpAddr,
}

impl fmt::Display for TooMany {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "too many connections come from {} or its network", self.from)
    }
}

impl std::error::Error for TooMany {}

impl Doors {
    /// `most` connections at a time in all.
    pub fn new(most: u32) -> Self {
        Self { most: (most as usize / 4).max(8), handshakes: BTreeMap::new(), up: BTreeMap::new() }
    }

    /// Whether those from the address of this connection are near their limit.
    pub fn is_crowded(&self, connection: ConnectionId) -> bool {
        self.up.get(&connection).is_some_and(|from| count(&self.up, |ip| ip == *from) > self.most / 2)
    }
}

fn count(connections: &BTreeMap<ConnectionId, IpAddr>, is_meant: impl Fn(IpAddr) -> bool) -> usize {
    connections.values().filter(|ip| is_meant(**ip)).count()
}

/// Refuses one more from an address or its network. All of loopback is one machine already.
fn check(connections: &BTreeMap<ConnectionId, IpAddr>, from: IpAddr, most: usize) -> Result<(), ConnectionDenied> {
    let network = network_of(from);
    let is_full = count(connections, |ip| ip == from) >= most
        || (!from.is_loopback() && count(connections, |ip| network_of(ip) == network) >= NETWORK * most);
    if is_full { Err(ConnectionDenied::new(TooMany { from })) } else { Ok(()) }
}

/// The first bytes of an address: a /24 of IPv4, a /48 of IPv6.
pub(super) fn network_of(ip: IpAddr) -> [u8; 7] {
    match ip {
        IpAddr::V4(ip) => [4, ip.octets()[0], ip.octets()[1], ip.octets()[2], 0, 0, 0],
        IpAddr::V6(ip) => {
            let [a, b, c, d, e, f, ..] = ip.octets();
            [6, a, b, c, d, e, f]
        }
    }
}

impl NetworkBehaviour for Doors {
    type ConnectionHandler = dummy::ConnectionHandler;
    type ToSwarm = Infallible;

    fn handle_pending_inbound_connection(
        &mut self,
        connection: ConnectionId,
        _: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        let Some(from) = direct_ip(remote) else { return Ok(()) };
        check(&self.handshakes, from, MOST_HANDSHAKES)?;
        self.handshakes.insert(connection, from);
        Ok(())
    }

    fn handle_established_inbound_connection(
        &mut self,
        connection: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.handshakes.remove(&connection);
        if let Some(from) = direct_ip(remote) {
            check(&self.up, from, self.most)?;
            self.up.insert(connection, from);
        }
        Ok(dummy::ConnectionHandler)
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(dummy::ConnectionHandler)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionClosed(closed) => drop(self.up.remove(&closed.connection_id)),
            // Also one that another limit refused after it was counted here.
            FromSwarm::ListenFailure(ListenFailure { connection_id, .. }) => {
                self.handshakes.remove(&connection_id);
                self.up.remove(&connection_id);
            }
            _ => {}
        }
    }

    fn on_connection_handler_event(&mut self, _: PeerId, _: ConnectionId, event: THandlerOutEvent<Self>) {
        match event {}
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(address: &str) -> Multiaddr {
        format!("/ip4/{address}/tcp/1").parse().unwrap()
    }

    fn knock(doors: &mut Doors, number: usize, address: &str) -> bool {
        let (id, local) = (ConnectionId::new_unchecked(number), from("10.0.0.1"));
        doors.handle_pending_inbound_connection(id, &local, &from(address)).is_ok()
    }

    fn enter(doors: &mut Doors, number: usize, address: &str) -> bool {
        let (id, local) = (ConnectionId::new_unchecked(number), from("10.0.0.1"));
        doors.handle_established_inbound_connection(id, PeerId::random(), &local, &from(address)).is_ok()
    }

    #[test]
    fn one_address_and_one_network_have_their_share_and_no_more() {
        let mut doors = Doors::new(128);
        let entered = (0..200).filter(|n| enter(&mut doors, *n, "9.9.9.9")).count();
        assert_eq!(entered, 32);
        assert!(doors.is_crowded(ConnectionId::new_unchecked(0)));
        let others = (200..400).filter(|n| enter(&mut doors, *n, &format!("9.9.9.{}", n % 100))).count();
        assert_eq!(others, 32, "its network has twice as many");
        assert!(enter(&mut doors, 400, "9.9.10.1"));
        let knocked = (0..200).filter(|n| knock(&mut doors, *n, "9.9.9.9")).count();
        assert_eq!(knocked, MOST_HANDSHAKES);
        assert!(knock(&mut doors, 500, "9.9.10.1"));
    }
}
