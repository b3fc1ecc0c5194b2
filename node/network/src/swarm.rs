//! The task that owns the swarm.

mod admission;
mod control;
mod doubles;
mod liveness;
mod nat;
mod paths;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use futures::StreamExt;
use libp2p::core::transport::ListenerId;
use libp2p::gossipsub::{self, MessageAcceptance, MessageId, PublishError};
#[cfg(feature = "mdns")]
use libp2p::mdns;
use libp2p::request_response::OutboundRequestId;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{DialError, SwarmEvent};
use libp2p::{Multiaddr, Swarm, identify};
use peerlearn_protocols::id::{PeerId, TaskId};
use peerlearn_protocols::membership::Acceptance;
use peerlearn_protocols::score::Fault;
use peerlearn_protocols::wire::{Announcement, Request, Response, Wire};
use tokio::sync::{mpsc, oneshot};

use self::admission::Admissions;
use super::behaviour::{Behaviour, BehaviourEvent, Compatibility, compatibility, topic};
use super::command::Command;
use super::counting::Counters;
use super::dialling::DialBudget;
use super::environment::NetworkEnvironment;
use super::event::VerdictToken;
use super::gossip::{self, Allowance, Allowances};
use super::identity::{Identity, from_libp2p, peer_in, to_libp2p};
use super::listening::{is_any_ip6, listen, listen_again, listen_alone, why_not_dialled};
use super::{NetworkConfig, NetworkError, NetworkEvent, TransportFailure, names, transport};

/// Events that may wait for the owner; beyond that the swarm is not polled until some are taken.
const MAX_WAITING: usize = 256;
/// Longest wait for the system to say where we listen; it takes a few milliseconds.
const LISTENING: Duration = Duration::from_secs(2);
/// Questions that may be under way at a time, to all peers together.
const MAX_ASKED: usize = 256;

/// The swarm with what belongs to it.
pub(super) struct Driver {
    swarm: Swarm<Behaviour>,
    /// Where to listen, as the settings say.
    listen: Vec<String>,
    listeners: Vec<ListenerId>,
    identity: Identity,
    task: TaskId,
    events: mpsc::Sender<NetworkEvent>,
    commands: mpsc::Sender<Command>,
    waiting: VecDeque<NetworkEvent>,
    asked: BTreeMap<OutboundRequestId, oneshot::Sender<Result<Response, TransportFailure>>>,
    /// Connected peers; true once they are known to be compatible.
    peers: BTreeMap<libp2p::PeerId, bool>,
    dialled: BTreeMap<libp2p::PeerId, bool>,
    unpublished: Option<Vec<u8>>,
    allowances: Allowances,
    admissions: Admissions,
    /// Who is blocked, and until when.
    bans: BTreeMap<libp2p::PeerId, Instant>,
    paths: paths::Paths,
    liveness: liveness::Liveness,
    budget: DialBudget,
    doubles: doubles::Doubles,
}

impl Driver {
    pub fn new(
        identity: Identity,
        task: TaskId,
        config: &NetworkConfig,
        counters: &Counters,
        environment: &NetworkEnvironment,
        events: mpsc::Sender<NetworkEvent>,
        commands: mpsc::Sender<Command>,
    ) -> Result<Self, NetworkError> {
        let keypair = identity.keypair();
        let mut behaviour = Behaviour::new(&keypair, task, config)?;
        let transport = transport::build(&keypair, counters)?;
        let relayed = behaviour.nat.relayed(keypair.public().to_peer_id());
        let transport = transport::with_relays(transport, relayed, &keypair)?;
        let transport = doubles::patient(transport, keypair.public().to_peer_id());
        #[cfg(any(feature = "faults", test))]
        let transport = super::links::shaped(transport, environment.links.as_ref());
        environment.gate.iter().for_each(|_| behaviour.shut());
        let swarm_config =
            libp2p::swarm::Config::with_tokio_executor().with_idle_connection_timeout(Duration::from_secs(60));
        let mut swarm = Swarm::new(transport, behaviour, keypair.public().to_peer_id(), swarm_config);
        let mut listeners = Vec::new();
        for text in &config.listen {
            let same = listen_again(&mut swarm, text, &environment.before);
            match same.map_or_else(|| listen_alone(&mut swarm, text), Ok) {
                Ok(listener) => listeners.push(listener),
                // The defaults ask for both; a machine may have only one of them.
                Err(error) if is_any_ip6(text) && !listeners.is_empty() => tracing::info!(%error, "no IPv6 here"),
                Err(error) => return Err(error),
            }
        }
        Ok(Self {
            swarm,
            listen: config.listen.clone(),
            listeners,
            identity,
            task,
            events,
            commands,
            waiting: VecDeque::from([NetworkEvent::Up]),
            asked: BTreeMap::new(),
            peers: BTreeMap::new(),
            dialled: BTreeMap::new(),
            unpublished: None,
            allowances: Allowances::new(),
            admissions: Admissions::new(environment.gate.clone()),
            bans: BTreeMap::new(),
            paths: paths::Paths::new(counters),
            liveness: liveness::Liveness::new(),
            budget: DialBudget::new(),
            doubles: doubles::Doubles::default(),
        })
    }

    pub fn control(&self) -> libp2p_stream::Control {
        self.swarm.behaviour().bulk.new_control()
    }

    /// Waits until every listener has an address, so that whoever asks for addresses right after the start gets them. A
    /// machine without any network interface has none to wait for.
    pub async fn listening(&mut self, listeners: usize) {
        let mut heard = BTreeSet::new();
        let hear = async {
            while heard.len() < listeners {
                let event = self.swarm.select_next_some().await;
                if let SwarmEvent::NewListenAddr { listener_id, .. } = &event {
                    heard.insert(listener_id.to_string());
                }
                self.on_event(event);
            }
        };
        if tokio::time::timeout(LISTENING, hear).await.is_err() {
            tracing::warn!("not every listen address has an interface yet");
        }
    }

    /// Runs until it is aborted or the owner of the events is gone.
    pub async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        let events = self.events.clone();
        loop {
            let (unban, sweep) = (self.bans.values().min().copied(), self.admissions.next_sweep());
            tokio::select! {
                biased;
                () = sleep_until(unban), if unban.is_some() => self.end_bans(),
                () = sleep_until(Some(self.liveness.next())) => self.look(),
                () = sleep_until(sweep), if sweep.is_some() => self.sweep(),
                permit = events.reserve(), if !self.waiting.is_empty() => match (permit, self.waiting.pop_front()) {
                    (Ok(permit), Some(event)) => permit.send(event),
                    _ => return,
                },
                command = commands.recv() => match command {
                    Some(command) => self.on_command(command),
                    None => return,
                },
                event = self.swarm.select_next_some(), if self.waiting.len() < MAX_WAITING => self.on_event(event),
            }
        }
    }

    fn tell(&mut self, event: NetworkEvent) {
        self.waiting.push_back(event);
    }

    fn on_command(&mut self, command: Command) {
        match command {
            Command::Publish(announcement) => self.publish(&announcement),
            Command::Judge { message, source, verdict } => self.judge(&message, &source, verdict),
            Command::Dial { peer, addresses } => self.dial(peer, &addresses),
            Command::Disconnect { peer } => self.disconnect(peer),
            Command::Ban { peer, lasts } => self.ban(peer, lasts),
            Command::Ask { peer, request, reply } => self.ask(peer, &request, reply),
            Command::Respond { channel, frame } => {
                // The asker may have gone.
                let _ = self.swarm.behaviour_mut().control.send_response(channel, frame);
            }
            Command::Addresses { reply } => {
                let _ = reply.send(self.addresses());
            }
            Command::Connections { reply } => {
                let compatible =
                    self.peers.iter().filter(|(_, compatible)| **compatible).filter_map(|(peer, _)| from_libp2p(peer));
                let _ = reply.send(compatible.collect());
            }
            Command::Resolved { name, found } => self.on_resolved(&name, found),
            // Whoever asked may have stopped waiting.
            Command::Connectivity { reply } => drop(reply.send(self.connectivity())),
            Command::Hello { peer, news } => self.on_hello(peer, news),
            Command::Move => self.change_address(),
        }
    }

    /// Listens anew and hangs up on everybody, as a machine does that changes from one network to another. Where the
    /// settings name a port, it stays.
    fn change_address(&mut self) {
        for listener in std::mem::take(&mut self.listeners) {
            self.swarm.remove_listener(listener);
        }
        for text in self.listen.clone() {
            match listen(&mut self.swarm, &text) {
                Ok(listener) => self.listeners.push(listener),
                Err(error) => tracing::warn!(%error, "cannot listen after the change of address"),
            }
        }
        let connected: Vec<libp2p::PeerId> = self.swarm.connected_peers().copied().collect();
        for peer in connected {
            // It may have gone this moment.
            let _ = self.swarm.disconnect_peer_id(peer);
        }
    }

    fn publish(&mut self, announcement: &Announcement) {
        match gossip::sign(&self.identity, announcement) {
            Ok(bytes) => self.publish_bytes(bytes),
            Err(error) => tracing::error!(%error, "own announcement breaks the wire's rules"),
        }
    }

    /// Publishes, or keeps the newest announcement until a peer subscribes.
    fn publish_bytes(&mut self, bytes: Vec<u8>) {
        let topic = topic(self.task);
        match self.swarm.behaviour_mut().gossip.publish(topic, bytes.clone()) {
            Ok(_) | Err(PublishError::Duplicate) => self.unpublished = None,
            Err(PublishError::NoPeersSubscribedToTopic | PublishError::AllQueuesFull(_)) => {
                self.unpublished = Some(bytes);
            }
            Err(error) => tracing::warn!(%error, "announcement not published"),
        }
    }

    fn judge(&mut self, message: &MessageId, source: &libp2p::PeerId, verdict: Acceptance) {
        let acceptance = match verdict {
            Acceptance::Accept => MessageAcceptance::Accept,
            Acceptance::Ignore => MessageAcceptance::Ignore,
            Acceptance::Reject => MessageAcceptance::Reject,
        };
        self.swarm.behaviour_mut().gossip.report_message_validation_result(message, source, acceptance);
    }

    fn dial(&mut self, peer: Option<PeerId>, addresses: &[String]) {
        let addresses: Vec<Multiaddr> = addresses.iter().filter_map(|address| address.parse().ok()).collect();
        let named = peer.as_ref().and_then(to_libp2p).or_else(|| addresses.iter().find_map(peer_in));
        self.heed_dial(&addresses);
        let own = *self.swarm.local_peer_id();
        let options: Vec<DialOpts> = match named {
            Some(named) if named == own || self.swarm.is_connected(&named) => return,
            Some(named) => {
                let allowed = self.budget.allow(&named, addresses);
                if allowed.is_empty() {
                    let reason = "no address may be dialled: it has none, or too many unknown peers were dialled there"
                        .to_owned();
                    return self.tell(NetworkEvent::DialFailed { peer: from_libp2p(&named), reason });
                }
                let options = DialOpts::peer_id(named).condition(PeerCondition::DisconnectedAndNotDialing);
                vec![options.addresses(allowed).build()]
            }
            None => {
                let (names, addresses) = addresses.into_iter().partition(names::is_name);
                self.dial_names(names);
                let dial = |address: Multiaddr| DialOpts::unknown_peer_id().address(address).build();
                addresses.into_iter().map(dial).collect()
            }
        };
        for options in options {
            match self.swarm.dial(options) {
                Ok(()) | Err(DialError::DialPeerConditionFalse(_)) => {}
                Err(error) => {
                    let peer = named.as_ref().and_then(from_libp2p);
                    self.tell(NetworkEvent::DialFailed { peer, reason: why_not_dialled(&error) });
                }
            }
        }
    }

    fn disconnect(&mut self, peer: PeerId) {
        if let Some(peer) = to_libp2p(&peer) {
            // Not connected is as good as disconnected.
            let _ = self.swarm.disconnect_peer_id(peer);
        }
    }

    /// Blocks a peer until its ban is over; libp2p closes its connections.
    fn ban(&mut self, peer: PeerId, lasts: Duration) {
        if let Some(peer) = to_libp2p(&peer) {
            self.swarm.behaviour_mut().blocked.block_peer(peer);
            self.bans.insert(peer, Instant::now() + lasts);
        }
    }

    fn end_bans(&mut self) {
        let now = Instant::now();
        for (peer, _) in self.bans.extract_if(.., |_, until| *until <= now) {
            self.swarm.behaviour_mut().blocked.unblock_peer(peer);
        }
    }

    fn ask(&mut self, peer: PeerId, request: &Request, reply: oneshot::Sender<Result<Response, TransportFailure>>) {
        let refusal = match (to_libp2p(&peer), request.to_bytes()) {
            (None, _) => TransportFailure::Unreachable,
            (_, Err(_)) => TransportFailure::Malformed,
            _ if self.asked.len() >= MAX_ASKED => TransportFailure::Busy,
            (Some(peer), Ok(frame)) => {
                let id = self.swarm.behaviour_mut().control.send_request(&peer, frame);
                self.asked.insert(id, reply);
                return;
            }
        };
        // Whoever asked may have stopped waiting.
        let _ = reply.send(Err(refusal));
    }

    fn on_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        self.paths.note(&event);
        self.heed_incoming(&event);
        self.watch(&event);
        match event {
            SwarmEvent::Behaviour(event) => self.on_behaviour(event),
            SwarmEvent::ConnectionEstablished { peer_id, endpoint, .. } => {
                self.peers.entry(peer_id).or_insert(false);
                self.dialled.entry(peer_id).or_insert(endpoint.is_dialer());
                self.admissions.connected(peer_id, endpoint.is_dialer());
            }
            SwarmEvent::ConnectionClosed { peer_id, num_established: 0, .. } => self.on_closed(peer_id),
            SwarmEvent::OutgoingConnectionError { peer_id, error, .. } => self.on_dial_error(peer_id, &error),
            SwarmEvent::NewListenAddr { .. }
            | SwarmEvent::ExpiredListenAddr { .. }
            | SwarmEvent::ListenerClosed { .. }
            | SwarmEvent::ExternalAddrConfirmed { .. }
            | SwarmEvent::ExternalAddrExpired { .. } => {
                let addresses = self.addresses();
                self.tell(NetworkEvent::Listening { addresses });
            }
            _ => {}
        }
    }

    fn on_closed(&mut self, peer: libp2p::PeerId) {
        self.dialled.remove(&peer);
        self.allowances.forget(&peer);
        self.admissions.closed(&peer);
        if self.peers.remove(&peer) == Some(true)
            && let Some(peer) = from_libp2p(&peer)
        {
            self.tell(NetworkEvent::Disconnected { peer });
        }
    }

    fn on_behaviour(&mut self, event: BehaviourEvent) {
        match event {
            BehaviourEvent::Nat(event) => self.on_nat(event),
            BehaviourEvent::Identify(identify::Event::Received { peer_id, info, connection_id }) => {
                self.seen_through(connection_id, peer_id, &info);
                self.on_described(peer_id, &info.protocol_version);
            }
            BehaviourEvent::Gossip(gossipsub::Event::Message { propagation_source, message_id, message }) => {
                self.on_gossip(propagation_source, message_id, &message.data);
            }
            BehaviourEvent::Gossip(gossipsub::Event::Subscribed { .. }) => {
                self.unpublished.take().into_iter().for_each(|bytes| self.publish_bytes(bytes));
            }
            #[cfg(feature = "mdns")]
            BehaviourEvent::Mdns(mdns::Event::Discovered(found)) => self.on_found(found),
            BehaviourEvent::Control(event) => self.on_control(event),
            _ => {}
        }
    }

    fn on_described(&mut self, libp2p_peer: libp2p::PeerId, description: &str) {
        let Some(peer) = from_libp2p(&libp2p_peer) else {
            let _ = self.swarm.disconnect_peer_id(libp2p_peer);
            return;
        };
        let reason = match compatibility(self.task, description) {
            Compatibility::Compatible => return self.on_compatible(libp2p_peer, peer),
            Compatibility::Foreign => None,
            Compatibility::Refused(reason) => Some(reason),
        };
        let _ = self.swarm.disconnect_peer_id(libp2p_peer);
        self.tell(NetworkEvent::Refused { peer, reason });
    }

    fn welcome(&mut self, libp2p_peer: libp2p::PeerId, peer: PeerId) {
        // Identify repeats itself, and may come after the connection has ended.
        if let Some(compatible @ false) = self.peers.get_mut(&libp2p_peer) {
            *compatible = true;
            let dialled = self.dialled.get(&libp2p_peer).copied().unwrap_or(false);
            let scope = self.liveness.scope(&libp2p_peer);
            self.budget.prove(libp2p_peer);
            self.tell(NetworkEvent::Connected { peer, dialled, scope });
        }
    }

    fn on_gossip(&mut self, source: libp2p::PeerId, message: MessageId, bytes: &[u8]) {
        let opened = match self.allowances.spend(source) {
            Allowance::Taken => gossip::open(self.task, bytes),
            Allowance::Dropped => return self.judge(&message, &source, Acceptance::Ignore),
            Allowance::Blamed => Err(Fault::Flood),
        };
        match opened {
            Ok((author, _)) if self.admissions.refuses(&author) => self.judge(&message, &source, Acceptance::Ignore),
            Ok((author, announcement)) => {
                let verdict = VerdictToken { message, source, commands: self.commands.clone() };
                self.tell(NetworkEvent::Announced { author, announcement: Box::new(announcement), verdict });
            }
            Err(fault) => {
                self.judge(&message, &source, Acceptance::Reject);
                if let Some(peer) = from_libp2p(&source) {
                    self.tell(NetworkEvent::Misbehaved { peer, fault });
                }
            }
        }
    }

    #[cfg(feature = "mdns")]
    fn on_found(&mut self, found: Vec<(libp2p::PeerId, Multiaddr)>) {
        let mut peers: BTreeMap<PeerId, Vec<String>> = BTreeMap::new();
        for (peer, address) in found {
            if let Some(peer) = from_libp2p(&peer) {
                peers.entry(peer).or_default().push(address.to_string());
            }
        }
        peers.into_iter().for_each(|(peer, addresses)| self.tell(NetworkEvent::Found { peer, addresses }));
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
