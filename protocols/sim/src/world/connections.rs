//! How connections end that nobody ended: a peer crashed, fell asleep or moved, or the way is blocked.
//!
//! Keep-alives are not messages here. Between windows, four times in every [`super::WorldConfig::connection_timeout`],
//! the world looks at each end of each connection: whether the other end is awake, at the same address, still holds the
//! connection, and both ways are open. An end that was found dead for the whole time is told that the connection is
//! gone. An end that could be told by the other, because that one is awake and merely holds no such connection, is told
//! at the second look: so long the last message of a handshake may be on its way.

use std::collections::BTreeMap;
use std::time::Duration;

use peerlearn_protocols::time::Time;

use super::World;
use super::config::{Discovery, WorldConfig};
use super::peer::SimPeer;

/// Looks in the time that a silent connection lives.
const LOOKS: u32 = 4;

/// The ends that are known to be dead and not yet told so.
#[derive(Debug)]
pub(super) struct Watch {
    /// When to look next; never where peers have no connections.
    pub next: Time,
    dead: BTreeMap<(u32, u32), Death>,
}

#[derive(Debug, Clone, Copy)]
struct Death {
    since: Time,
    /// Whether the other end says so itself.
    denied: bool,
}

/// What one end of a connection is to the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Alive,
    /// The other would answer that it knows of no connection.
    Denied,
    Silent,
}

impl Watch {
    pub fn new(config: &WorldConfig) -> Self {
        let next = match config.discovery {
            Discovery::Membership(_) => Time::ZERO + interval(config),
            Discovery::Fixed(_) => Time(u64::MAX),
        };
        Self { next, dead: BTreeMap::new() }
    }
}

fn interval(config: &WorldConfig) -> Duration {
    (config.connection_timeout / LOOKS).max(Duration::from_millis(1))
}

impl World<'_> {
    /// Looks at every connection, and tells the ends of those that are gone.
    pub(super) fn look_at_connections(&mut self) {
        let timeout = self.env.config.connection_timeout;
        let interval = interval(&self.env.config);
        self.now = self.now.max(self.watch.next);
        self.watch.next = self.watch.next + interval;
        if !self.env.disturbed {
            // Nothing was ever lost: both ends of every connection know of it, and live.
            return;
        }
        let mut dead = BTreeMap::new();
        let mut over = Vec::new();
        for peer in self.peers.iter().filter(|peer| peer.is_awake()) {
            for (other, address) in peer.connections.iter() {
                let key = (peer.index, other);
                let denied = match self.end(peer, &self.peers[other as usize], address) {
                    End::Alive => continue,
                    state => state == End::Denied,
                };
                let before = self.watch.dead.get(&key).filter(|death| death.denied == denied);
                let since = before.map_or(self.now, |death| death.since);
                if self.now.since(since) >= if denied { interval } else { timeout } {
                    over.push(key);
                } else {
                    dead.insert(key, Death { since, denied });
                }
            }
        }
        self.watch.dead = dead;
        for (peer, other) in over {
            self.with_peer(peer as usize, |peer, env| peer.lose_connection(env, other));
        }
    }

    fn end(&self, peer: &SimPeer, other: &SimPeer, address: u32) -> End {
        let (one, two) = (peer.index, other.index);
        let open = self.env.reaches(one, two, self.now) && self.env.reaches(two, one, self.now);
        if !open || !other.is_awake() || other.connections.own_address != address {
            return End::Silent;
        }
        if other.connections.address_of(one) == Some(peer.connections.own_address) { End::Alive } else { End::Denied }
    }
}
