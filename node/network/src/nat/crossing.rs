//! Ways in: what this node knows of its own addresses, at which relays it holds a place, and which connections it can
//! spare.

mod reservations;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use libp2p::core::transport::PortUse;
use libp2p::core::{ConnectedPoint, Endpoint};
use libp2p::swarm::{
    CloseConnection, ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerOutEvent, ToSwarm,
    dummy,
};
use libp2p::{Multiaddr, PeerId};
use tokio::time::Sleep;

use self::reservations::Reservations;
use super::super::address::{bare, direct_ip, ip_of, is_public, is_public_ip, is_relayed};
use super::super::paths::Carrier;
use super::RelayMode;

/// How long a relayed connection is kept beside a direct one: what was begun on it, the first words say, may end.
const PARTING: Duration = Duration::from_secs(3);
/// Machines remembered that this node has dialled.
const MAX_DIALLED: usize = 512;
/// Most of its own addresses that are taken as confirmed.
const MAX_CONFIRMED: usize = 16;

type Action = ToSwarm<Event, Infallible>;

/// What changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    /// Whether others may use this node as a relay.
    Serve(bool),
    /// Addresses of this machine are gone: what was found out about them is void.
    Moved,
    /// The places at relays changed: the addresses that others are to be told.
    Relayed,
}

/// A connection.
#[derive(Debug)]
struct Line {
    peer: PeerId,
    relayed: bool,
    remote: Multiaddr,
    dialled: bool,
    /// Whether this node dialled from the port that it listens on, if its system let it.
    reused: bool,
}

/// The behaviour.
pub(crate) struct Crossing {
    mode: RelayMode,
    lines: BTreeMap<ConnectionId, Line>,
    places: Reservations,
    /// Where this machine listens, relays left out.
    listening: BTreeSet<Multiaddr>,
    /// Where others can reach it, as far as somebody has tried.
    confirmed: BTreeSet<Multiaddr>,
    /// Machines that this node has dialled lately, oldest first: a router lets their answers in.
    dialled: VecDeque<IpAddr>,
    /// Whether somebody came in whom this node had not dialled.
    unsolicited: bool,
    /// Whether the router at home passes connections on.
    mapped: bool,
    serves: bool,
    parting: VecDeque<(Instant, PeerId, ConnectionId)>,
    actions: VecDeque<Action>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Crossing {
    pub fn new(me: PeerId, mode: RelayMode) -> Self {
        Self {
            mode,
            lines: BTreeMap::new(),
            places: Reservations::new(me),
            listening: BTreeSet::new(),
            confirmed: BTreeSet::new(),
            dialled: VecDeque::new(),
            unsolicited: false,
            mapped: false,
            serves: false,
            parting: VecDeque::new(),
            actions: VecDeque::new(),
            timer: None,
        }
    }

    /// Where others reach this node through relays, without its own name at the end.
    pub fn relayed(&self) -> Vec<Multiaddr> {
        self.places.addresses()
    }

    /// Whether a peer is connected without a relay.
    pub fn is_direct(&self, peer: &PeerId) -> bool {
        self.lines.values().any(|line| line.peer == *peer && !line.relayed)
    }

    /// The relays at which it holds a place.
    pub fn relays(&self) -> Vec<PeerId> {
        self.places.relays()
    }

    /// Whether others reach it without a relay, as far as is proven.
    pub fn is_reachable(&self) -> bool {
        self.owns_confirmed() || !self.confirmed.is_empty() && (self.unsolicited || self.mapped)
    }

    /// What a peer says of itself: whether it serves as a relay, and where it can be reached.
    pub fn described(&mut self, peer: PeerId, is_relay: bool, addresses: &[Multiaddr]) {
        let lines: Vec<&Line> = self.lines.values().filter(|line| line.peer == peer && !line.relayed).collect();
        let mut ways: Vec<Multiaddr> =
            lines.iter().filter(|line| line.dialled).map(|line| bare(line.remote.clone())).collect();
        // Only machines from which it is connected: a relay could name anybody's otherwise, and others would knock
        // there.
        let from = |address: &&Multiaddr| lines.iter().any(|line| ip_of(&line.remote) == ip_of(address));
        let is_way = |address: &&Multiaddr| direct_ip(address).is_some() && from(address);
        ways.extend(addresses.iter().filter(is_way).map(|address| bare(address.clone())));
        let mut seen = BTreeSet::new();
        ways.retain(|address| seen.insert(Carrier::of(&address.to_string())));
        match is_relay && !ways.is_empty() {
            true => self.places.can(peer, ways),
            false => self.places.cannot(&peer).into_iter().for_each(|id| self.leave(id)),
        }
        self.settle();
    }

    /// The router at home passes connections on, or no longer.
    #[cfg(feature = "upnp")]
    pub fn mapped(&mut self, mapped: bool) {
        self.mapped = mapped;
        self.settle();
    }

    /// How this node is seen over a connection. Where it dialled from the port that it listens on, that is what its
    /// router made of that port: others can try it, which they cannot with the port that it has inside (identify
    /// supposes them equal).
    pub fn observed(&mut self, connection: ConnectionId, observed: &Multiaddr) {
        let is_kept = self.listening.iter().any(|own| own.iter().nth(1) == observed.iter().nth(1));
        if !is_kept && !is_relayed(observed) && self.lines.get(&connection).is_some_and(|line| line.reused) {
            self.actions.push_back(ToSwarm::NewExternalAddrCandidate(bare(observed.clone())));
            self.wake();
        }
    }

    fn owns_confirmed(&self) -> bool {
        self.confirmed.iter().any(|confirmed| self.owns(confirmed))
    }

    /// Whether the machine itself has the address: no router stands before it.
    fn owns(&self, address: &Multiaddr) -> bool {
        let ip = ip_of(address);
        ip.is_some() && self.listening.iter().any(|own| ip_of(own) == ip)
    }

    fn leave(&mut self, id: libp2p::core::transport::ListenerId) {
        self.actions.push_back(ToSwarm::RemoveListener { id });
        self.actions.push_back(ToSwarm::GenerateEvent(Event::Relayed));
    }

    /// Brings about what follows from what is known.
    fn settle(&mut self) {
        let serves = match self.mode {
            RelayMode::Off => false,
            // Without an address that it can name to those who ask, a relay only wastes their time (rust-libp2p issue
            // 2621).
            RelayMode::On => !self.confirmed.is_empty(),
            RelayMode::Auto => self.is_reachable(),
        };
        if serves != self.serves {
            self.serves = serves;
            self.actions.push_back(ToSwarm::GenerateEvent(Event::Serve(serves)));
        }
        let wants = self.mode == RelayMode::Auto && !self.owns_confirmed();
        let now = Instant::now();
        for id in self.places.spare(wants, now) {
            self.leave(id);
        }
        if wants {
            let direct: BTreeSet<PeerId> =
                self.lines.values().filter(|line| !line.relayed).map(|line| line.peer).collect();
            self.actions.extend(self.places.ask(&direct, now).into_iter().map(|opts| ToSwarm::ListenOn { opts }));
        }
        self.wake();
    }

    /// Sets the timer anew; it is over at once where something is to be done.
    fn wake(&mut self) {
        let parting = self.parting.front().map(|(at, ..)| *at);
        let next = [parting, self.places.next()].into_iter().flatten().min();
        let next = if self.actions.is_empty() { next } else { Some(Instant::now()) };
        self.timer = next.map(|at| Box::pin(tokio::time::sleep_until(at.into())));
    }

    fn on_established(&mut self, peer: PeerId, id: ConnectionId, endpoint: &ConnectedPoint) {
        let relayed = endpoint.is_relayed();
        let (remote, dialled) = (endpoint.get_remote_address().clone(), endpoint.is_dialer());
        let reused = !relayed && matches!(endpoint, ConnectedPoint::Dialer { port_use: PortUse::Reuse, .. });
        if let ConnectedPoint::Listener { local_addr, .. } = endpoint
            && !relayed
        {
            self.on_inbound(local_addr, &remote);
        }
        self.lines.insert(id, Line { peer, relayed, remote, dialled, reused });
        let of_peer = || self.lines.iter().filter(|(_, line)| line.peer == peer);
        if of_peer().any(|(_, line)| !line.relayed) {
            let at = Instant::now() + PARTING;
            let spare: Vec<ConnectionId> = of_peer().filter(|(_, line)| line.relayed).map(|(id, _)| *id).collect();
            self.parting.extend(spare.into_iter().map(|id| (at, peer, id)));
        }
        self.settle();
    }

    /// Somebody came in. Who was never dialled from here got through by himself, which proves that others can.
    fn on_inbound(&mut self, local: &Multiaddr, remote: &Multiaddr) {
        let Some(from) = ip_of(remote).filter(is_public_ip) else { return };
        if self.dialled.contains(&from) || self.listening.iter().any(|own| ip_of(own) == Some(from)) {
            return;
        }
        self.unsolicited = true;
        let local = bare(local.clone());
        if is_public(&local) && self.listening.contains(&local) && !self.confirmed.contains(&local) {
            self.actions.push_back(ToSwarm::ExternalAddrConfirmed(local));
        }
    }

    fn on_listening(&mut self, address: &Multiaddr) {
        if is_relayed(address) {
            return;
        }
        self.listening.insert(address.clone());
        if self.mode == RelayMode::On {
            // Somebody has said so who knows.
            self.actions.push_back(ToSwarm::ExternalAddrConfirmed(address.clone()));
        }
    }

    fn on_expired(&mut self, address: &Multiaddr) {
        if !self.listening.remove(address) {
            return;
        }
        // What a router made of this address is void as well; which one that was is not known.
        let kind = kind_of(address);
        let is_void = |known: &Multiaddr| kind_of(known) == kind && !self.owns(known);
        let void: Vec<Multiaddr> = self.confirmed.iter().filter(|known| is_void(known)).cloned().collect();
        self.actions.extend(void.into_iter().map(ToSwarm::ExternalAddrExpired));
        (self.unsolicited, self.mapped) = (false, false);
        self.actions.push_back(ToSwarm::GenerateEvent(Event::Moved));
    }

    fn on_confirmed(&mut self, address: &Multiaddr) {
        if is_relayed(address) || !(is_public(address) || self.mode == RelayMode::On) {
            return;
        }
        // A router that has a new address has no longer the old one.
        let kind = kind_of(address);
        let is_old = |known: &Multiaddr| kind_of(known) == kind && ip_of(known) != ip_of(address) && !self.owns(known);
        let mut old: Vec<Multiaddr> = Vec::new();
        if !self.owns(address) {
            old.extend(self.confirmed.iter().filter(|known| is_old(known)).cloned());
        }
        match self.confirmed.len() < MAX_CONFIRMED {
            true => drop(self.confirmed.insert(address.clone())),
            false => old.push(address.clone()),
        }
        self.actions.extend(old.into_iter().map(ToSwarm::ExternalAddrExpired));
    }

    /// What is due by now.
    fn due(&mut self) {
        let now = Instant::now();
        while self.parting.front().is_some_and(|(at, ..)| *at <= now) {
            let Some((_, peer_id, id)) = self.parting.pop_front() else { break };
            let is_spare =
                self.lines.contains_key(&id) && self.lines.values().any(|line| line.peer == peer_id && !line.relayed);
            if is_spare {
                let connection = CloseConnection::One(id);
                self.actions.push_back(ToSwarm::CloseConnection { peer_id, connection });
            }
        }
        self.settle();
    }
}

/// What a router has one public address for: the transport, and the version of IP, where it is known.
fn kind_of(address: &Multiaddr) -> (Carrier, Option<bool>) {
    (Carrier::of(&address.to_string()), ip_of(address).map(|ip| ip.is_ipv4()))
}

impl NetworkBehaviour for Crossing {
    type ConnectionHandler = dummy::ConnectionHandler;
    type ToSwarm = Event;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(dummy::ConnectionHandler)
    }

    fn handle_pending_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: Option<PeerId>,
        addresses: &[Multiaddr],
        _: Endpoint,
    ) -> Result<Vec<Multiaddr>, ConnectionDenied> {
        for ip in addresses.iter().filter_map(direct_ip) {
            self.dialled.retain(|known| *known != ip);
            self.dialled.push_back(ip);
        }
        let surplus = self.dialled.len().saturating_sub(MAX_DIALLED);
        drop(self.dialled.drain(..surplus));
        Ok(Vec::new())
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
            FromSwarm::ConnectionEstablished(new) => self.on_established(new.peer_id, new.connection_id, new.endpoint),
            FromSwarm::ConnectionClosed(closed) => {
                self.lines.remove(&closed.connection_id);
                if !self.lines.values().any(|line| line.peer == closed.peer_id && !line.relayed) {
                    self.places.cannot(&closed.peer_id).into_iter().for_each(|id| self.leave(id));
                }
                self.settle();
            }
            FromSwarm::NewListenAddr(new) => {
                self.on_listening(new.addr);
                if self.places.taken(new.listener_id) {
                    self.actions.push_back(ToSwarm::GenerateEvent(Event::Relayed));
                }
                self.settle();
            }
            FromSwarm::ExpiredListenAddr(old) => {
                self.on_expired(old.addr);
                self.settle();
            }
            FromSwarm::ListenerClosed(closed) => {
                if self.places.lost(closed.listener_id, Instant::now()) {
                    self.actions.push_back(ToSwarm::GenerateEvent(Event::Relayed));
                }
                self.settle();
            }
            FromSwarm::ExternalAddrConfirmed(confirmed) => {
                self.on_confirmed(confirmed.addr);
                self.settle();
            }
            FromSwarm::ExternalAddrExpired(expired) => {
                self.confirmed.remove(expired.addr);
                self.settle();
            }
            _ => {}
        }
    }

    fn on_connection_handler_event(&mut self, _: PeerId, _: ConnectionId, event: THandlerOutEvent<Self>) {
        match event {}
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Action> {
        loop {
            if let Some(action) = self.actions.pop_front() {
                return Poll::Ready(action);
            }
            match self.timer.as_mut().map(|timer| timer.as_mut().poll(context)) {
                Some(Poll::Ready(())) => {
                    self.timer = None;
                    self.due();
                }
                // Whatever is pushed sets the timer, which wakes.
                Some(Poll::Pending) | None => return Poll::Pending,
            }
        }
    }
}
