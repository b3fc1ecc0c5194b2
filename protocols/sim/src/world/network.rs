//! A peer's end of the network: connections, dials, and how messages get there.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use peerlearn_protocols::exchange::TransportFailure;
use peerlearn_protocols::id::PeerId;
use peerlearn_protocols::membership::Contact;
use peerlearn_protocols::peer::{Fact, Token};
use peerlearn_protocols::time::Time;
use peerlearn_protocols::wire::{Address, Announcement, Request};
use rand::RngExt;

use super::config::Discovery;
use super::lie::Lie;
use super::message::{Content, Path};
use super::peer::SimPeer;
use super::pulling::Active;
use super::record::SimEvent;
use super::timers::Kind;
use super::{Environment, index_of, peer_id};

/// Contacts a peer starts with.
const CONTACTS: usize = 3;
/// Connections above which idle ones are ended. Nodes end each after a minute of silence; looking only when there are
/// many costs less and bounds them as well.
const MANY: usize = 64;
/// A connection over which nothing went for so long is idle.
const IDLE: Duration = Duration::from_secs(60);
/// Least time between two searches for idle ones.
const SWEEP: Duration = Duration::from_secs(10);

/// The connections of one peer.
#[derive(Debug, Default)]
pub(super) struct Connections {
    /// By peer: the number of its address, and when something last went over it.
    up: BTreeMap<u32, (u32, Time)>,
    /// Dials under way: whom, at which address, and when to give up.
    dialling: Vec<(u32, u32, Time)>,
    /// When idle ones were last looked for.
    swept: Time,
    /// Number of the own address; it grows with every move.
    pub own_address: u32,
}

impl Connections {
    pub fn len(&self) -> usize {
        self.up.len()
    }

    /// Each connected peer with the number of its address.
    pub fn iter(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        self.up.iter().map(|(other, (address, _))| (*other, *address))
    }

    /// The number of the address by which this peer is connected to another.
    pub fn address_of(&self, other: u32) -> Option<u32> {
        self.up.get(&other).map(|(address, _)| *address)
    }
}

impl SimPeer {
    /// Everyone it knew, or for a newcomer where some others were at the start.
    pub(super) fn address_book(&mut self, env: &Environment<'_>) -> Vec<Contact> {
        let known = self.machine.known_peers(self.now);
        let book: Vec<Contact> = known
            .into_iter()
            .filter(|known| !known.addresses.is_empty())
            .map(|known| Contact { peer: Some(known.peer), addresses: known.addresses })
            .collect();
        if !book.is_empty() || matches!(env.config.discovery, Discovery::Fixed(_)) {
            return book;
        }
        let contacts = contacts(env.peers, self.index, &mut self.rng).into_iter();
        contacts.map(|peer| Contact { peer: Some(peer_id(peer)), addresses: vec![env.address(peer, 0)] }).collect()
    }

    /// Tells a new machine where it is and whom it knows of.
    pub(super) fn introduce(&mut self, env: &Environment<'_>, book: Vec<Contact>) {
        if let Discovery::Fixed(neighbours) = &env.config.discovery {
            // Known from the start, at no address: connected for good.
            let neighbours = Arc::clone(neighbours);
            neighbours[self.index as usize].iter().for_each(|&other| self.tell(env, Fact::Connected(peer_id(other))));
            return;
        }
        self.tell(env, Fact::Moved(vec![env.address(self.index, self.connections.own_address)]));
        book.into_iter().for_each(|contact| self.tell(env, Fact::Contacted(contact)));
    }

    pub(super) fn on_message(&mut self, env: &Environment<'_>, from: u32, content: Content) {
        if self.machine.is_banned(self.now, &peer_id(from)) {
            return;
        }
        match content {
            // Nobody is at an old address.
            Content::Newest { path, .. } | Content::Ask { path, .. } | Content::Dial(path)
                if path.to != self.connections.own_address =>
            {
                return;
            }
            _ => self.count(&content),
        }
        match content {
            Content::Newest { number, path, codec } => {
                let request = Request::Newest { task: self.settings.task, codec };
                self.on_question(env, from, number, path, request);
            }
            Content::Ask { number, path, request } => self.on_question(env, from, number, path, *request),
            Content::Stream { number, request } => {
                self.tell(env, Fact::StreamAsked { token: token(from, number), request: *request });
            }
            Content::Answer { number, response } => {
                self.dial_answered(env, from);
                self.on_answer(env, from, number, *response);
            }
            Content::Chunks { number, chunks } => self.on_chunks(env, from, number, chunks),
            Content::Dial(path) => {
                self.send(env, from, Content::Accepted { own: path.to });
                self.connect(env, from, path.own);
            }
            Content::Accepted { own } => {
                self.connections.dialling.retain(|(other, ..)| *other != from);
                self.connect(env, from, own);
            }
            Content::HungUp => self.lose_connection(env, from),
            // Whoever has no connection is not in the mesh. Whom the mesh would have passed it on by is not simulated.
            Content::Announced(announcement) if self.connections.len() > 0 => {
                let (author, announcement) = (peer_id(from), Box::new((*announcement).clone()));
                self.tell(env, Fact::Announced { author, announcement, via: None });
            }
            Content::Announced(_) => {}
        }
    }

    fn count(&mut self, content: &Content) {
        if let Content::Announced(_) = content {
            self.stats.announcements += 1;
            // Whoever hears it passes it on.
            self.stats.bytes_out += content.bytes();
        }
        self.stats.shuffles += u64::from(content.is_shuffle());
        self.stats.bytes_in += content.bytes();
    }

    fn on_question(&mut self, env: &Environment<'_>, from: u32, number: u32, path: Path, request: Request) {
        if path.opens && !env.is_fixed() {
            self.connect(env, from, path.own);
        }
        if self.lie != Some(Lie::Silent) {
            self.tell(env, Fact::Asked { token: token(from, number), from: peer_id(from), request });
        }
    }

    /// Asks a peer. Where there is no connection yet, the question brings it up, and takes a round trip longer.
    pub(super) fn ask(
        &mut self,
        env: &Environment<'_>,
        number: u32,
        peer: PeerId,
        addresses: &[Address],
        request: Request,
    ) {
        let to = index_of(peer);
        let up = self.connections.up.get_mut(&to);
        let opens = up.is_none() && !env.is_fixed();
        let address = match up {
            Some((address, used)) => {
                *used = self.now;
                *address
            }
            None => addresses.iter().find_map(|address| env.target_in(address)).map_or(0, |(_, number)| number),
        };
        let path = Path { to: address, own: self.connections.own_address, opens };
        let number = self.wire_number(number);
        let content = match request {
            Request::Newest { codec, .. } => Content::Newest { number, path, codec },
            request => Content::Ask { number, path, request: Box::new(request) },
        };
        if !opens {
            self.watch_for_timeouts();
            return self.send(env, to, content);
        }
        self.begin_dial(env, to, address);
        let handshake = self.delay(env, to) + self.delay(env, to);
        self.send_after(env, to, handshake, content);
    }

    fn begin_dial(&mut self, env: &Environment<'_>, to: u32, address: u32) {
        let dialling = &mut self.connections.dialling;
        if dialling.iter().all(|(other, ..)| *other != to) {
            dialling.push((to, address, self.now + env.config.request_timeout));
        }
        self.watch_for_timeouts();
    }

    /// Wakes up when the first dial or question is too old. Most are answered before, and then the timer is replaced or
    /// finds nothing to do.
    fn watch_for_timeouts(&mut self) {
        let dials = self.connections.dialling.iter().map(|(.., until)| *until);
        let first = dials.chain(self.pulls.iter().map(Active::until)).min();
        if let Some(at) = first.filter(|at| *at < Time(u64::MAX)) {
            self.set_timer(at, Kind::NetworkTimeout);
        }
    }

    /// An answer came over a connection that its question brought up.
    fn dial_answered(&mut self, env: &Environment<'_>, from: u32) {
        let dialling = &mut self.connections.dialling;
        let at = dialling.iter().position(|(other, ..)| *other == from);
        if let Some((_, address, _)) = at.map(|at| dialling.swap_remove(at)) {
            self.connect(env, from, address);
        }
    }

    pub(super) fn on_network_timeout(&mut self, env: &Environment<'_>) {
        let now = self.now;
        let over: Vec<_> = self.connections.dialling.extract_if(.., |(.., until)| *until <= now).collect();
        for (target, ..) in over {
            if self.connections.address_of(target).is_none() {
                self.tell(env, Fact::DialFailed(Some(peer_id(target))));
            }
        }
        self.fail_pulls(env, |active| active.until() <= now, &TransportFailure::Timeout);
        self.watch_for_timeouts();
    }

    pub(super) fn dial(&mut self, env: &Environment<'_>, peer: Option<PeerId>, addresses: &[Address]) {
        let wanted = |&(at, _): &(u32, u32)| peer.is_none_or(|peer| index_of(peer) == at);
        let target = addresses.iter().filter_map(|address| env.target_in(address)).find(wanted);
        if let Some((target, to)) = target.filter(|&(at, _)| at < env.peers && at != self.index) {
            self.send(env, target, Content::Dial(Path { to, own: self.connections.own_address, opens: true }));
            self.begin_dial(env, target, to);
        }
    }

    fn connect(&mut self, env: &Environment<'_>, other: u32, address: u32) {
        if self.connections.up.insert(other, (address, self.now)).is_none() {
            self.record(env, SimEvent::Connected { other: other as usize });
            self.tell(env, Fact::Connected(peer_id(other)));
            self.end_idle(env);
        }
    }

    /// Ends connections that nobody uses, where there are many. Where everyone announces itself, the mesh uses them
    /// all.
    fn end_idle(&mut self, env: &Environment<'_>) {
        if self.connections.len() <= MANY || self.now < self.connections.swept + SWEEP || !env.has_views() {
            return;
        }
        let is_over = |used: Time| self.now.since(used) > IDLE;
        let up = self.connections.up.iter();
        let over: Vec<u32> = up.filter(|(_, (_, used))| is_over(*used)).map(|(other, _)| *other).collect();
        over.into_iter().for_each(|other| self.hang_up_on(env, other));
        self.connections.swept = self.now;
    }

    /// A connection was ended by the other side, or nothing comes over it.
    pub(super) fn lose_connection(&mut self, env: &Environment<'_>, other: u32) {
        if self.connections.up.remove(&other).is_some() {
            self.record(env, SimEvent::Disconnected { other: other as usize });
        }
        self.tell(env, Fact::Disconnected(peer_id(other)));
    }

    /// Ends the connection to one peer.
    pub(super) fn hang_up_on(&mut self, env: &Environment<'_>, other: u32) {
        if self.connections.address_of(other).is_some() {
            self.send(env, other, Content::HungUp);
            self.lose_connection(env, other);
        }
    }

    /// Tells everyone connected that this peer is gone, as the system does for a process that ends.
    pub(super) fn hang_up(&mut self, env: &Environment<'_>) {
        for peer in self.drop_connections(env) {
            self.send(env, peer, Content::HungUp);
        }
    }

    /// Ends all connections on this side, in silence. Answers to whom.
    pub(super) fn drop_connections(&mut self, env: &Environment<'_>) -> Vec<u32> {
        self.connections.dialling.clear();
        let others: Vec<u32> = std::mem::take(&mut self.connections.up).into_keys().collect();
        for &other in &others {
            self.record(env, SimEvent::Disconnected { other: other as usize });
        }
        others
    }

    /// Goes on from a new address.
    pub(super) fn move_address(&mut self, env: &Environment<'_>) {
        if !env.is_fixed() {
            self.connections.own_address += 1;
        }
        if !self.stats.there {
            return;
        }
        if !env.is_fixed() {
            self.drop_connections(env);
            self.tell(env, Fact::Isolated);
            self.tell(env, Fact::Moved(vec![env.address(self.index, self.connections.own_address)]));
        }
        self.fail_pulls(env, |_| true, &TransportFailure::Unreachable);
    }

    /// To everybody, by way of a mesh whose depth grows with the logarithm of their number.
    pub(super) fn announce(&mut self, env: &Environment<'_>, announcement: Arc<Announcement>) {
        if self.connections.len() == 0 {
            return;
        }
        let hops = f64::from(env.peers.max(2)).log(6.0).ceil().max(1.0) as u32;
        let own = self.index;
        self.stats.bytes_out += Content::Announced(Arc::clone(&announcement)).bytes();
        for peer in (0..env.peers).filter(|&peer| peer != own) {
            let lost = self.is_lost(env, peer);
            let delay = self.delay(env, peer) * hops;
            // Others pass it on, so that a way that is blocked does not matter.
            if !lost && env.same_piece(own, peer, self.now) {
                self.send_at(peer, self.now + delay, Content::Announced(Arc::clone(&announcement)));
            }
        }
    }

    pub(super) fn send(&mut self, env: &Environment<'_>, to: u32, content: Content) {
        self.send_after(env, to, Duration::ZERO, content);
    }

    fn send_after(&mut self, env: &Environment<'_>, to: u32, wait: Duration, content: Content) {
        self.stats.bytes_out += content.bytes();
        let lost = self.is_lost(env, to);
        let delay = self.delay(env, to);
        if !lost && env.reaches(self.index, to, self.now) {
            self.send_at(to, self.now + wait + delay, content);
        }
    }

    pub(super) fn is_lost(&mut self, env: &Environment<'_>, to: u32) -> bool {
        let loss = env.loss(self.index, to);
        loss > 0.0 && self.rng.random_bool(loss)
    }

    pub(super) fn delay(&mut self, env: &Environment<'_>, to: u32) -> Duration {
        let (least, most) = env.delay(self.index, to);
        let span = most.saturating_sub(least).as_micros();
        least + Duration::from_micros(((span * u128::from(self.rng.random::<u32>())) >> 32) as u64)
    }
}

fn token(from: u32, number: u32) -> Token {
    Token(u64::from(from) << 32 | u64::from(number))
}

/// The peer before, so that nobody is cut off, and a few at random.
fn contacts(peers: u32, own: u32, rng: &mut impl rand::Rng) -> Vec<u32> {
    if peers < 2 {
        return Vec::new();
    }
    let before = (own + peers - 1) % peers;
    let random = (1..CONTACTS).map(|_| rng.random_range(0..peers));
    std::iter::once(before).chain(random).filter(|&contact| contact != own).collect()
}
