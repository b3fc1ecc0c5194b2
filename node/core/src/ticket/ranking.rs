//! Which of a node's addresses others are told first, where only a few can be told.

use std::net::IpAddr;

use peerlearn_network::source_towards;

/// The most useful `most` of these multiaddresses: that of the interface through which this machine reaches others, then
/// public ones, then private ones, at last those of this machine alone. Of each, every transport before the next address.
pub(super) fn most_useful(addresses: Vec<String>, most: usize) -> Vec<String> {
    chosen(addresses, most, outgoing())
}

fn chosen(addresses: Vec<String>, most: usize, outgoing: Option<IpAddr>) -> Vec<String> {
    let mut ranked: Vec<(u8, Option<IpAddr>, usize, String)> = addresses
        .into_iter()
        .enumerate()
        .map(|(index, address)| {
            let ip = ip_of(&address);
            (rank(ip, outgoing), ip, index, address)
        })
        .collect();
    ranked.sort();
    ranked.into_iter().take(most).map(|(.., address)| address).collect()
}

/// The address by which this machine reaches others, as its routes say; nothing is sent.
fn outgoing() -> Option<IpAddr> {
    // A documentation address (RFC 5737): nobody has it, and a route to it is that to everywhere.
    source_towards([192, 0, 2, 1].into())
}

fn ip_of(address: &str) -> Option<IpAddr> {
    let mut parts = address.strip_prefix('/')?.split('/');
    matches!(parts.next()?, "ip4" | "ip6").then(|| parts.next()?.parse().ok())?
}

/// Lower is told first.
fn rank(ip: Option<IpAddr>, outgoing: Option<IpAddr>) -> u8 {
    match ip {
        // A name, or a relay: somebody has set it, for others.
        None => 0,
        Some(_) if ip == outgoing => 1,
        Some(IpAddr::V4(ip)) if ip.is_loopback() => 5,
        Some(IpAddr::V6(ip)) if ip.is_loopback() => 5,
        Some(IpAddr::V4(ip)) if ip.is_link_local() => 4,
        Some(IpAddr::V6(ip)) if ip.is_unicast_link_local() => 4,
        Some(IpAddr::V4(ip)) if ip.is_private() => 3,
        Some(IpAddr::V6(ip)) if ip.is_unique_local() => 3,
        Some(_) => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_to_others_comes_first_with_every_transport() {
        let listening = [
            "/ip4/127.0.0.1/tcp/1",
            "/ip4/172.17.0.1/tcp/1",
            "/ip4/172.18.0.1/tcp/1",
            "/ip4/192.168.1.7/tcp/1",
            "/ip4/127.0.0.1/udp/2/quic-v1",
            "/ip4/172.17.0.1/udp/2/quic-v1",
            "/ip4/172.18.0.1/udp/2/quic-v1",
            "/ip4/192.168.1.7/udp/2/quic-v1",
        ];
        let listening: Vec<String> = listening.map(str::to_owned).into();
        let lan = Some(IpAddr::from([192, 168, 1, 7]));
        let told = chosen(listening.clone(), 4, lan);
        assert_eq!(told[..2], ["/ip4/192.168.1.7/tcp/1", "/ip4/192.168.1.7/udp/2/quic-v1"]);
        assert_eq!(told[2..], ["/ip4/172.17.0.1/tcp/1", "/ip4/172.17.0.1/udp/2/quic-v1"]);
        let all = chosen(listening, 8, None);
        assert!(all[6].starts_with("/ip4/127.0.0.1") && all.len() == 8, "this machine alone comes last: {all:?}");
        let public =
            vec!["/ip4/10.0.0.1/tcp/1".to_owned(), "/ip4/198.51.100.7/tcp/1".to_owned(), "/dns/a.b/tcp/1".to_owned()];
        assert_eq!(chosen(public, 2, None), ["/dns/a.b/tcp/1", "/ip4/198.51.100.7/tcp/1"]);
    }
}
