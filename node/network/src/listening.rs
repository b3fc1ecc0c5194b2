//! Where a node listens.

use libp2p::core::transport::ListenerId;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::DialError;
use libp2p::{Multiaddr, Swarm};

use super::NetworkError;
use super::behaviour::Behaviour;

/// Listens on the port it had before, where the settings leave it open and nobody has taken it.
pub(super) fn listen_again(swarm: &mut Swarm<Behaviour>, text: &str, before: &[String]) -> Option<ListenerId> {
    let open: Multiaddr = text.parse().ok()?;
    let with_port = |port: u16| {
        let set = |part: Protocol<'_>| match part {
            Protocol::Tcp(0) => Protocol::Tcp(port).acquire(),
            Protocol::Udp(0) => Protocol::Udp(port).acquire(),
            part => part.acquire(),
        };
        open.iter().map(set).collect::<Multiaddr>()
    };
    let port_of = |address: &Multiaddr| {
        let ports = address.iter().filter_map(|part| match part {
            Protocol::Tcp(port) => Some((true, port)),
            Protocol::Udp(port) => Some((false, port)),
            _ => None,
        });
        ports.last()
    };
    let (is_tcp, port) = port_of(&open)?;
    let mut ports = before.iter().filter_map(|address| port_of(&address.parse().ok()?));
    let (_, port) = ports.find(|(tcp, _)| *tcp == is_tcp).filter(|_| port == 0)?;
    swarm.listen_on(with_port(port)).ok()
}

/// Listens as the settings say.
pub(super) fn listen(swarm: &mut Swarm<Behaviour>, text: &str) -> Result<ListenerId, NetworkError> {
    let address: Multiaddr = text.parse().map_err(|_| NetworkError::Address { address: text.to_owned() })?;
    let failed =
        |error: libp2p::TransportError<_>| NetworkError::Listen { address: text.to_owned(), reason: innermost(&error) };
    swarm.listen_on(address).map_err(failed)
}

/// As [`listen`], where nobody else listens yet.
pub(super) fn listen_alone(swarm: &mut Swarm<Behaviour>, text: &str) -> Result<ListenerId, NetworkError> {
    match text.parse().ok().as_ref().and_then(taken) {
        Some(error) => Err(NetworkError::Listen { address: text.to_owned(), reason: error.to_string() }),
        None => listen(swarm, text),
    }
}

/// Why a TCP port that was asked for by number cannot be had. libp2p shares ports, also between two nodes, of which each would
/// then get every other connection.
fn taken(address: &Multiaddr) -> Option<std::io::Error> {
    let mut parts = address.iter();
    let ip: std::net::IpAddr = match parts.next()? {
        Protocol::Ip4(ip) => ip.into(),
        Protocol::Ip6(ip) => ip.into(),
        _ => return None,
    };
    match parts.next()? {
        Protocol::Tcp(port) if port > 0 => std::net::TcpListener::bind((ip, port)).err(),
        _ => None,
    }
}

/// The last message in a chain of causes: libp2p's outer ones say little.
pub(super) fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

/// Most addresses named in a sentence.
const NAMED: usize = 3;

/// Why a dial came to nothing: each address with what the system said of it.
pub(super) fn why_not_dialled(error: &DialError) -> String {
    let DialError::Transport(tried) = error else { return innermost(error) };
    let more = tried.len().saturating_sub(NAMED);
    let mut words: Vec<String> =
        tried.iter().take(NAMED).map(|(address, error)| format!("{address}: {}", innermost(error))).collect();
    words.extend((more > 0).then(|| format!("and {more} addresses more")));
    words.join("; ")
}

/// Whether only this machine can dial it.
pub(super) fn is_loopback(address: &Multiaddr) -> bool {
    address.iter().any(|part| match part {
        Protocol::Ip4(ip) => ip.is_loopback(),
        Protocol::Ip6(ip) => ip.is_loopback(),
        _ => false,
    })
}

/// Whether it is every IPv6 address of this machine, of which there may be none.
pub(super) fn is_any_ip6(text: &str) -> bool {
    text.starts_with("/ip6/::/")
}

/// Whether it is an IPv6 address that means something on one link only.
pub(super) fn is_link_local(address: &Multiaddr) -> bool {
    matches!(address.iter().next(), Some(Protocol::Ip6(ip)) if ip.is_unicast_link_local())
}
