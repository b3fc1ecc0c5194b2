//! What can be seen of an address: how far it reaches, and by which way.

use std::net::IpAddr;

use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};

/// Whether it leads through a relay.
pub(crate) fn is_relayed(address: &Multiaddr) -> bool {
    address.iter().any(|part| part == Protocol::P2pCircuit)
}

/// The address of the machine that it begins with: of the relay, where it leads through one.
pub(super) fn ip_of(address: &Multiaddr) -> Option<IpAddr> {
    match address.iter().next()? {
        Protocol::Ip4(ip) => Some(ip.into()),
        Protocol::Ip6(ip) => Some(ip.to_ipv4_mapped().map_or_else(|| ip.into(), Into::into)),
        _ => None,
    }
}

/// Whether the whole internet could dial it, as far as the number tells. Addresses for documentation count: nobody has
/// them but experiments.
pub(super) fn is_public(address: &Multiaddr) -> bool {
    !is_relayed(address) && ip_of(address).is_some_and(|ip| is_public_ip(&ip))
}

/// The same of the machine alone.
pub(super) fn is_public_ip(ip: &IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            // 100.64.0.0/10 is shared by the customers of one provider (RFC 6598).
            let is_shared = ip.octets()[0] == 100 && ip.octets()[1] & 0xC0 == 64;
            let is_near = ip.is_loopback() || ip.is_private() || ip.is_link_local() || is_shared;
            !is_near && !ip.is_unspecified() && !ip.is_multicast() && !ip.is_broadcast()
        }
        IpAddr::V6(ip) => {
            let is_near = ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local();
            !is_near && !ip.is_unspecified() && !ip.is_multicast()
        }
    }
}

/// What carries the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Carrier {
    Quic,
    Tcp,
    Other,
}

/// What carries the bytes to this address.
pub(super) fn carrier(address: &Multiaddr) -> Carrier {
    match address.iter().nth(1) {
        Some(Protocol::Udp(_)) => Carrier::Quic,
        Some(Protocol::Tcp(_)) => Carrier::Tcp,
        _ => Carrier::Other,
    }
}

/// The address without the name of the peer at its end.
pub(crate) fn bare(mut address: Multiaddr) -> Multiaddr {
    if matches!(address.iter().last(), Some(Protocol::P2p(_))) {
        address.pop();
    }
    address
}

/// Where a peer is reached that holds a place at a relay with this address.
pub(super) fn through(relay: PeerId, address: &Multiaddr) -> Multiaddr {
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
        assert_eq!(carrier(&relayed), Carrier::Tcp);
    }
}
