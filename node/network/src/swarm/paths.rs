//! Remembers how peers are connected and what could not be dialled, for those who ask.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use libp2p::core::ConnectedPoint;
#[cfg(feature = "mdns")]
use libp2p::mdns;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::{ConnectionId, DialError, SwarmEvent};
use libp2p::{Multiaddr, PeerId, identify, ping};

use super::super::address::{bare, is_relayed};
use super::super::behaviour::BehaviourEvent;
use super::super::command::Command;
use super::super::counting::Counters;
use super::super::identity::from_libp2p;
use super::super::listening::{innermost, why_not_dialled};
use super::super::paths::{Attempts, Carrier, Connectivity, FailedDial, LocalSearch, Path};
use super::super::{NetworkEvent, names};
use super::Driver;

/// Most failed dials remembered; the oldest goes first.
const MAX_FAILED: usize = 128;
/// Most addresses of a failed dial remembered.
const MAX_ADDRESSES: usize = 8;
/// Longest name of a program that is told on.
const MAX_PROGRAM: usize = 64;
/// Most names remembered.
const MAX_NAMES: usize = 64;
/// Most programs counted by mDNS.
#[cfg(feature = "mdns")]
const MAX_HEARD: usize = 256;

/// A connection.
#[derive(Debug)]
struct Connection {
    remote: Multiaddr,
    dialled: bool,
    since: Instant,
}

/// What is known of a connected peer.
#[derive(Debug, Default)]
struct Peer {
    connections: BTreeMap<ConnectionId, Connection>,
    round_trip: Option<Duration>,
    program: Option<String>,
}

/// Whom a dial was meant for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Target {
    Peer(PeerId),
    Address(Multiaddr),
}

#[derive(Debug)]
struct Failure {
    addresses: Vec<String>,
    reason: String,
    times: u32,
    at: Instant,
}

/// How peers are connected and what could not be dialled.
#[derive(Debug)]
pub(super) struct Paths {
    counters: Counters,
    peers: BTreeMap<PeerId, Peer>,
    failed: BTreeMap<Target, Failure>,
    quic: Attempts,
    tcp: Attempts,
    heard: BTreeSet<PeerId>,
    /// The addresses last found behind names.
    names: BTreeMap<String, Vec<String>>,
}

impl Paths {
    pub fn new(counters: &Counters) -> Self {
        Self {
            counters: counters.clone(),
            peers: BTreeMap::new(),
            failed: BTreeMap::new(),
            quic: Attempts::default(),
            tcp: Attempts::default(),
            heard: BTreeSet::new(),
            names: BTreeMap::new(),
        }
    }

    /// Takes note of whatever happens.
    pub fn note(&mut self, event: &SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, concurrent_dial_errors, .. } => {
                let dialled = endpoint.is_dialer();
                // Who comes in through a relay has no address but its name; the relay is in that of this node.
                let remote = match endpoint {
                    ConnectedPoint::Listener { local_addr, .. } if endpoint.is_relayed() => local_addr.clone(),
                    _ => endpoint.get_remote_address().clone(),
                };
                let refused = concurrent_dial_errors.iter().flatten();
                refused.for_each(|(address, _)| self.count(address, |attempts| attempts.failed += 1));
                self.connected(*peer_id, *connection_id, remote, dialled);
            }
            SwarmEvent::ConnectionClosed { peer_id, connection_id, .. } => self.closed(peer_id, *connection_id),
            SwarmEvent::OutgoingConnectionError { peer_id, error, .. } => self.dial_failed(*peer_id, error),
            SwarmEvent::Behaviour(BehaviourEvent::Ping(ping::Event { peer, result: Ok(time), .. })) => {
                self.pinged(peer, *time);
            }
            SwarmEvent::Behaviour(BehaviourEvent::Identify(identify::Event::Received { peer_id, info, .. })) => {
                if let Some(peer) = self.peers.get_mut(peer_id) {
                    let printable = info.agent_version.chars().filter(|c| !c.is_control());
                    peer.program = Some(printable.take(MAX_PROGRAM).collect());
                }
            }
            #[cfg(feature = "mdns")]
            SwarmEvent::Behaviour(BehaviourEvent::Mdns(mdns::Event::Discovered(found))) => {
                let room = MAX_HEARD.saturating_sub(self.heard.len());
                self.heard.extend(found.iter().map(|(peer, _)| *peer).take(room));
            }
            _ => {}
        }
    }

    /// A connection is up.
    pub fn connected(&mut self, peer: PeerId, connection: ConnectionId, remote: Multiaddr, dialled: bool) {
        self.count(&remote, |attempts| match dialled {
            true => attempts.dialled += 1,
            false => attempts.accepted += 1,
        });
        self.failed.remove(&Target::Peer(peer));
        if dialled {
            self.failed.remove(&Target::Address(bare(remote.clone())));
        }
        let connection_of = Connection { remote, dialled, since: Instant::now() };
        self.peers.entry(peer).or_default().connections.insert(connection, connection_of);
    }

    /// A connection ended.
    pub fn closed(&mut self, peer: &PeerId, connection: ConnectionId) {
        if let Some(known) = self.peers.get_mut(peer) {
            known.connections.remove(&connection);
            if known.connections.is_empty() {
                self.peers.remove(peer);
            }
        }
    }

    /// A ping came back.
    pub fn pinged(&mut self, peer: &PeerId, took: Duration) {
        self.peers.get_mut(peer).into_iter().for_each(|peer| peer.round_trip = Some(took));
    }

    fn dial_failed(&mut self, peer: Option<PeerId>, error: &DialError) {
        if matches!(error, DialError::DialPeerConditionFalse(_) | DialError::Aborted | DialError::LocalPeerId { .. }) {
            return;
        }
        let tried: &[_] = if let DialError::Transport(tried) = error { tried } else { &[] };
        tried.iter().for_each(|(address, _)| self.count(address, |attempts| attempts.failed += 1));
        match peer {
            Some(peer) if self.peers.contains_key(&peer) => {}
            Some(peer) => {
                let addresses = tried.iter().take(MAX_ADDRESSES).map(|(address, _)| address.to_string());
                self.remember(Target::Peer(peer), addresses.collect(), why_not_dialled(error));
            }
            None => {
                for (address, error) in tried {
                    let address = bare(address.clone());
                    self.remember(Target::Address(address.clone()), vec![address.to_string()], innermost(error));
                }
            }
        }
    }

    fn remember(&mut self, target: Target, addresses: Vec<String>, reason: String) {
        if self.failed.len() >= MAX_FAILED && !self.failed.contains_key(&target) {
            let oldest = self.failed.iter().min_by_key(|(_, failure)| failure.at).map(|(target, _)| target.clone());
            oldest.map(|oldest| self.failed.remove(&oldest));
        }
        let times = self.failed.get(&target).map_or(0, |failure| failure.times).saturating_add(1);
        self.failed.insert(target, Failure { addresses, reason, times, at: Instant::now() });
    }

    fn count(&mut self, address: &Multiaddr, how: impl FnOnce(&mut Attempts)) {
        match Carrier::of(&address.to_string()) {
            _ if is_relayed(address) => {}
            Carrier::Quic => how(&mut self.quic),
            Carrier::Tcp => how(&mut self.tcp),
            Carrier::Memory | Carrier::Other => {}
        }
    }

    /// The path to a peer.
    fn path(peer: &Peer, compatible: bool) -> Option<Path> {
        let first =
            peer.connections.values().min_by_key(|connection| (is_relayed(&connection.remote), connection.since))?;
        let remote = first.remote.to_string();
        Some(Path {
            compatible,
            carrier: Carrier::of(&remote),
            relay: relay_of(&first.remote).map(|relay| relay.map_or_else(String::new, |relay| relay.to_string())),
            remote,
            dialled: first.dialled,
            connections: peer.connections.len(),
            up_ms: first.since.elapsed().as_millis() as u64,
            round_trip_ms: peer.round_trip.map(|time| time.as_secs_f64() * 1e3),
            program: peer.program.clone(),
        })
    }

    fn failures(&self) -> Vec<FailedDial> {
        let mut failed: Vec<(&Target, &Failure)> = self.failed.iter().collect();
        failed.sort_by_key(|(_, failure)| std::cmp::Reverse(failure.at));
        let told = |(target, failure): (&Target, &Failure)| FailedDial {
            peer: if let Target::Peer(peer) = target { from_libp2p(peer) } else { None },
            addresses: failure.addresses.clone(),
            reason: failure.reason.clone(),
            times: failure.times,
            ago_ms: failure.at.elapsed().as_millis() as u64,
        };
        failed.into_iter().map(told).collect()
    }
}

impl Driver {
    /// How this node is connected.
    pub(super) fn connectivity(&self) -> Connectivity {
        let texts = |addresses: Vec<&Multiaddr>| addresses.into_iter().map(Multiaddr::to_string).collect();
        let known = &self.paths;
        let (mut paths, mut bytes) = (BTreeMap::new(), BTreeMap::<_, (u64, u64)>::new());
        for (libp2p_peer, peer) in &known.peers {
            let compatible = self.peers.get(libp2p_peer).copied().unwrap_or(false);
            if let (Some(id), Some(path)) = (from_libp2p(libp2p_peer), Paths::path(peer, compatible)) {
                paths.insert(id, path);
            }
        }
        known.counters.each(|peer, counted| {
            bytes.extend(from_libp2p(peer).map(|peer| (peer, counted)));
        });
        let bans = self.bans.iter().filter_map(|(peer, until)| {
            let left = until.saturating_duration_since(Instant::now());
            Some((from_libp2p(peer)?, left.as_millis() as u64))
        });
        Connectivity {
            listening: texts(self.swarm.listeners().collect()),
            external: texts(self.swarm.external_addresses().collect()),
            paths,
            bytes,
            failed: known.failures(),
            names: known.names.clone(),
            bans: bans.collect(),
            quic: known.quic,
            tcp: known.tcp,
            mdns: LocalSearch { on: self.hears_mdns(), heard: known.heard.len() },
        }
    }

    /// Asks the system for the addresses behind names of nobody in particular, and comes back to dial each.
    pub(super) fn dial_names(&self, names: Vec<Multiaddr>) {
        for name in names {
            let commands = self.commands.clone();
            tokio::spawn(async move {
                let found = names::addresses(&name).await.map_err(|error| error.to_string());
                // The swarm may have ended meanwhile.
                let _ = commands.send(Command::Resolved { name, found }).await;
            });
        }
    }

    /// The system answered for a name.
    pub(super) fn on_resolved(&mut self, name: &Multiaddr, found: Result<Vec<String>, String>) {
        let text = name.to_string();
        match found {
            Ok(addresses) => {
                self.paths.failed.remove(&Target::Address(name.clone()));
                if self.paths.names.len() < MAX_NAMES || self.paths.names.contains_key(&text) {
                    self.paths.names.insert(text, addresses.clone());
                }
                self.dial(None, &addresses);
            }
            Err(reason) => {
                self.paths.remember(Target::Address(name.clone()), vec![text.clone()], reason.clone());
                self.tell(NetworkEvent::DialFailed { peer: None, reason: format!("{text}: {reason}") });
            }
        }
    }

    #[cfg(feature = "mdns")]
    fn hears_mdns(&self) -> bool {
        self.swarm.behaviour().mdns.is_enabled()
    }

    #[cfg(not(feature = "mdns"))]
    fn hears_mdns(&self) -> bool {
        false
    }
}

/// Whether an address goes through a relay; that relay, where the address names it.
fn relay_of(address: &Multiaddr) -> Option<Option<PeerId>> {
    let mut relay = None;
    for part in address {
        match part {
            Protocol::P2p(peer) => relay = Some(peer),
            Protocol::P2pCircuit => return Some(relay),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Multiaddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_relay_is_named_and_an_end_is_not() {
        let relay = PeerId::random();
        let through = address(&format!("/ip4/10.0.0.1/tcp/1/p2p/{relay}/p2p-circuit/p2p/{}", PeerId::random()));
        assert_eq!(relay_of(&through), Some(Some(relay)));
        assert_eq!(relay_of(&address(&format!("/ip4/10.0.0.1/tcp/1/p2p/{relay}"))), None);
        assert_eq!(bare(address(&format!("/ip4/10.0.0.1/tcp/1/p2p/{relay}"))), address("/ip4/10.0.0.1/tcp/1"));
    }

    #[test]
    fn a_direct_path_is_told_before_a_relayed_one_and_the_last_end_forgets_a_peer() {
        let mut paths = Paths::new(&Counters::default());
        let (relay, peer) = (PeerId::random(), PeerId::random());
        let (one, two) = (ConnectionId::new_unchecked(1), ConnectionId::new_unchecked(2));
        paths.connected(peer, one, address(&format!("/ip4/10.0.0.1/tcp/1/p2p/{relay}/p2p-circuit")), true);
        let told = Paths::path(&paths.peers[&peer], true).unwrap();
        assert_eq!(told.relay, Some(relay.to_string()));
        paths.connected(peer, two, address("/ip4/10.0.0.2/udp/7/quic-v1"), false);
        paths.pinged(&peer, Duration::from_millis(5));
        let told = Paths::path(&paths.peers[&peer], true).unwrap();
        assert_eq!((told.relay, told.carrier, told.connections, told.dialled), (None, Carrier::Quic, 2, false));
        assert!(told.round_trip_ms.is_some_and(|time| (time - 5.0).abs() < 1e-9));
        assert_eq!((paths.quic.accepted, paths.tcp.dialled), (1, 0), "what a relay carries is not counted");
        paths.closed(&peer, two);
        paths.closed(&peer, one);
        assert!(paths.peers.is_empty());
    }

    #[test]
    fn failures_are_bounded_and_end_with_a_connection() {
        let mut paths = Paths::new(&Counters::default());
        for port in 0..2 * MAX_FAILED {
            let address = address(&format!("/ip4/10.0.0.1/tcp/{port}"));
            paths.remember(Target::Address(address), Vec::new(), "refused".to_owned());
        }
        assert_eq!(paths.failures().len(), MAX_FAILED);
        let peer = PeerId::random();
        paths.remember(Target::Peer(peer), Vec::new(), "refused".to_owned());
        paths.remember(Target::Peer(peer), Vec::new(), "refused".to_owned());
        assert_eq!(paths.failures()[0].times, 2);
        paths.connected(peer, ConnectionId::new_unchecked(1), address("/ip4/10.0.0.1/tcp/255"), true);
        assert_eq!(paths.failures().len(), MAX_FAILED - 2);
    }
}
