//! Whether connections are alive: those that no longer answer, whose local address is gone, or that a sleep of this machine has
//! outlived, are ended, so that new ones take their place at once.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant, SystemTime};

use libp2p::core::ConnectedPoint;
use libp2p::swarm::{ConnectionId, SwarmEvent};
use libp2p::{PeerId, identify, ping};
use peerlearn_protocols::membership::Scope;

use super::super::NetworkEvent;
use super::super::address::{direct_ip, source_towards};
use super::super::behaviour::{BehaviourEvent, PING_EVERY};
use super::Driver;

/// How often it is looked.
const TICK: Duration = Duration::from_secs(1);
/// A connection on which no ping came back for so long is dead: two were missed.
const DEAD_AFTER: Duration = Duration::from_secs(15);
/// The same for one beside a newer connection to the same peer, which would hardly be there if the older one worked.
const DOUBTFUL_AFTER: Duration = Duration::from_secs(PING_EVERY.as_secs() + 1);
/// Longest time in which a peer must say what it is.
const PATIENCE: Duration = Duration::from_secs(10);
/// The same where many come from one address.
const LITTLE_PATIENCE: Duration = Duration::from_secs(2);
/// A gap between two ticks, by any clock, after which connections are taken for dead.
const SLEPT: Duration = Duration::from_secs(20);

/// A connection.
#[derive(Debug)]
struct Link {
    peer: PeerId,
    /// The own address that it comes from or goes to.
    local: Option<IpAddr>,
    scope: Scope,
    dialled: bool,
    /// Whether the peer has said what it is.
    described: bool,
    since: Instant,
    /// When a ping last came back.
    alive: Instant,
}

/// All connections, and when it was last looked at them.
#[derive(Debug)]
pub(super) struct Liveness {
    links: BTreeMap<ConnectionId, Link>,
    looked: (Instant, SystemTime),
}

impl Liveness {
    pub fn new() -> Self {
        Self { links: BTreeMap::new(), looked: (Instant::now(), SystemTime::now()) }
    }

    /// When to call [`Driver::look`] next.
    pub fn next(&self) -> Instant {
        self.looked.0 + TICK
    }

    /// How far the widest link to a peer reaches.
    pub fn scope(&self, peer: &PeerId) -> Scope {
        self.links.values().filter(|link| link.peer == *peer).map(|link| link.scope).max().unwrap_or_default()
    }

    /// How long this machine slept since the last look, if it did. The monotonic clock stands still in a suspended machine, and
    /// runs on in a stopped process; the other way round for the clock of the day, which people also set.
    fn slept(&mut self) -> Option<Duration> {
        let (before, now) = (self.looked, (Instant::now(), SystemTime::now()));
        self.looked = now;
        let by_day = now.1.duration_since(before.1).unwrap_or_default();
        Some((now.0 - before.0).max(by_day)).filter(|gap| *gap > SLEPT)
    }

    fn established(&mut self, connection: ConnectionId, peer: PeerId, endpoint: &ConnectedPoint) -> Vec<ConnectionId> {
        let now = Instant::now();
        let is_doubtful = |link: &Link| link.peer == peer && now - link.alive > DOUBTFUL_AFTER;
        let doubtful = self.links.iter().filter(|(_, link)| is_doubtful(link)).map(|(id, _)| *id).collect();
        let (remote, dialled) = (endpoint.get_remote_address(), endpoint.is_dialer());
        let local = match endpoint {
            ConnectedPoint::Listener { local_addr, .. } => direct_ip(local_addr),
            ConnectedPoint::Dialer { .. } => direct_ip(remote).and_then(source_towards),
        };
        let is_relayed = endpoint.is_relayed();
        let scope = if is_relayed { Scope::Internet } else { Scope::of_multiaddr(&remote.to_string()) };
        let link = Link {
            peer,
            local: local.filter(|_| !is_relayed),
            scope,
            dialled,
            described: false,
            since: now,
            alive: now,
        };
        self.links.insert(connection, link);
        doubtful
    }
}

impl Driver {
    /// Takes note of what says whether a connection is alive, and ends those that are not.
    pub(super) fn watch(&mut self, event: &SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, .. } => {
                for doubtful in self.liveness.established(*connection_id, *peer_id, endpoint) {
                    self.end(doubtful, "it did not answer, and a newer one is up");
                }
            }
            SwarmEvent::ConnectionClosed { connection_id, .. } => drop(self.liveness.links.remove(connection_id)),
            SwarmEvent::Behaviour(BehaviourEvent::Ping(ping::Event { connection, result, .. })) => match result {
                Ok(_) => {
                    let link = self.liveness.links.get_mut(connection);
                    link.into_iter().for_each(|link| link.alive = Instant::now());
                }
                // Another program; it is hung up on once it has said what it is.
                Err(ping::Failure::Unsupported) => {}
                Err(_) => self.end(*connection, "two pings in a row did not come back"),
            },
            SwarmEvent::Behaviour(BehaviourEvent::Identify(identify::Event::Received { peer_id, .. })) => {
                let links = self.liveness.links.values_mut().filter(|link| link.peer == *peer_id);
                links.for_each(|link| link.described = true);
            }
            SwarmEvent::ExpiredListenAddr { address, .. } => {
                let Some(gone) = direct_ip(address) else { return };
                for connection in self.links_where(|_, link| link.local == Some(gone)) {
                    self.end(connection, "the own address that it used is gone");
                }
            }
            _ => {}
        }
    }

    /// Ends connections that are dead, and those of peers that do not say what they are.
    pub(super) fn look(&mut self) {
        let now = Instant::now();
        if let Some(slept) = self.liveness.slept() {
            for connection in self.links_where(|_, _| true) {
                self.end(connection, "this machine slept");
            }
            self.tell(NetworkEvent::Slept { slept });
        }
        for connection in self.links_where(|_, link| now - link.alive > DEAD_AFTER) {
            self.end(connection, "no ping came back");
        }
        let doors = &self.swarm.behaviour().doors;
        let is_mute = |id: ConnectionId, link: &Link| {
            let patience = if doors.is_crowded(id) { LITTLE_PATIENCE } else { PATIENCE };
            !link.dialled && !link.described && now - link.since > patience
        };
        for connection in self.links_where(is_mute) {
            self.end(connection, "it did not say what it is");
        }
    }

    fn links_where(&self, is_meant: impl Fn(ConnectionId, &Link) -> bool) -> Vec<ConnectionId> {
        self.liveness.links.iter().filter(|(id, link)| is_meant(**id, link)).map(|(id, _)| *id).collect()
    }

    fn end(&mut self, connection: ConnectionId, why: &str) {
        if let Some(link) = self.liveness.links.get(&connection) {
            tracing::debug!(peer = %link.peer, why, "a connection is ended");
        }
        self.swarm.close_connection(connection);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_by_either_clock_is_a_sleep() {
        let mut liveness = Liveness::new();
        assert_eq!(liveness.slept(), None);
        liveness.looked.1 -= Duration::from_secs(180);
        assert!(liveness.slept().is_some_and(|slept| slept >= Duration::from_secs(180)));
        liveness.looked.0 -= Duration::from_secs(60);
        assert!(liveness.slept().is_some_and(|slept| slept >= Duration::from_secs(60)));
        liveness.looked.1 += Duration::from_secs(3600);
        assert_eq!(liveness.slept(), None, "a clock that was set back is no sleep");
    }
}
