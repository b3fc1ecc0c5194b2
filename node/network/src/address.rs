//! What can be seen of an address: how far it reaches, and by which way.

use std::net::{IpAddr, SocketAddr, UdpSocket};

use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};
use peerlearn_protocols::sampling::Prefix;

/// Whether it leads through a relay.
pub(crate) fn is_relayed(address: &Multiaddr) -> bool {
    address.iter().any(|part| part == Protocol::P2pCircuit)
}

/// The address of the machine that it begins with: of the relay, where it leads through one. A mapped IPv4 address counts as
/// IPv4.
pub(crate) fn ip_of(address: &Multiaddr) -> Option<IpAddr> {
    match address.iter().next()? {
        Protocol::Ip4(ip) => Some(ip.into()),
        Protocol::Ip6(ip) => Some(IpAddr::from(ip).to_canonical()),
        _ => None,
    }
}

/// The address of the machine that is reached: nothing where it leads through a relay, or begins with a name.
pub(crate) fn direct_ip(address: &Multiaddr) -> Option<IpAddr> {
    ip_of(address).filter(|_| !is_relayed(address))
}

/// Whether the whole internet could dial it, as far as the number tells. Addresses for documentation count: nobody has
/// them but experiments.
pub(crate) fn is_public(address: &Multiaddr) -> bool {
    direct_ip(address).is_some_and(|ip| is_public_ip(&ip))
}

/// The same of the machine alone.
pub(crate) fn is_public_ip(ip: &IpAddr) -> bool {
    let prefix = match *ip {
        IpAddr::V4(ip) => Prefix::of_ipv4(ip),
        IpAddr::V6(ip) => Prefix::of_ipv6(ip),
    };
    prefix.is_public() && !ip.is_multicast()
}

/// The own address from which the system reaches another. Nothing is sent.
pub fn source_towards(remote: IpAddr) -> Option<IpAddr> {
    let any: IpAddr = if remote.is_ipv4() { [0; 4].into() } else { [0u16; 8].into() };
    let socket = UdpSocket::bind(SocketAddr::new(any, 0)).ok()?;
    socket.connect(SocketAddr::new(remote, 9)).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

/// The address without the name of the peer at its end.
pub(crate) fn bare(mut address: Multiaddr) -> Multiaddr {
    if matches!(address.iter().last(), Some(Protocol::P2p(_))) {
        address.pop();
    }
    address
}

/// Where a peer is reached that holds a place at a relay with this address.
pub(crate) fn through(relay: PeerId, address: &Multiaddr) -> Multiaddr {
    bare(address.clone()).with(Protocol::P2p(relay)).with(Protocol::P2pCircuit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_far_an_address_reaches() {
        let public = |text: &str| is_public(&text.parse().unwrap());
        for text in
            ["/ip4/203.0.113.1/tcp/1", "/ip4/8.8.8.8/udp/1/quic-v1", "/ip6/2001:db8::1/tcp/1", "/ip4/100.128.0.1/tcp/1"]
        {
            assert!(public(text), "{text}");
        }
        let near = [
            "/ip4/192.168.1.1/tcp/1",
            "/ip4/127.0.0.1/tcp/1",
            "/ip4/100.64.0.1/tcp/1",
            "/ip6/fd00::1/tcp/1",
            "/memory/1",
        ];
        for text in
            near.into_iter().chain(["/ip6/::ffff:10.0.0.1/tcp/1", "/ip4/169.254.1.1/tcp/1", "/ip6/fe80::1/tcp/1"])
        {
            assert!(!public(text), "{text}");
        }
        let relay = PeerId::random();
        let relayed = through(relay, &format!("/ip4/8.8.8.8/tcp/1/p2p/{relay}").parse().unwrap());
        assert_eq!(relayed.to_string(), format!("/ip4/8.8.8.8/tcp/1/p2p/{relay}/p2p-circuit"));
        assert!(is_relayed(&relayed) && !is_public(&relayed) && bare(relayed.clone()) == relayed);
    }

    #[test]
    fn names_relays_and_channels_have_no_ip() {
        for text in ["/memory/7", "/dns4/example.org/tcp/1", "/ip4/9.9.9.9/tcp/1/p2p-circuit"] {
            assert_eq!(direct_ip(&text.parse().unwrap()), None, "{text}");
        }
        assert_eq!(direct_ip(&"/ip6/::ffff:9.9.9.9/tcp/1".parse().unwrap()), Some("9.9.9.9".parse().unwrap()));
    }

    #[test]
    fn the_system_says_from_where_it_reaches_this_machine() {
        assert_eq!(source_towards([127, 0, 0, 1].into()), Some([127, 0, 0, 1].into()));
    }
}
