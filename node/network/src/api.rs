//! The handle of the network component.

use std::sync::Arc;
use std::time::Duration;

use libp2p::StreamProtocol;
use peerlearn_protocols::id::{PeerId, TaskId};
use peerlearn_protocols::wire::{Announcement, BulkRequest, Request, Response};
use peerlearn_runtime::supervisor::Start;
use ractor::Actor;
use tokio::sync::{mpsc, oneshot};

use super::actor::{NetworkActor, NetworkArgs};
use super::behaviour::bulk_protocol;
use super::bulk::BulkReader;
use super::command::{Command, Ends, SwarmLink};
use super::counting::Counters;
use super::environment::NetworkEnvironment;
use super::identity::{Identity, libp2p_text, to_libp2p};
use super::{Connectivity, NetworkConfig, NetworkError, NetworkEvent, SummaryBook, TransportFailure, summaries};

/// The network, for other components. Cloning is cheap.
#[derive(Clone)]
pub struct NetworkHandle {
    local: PeerId,
    swarm_link: SwarmLink,
    counters: Counters,
    bulk: StreamProtocol,
    timeout: Duration,
    task: TaskId,
    summaries: Option<Arc<dyn SummaryBook>>,
}

impl NetworkHandle {
    /// A handle, and how the supervisor starts the component behind it. Events go to `events`.
    ///
    /// # Errors
    /// [`NetworkError::Setup`], which only a broken build can do.
    pub fn new(
        config: NetworkConfig,
        identity: Identity,
        task: TaskId,
        events: mpsc::Sender<NetworkEvent>,
    ) -> Result<(Self, Start), NetworkError> {
        Self::in_environment(config, identity, task, events, NetworkEnvironment::default())
    }

    /// The same in environment of its own.
    ///
    /// # Errors
    /// [`NetworkError::Setup`], which only a broken build can do.
    pub fn in_environment(
        config: NetworkConfig,
        identity: Identity,
        task: TaskId,
        events: mpsc::Sender<NetworkEvent>,
        environment: NetworkEnvironment,
    ) -> Result<(Self, Start), NetworkError> {
        let local = identity.peer();
        let (swarm_link, counters) = (SwarmLink::default(), Counters::default());
        let (timeout, summaries) = (config.request_timeout, environment.summaries.clone());
        let (link, counted, bulk) = (swarm_link.clone(), counters.clone(), bulk_protocol()?);
        let handle = Self { local, swarm_link: link, counters: counted, bulk, timeout, task, summaries };
        let args = NetworkArgs { config, identity, task, events, counters, environment, swarm_link };
        let start: Start = Arc::new(move |supervisor| {
            let args = args.clone();
            Box::pin(async move {
                let (actor, _) = Actor::spawn_linked(None, NetworkActor, args, supervisor).await?;
                Ok(actor.get_cell())
            })
        });
        Ok((handle, start))
    }

    /// A handle to a network in which nobody answers, for tests of whoever holds one. There are no connections and no
    /// addresses.
    ///
    /// # Errors
    /// [`NetworkError::Setup`], which only a broken build can do.
    #[cfg(feature = "faults")]
    pub fn unanswered(identity: &Identity, task: TaskId) -> Result<Self, NetworkError> {
        let (events, _) = mpsc::channel(1);
        let (handle, _) = Self::new(NetworkConfig::default(), identity.clone(), task, events)?;
        let (sender, mut commands) = mpsc::channel(64);
        handle.swarm_link.connect((sender, libp2p_stream::Behaviour::new().new_control()));
        tokio::spawn(async move {
            // Whoever dropped them would be told that the network is down.
            let mut unanswered = Vec::new();
            while let Some(command) = commands.recv().await {
                match command {
                    Command::Addresses { reply } => drop(reply.send(Vec::new())),
                    Command::Connections { reply } => drop(reply.send(Vec::new())),
                    Command::Connectivity { reply } => drop(reply.send(Connectivity::default())),
                    command => unanswered.push(command),
                }
            }
        });
        Ok(handle)
    }

    /// This peer.
    pub fn local(&self) -> PeerId {
        self.local
    }

    /// Bytes received and sent since the start, over all streams.
    pub fn bytes(&self) -> (u64, u64) {
        self.counters.read()
    }

    /// Where this node can be dialled, with its peer id at the end.
    pub async fn addresses(&self) -> Vec<String> {
        let (reply, answer) = oneshot::channel();
        self.command(Command::Addresses { reply });
        let id = libp2p_text(&self.local);
        let addresses = answer.await.unwrap_or_default();
        addresses.into_iter().map(|address| format!("{address}/p2p/{id}")).collect()
    }

    /// Peers of the same task and version that are connected.
    pub async fn connections(&self) -> Vec<PeerId> {
        let (reply, answer) = oneshot::channel();
        self.command(Command::Connections { reply });
        answer.await.unwrap_or_default()
    }

    /// How this node is connected; empty while the network is down.
    pub async fn connectivity(&self) -> Connectivity {
        let (reply, answer) = oneshot::channel();
        self.command(Command::Connectivity { reply });
        answer.await.unwrap_or_default()
    }

    /// Signs and publishes; kept until the first peer subscribes.
    pub fn publish(&self, announcement: Announcement) {
        self.command(Command::Publish(Box::new(announcement)));
    }

    /// Dials, unless connected or dialling already.
    pub fn dial(&self, peer: Option<PeerId>, addresses: Vec<String>) {
        self.command(Command::Dial { peer, addresses });
    }

    /// Listens on fresh ports and hangs up on everybody, as a machine does that changes from one network to another.
    pub fn change_address(&self) {
        self.command(Command::Move);
    }

    /// Closes all connections to a peer.
    pub fn disconnect(&self, peer: PeerId) {
        self.command(Command::Disconnect { peer });
    }

    /// Closes all connections to a peer and takes none of it for so long.
    pub fn ban(&self, peer: PeerId, lasts: Duration) {
        self.command(Command::Ban { peer, lasts });
    }

    /// Asks a peer something. A peer that is being dialled is waited for.
    ///
    /// # Errors
    /// Any [`TransportFailure`].
    pub async fn request(&self, peer: PeerId, request: Request) -> Result<Response, TransportFailure> {
        let (reply, answer) = oneshot::channel();
        let (commands, _) = self.swarm_link()?;
        let command = Command::Ask { peer, request, reply };
        commands.send(command).await.map_err(|_| TransportFailure::Down)?;
        answer.await.map_err(|_| TransportFailure::Down)?
    }

    /// Opens a stream of chunks.
    ///
    /// # Errors
    /// Any [`TransportFailure`].
    pub async fn open_bulk(&self, peer: PeerId, request: BulkRequest) -> Result<BulkReader, TransportFailure> {
        let (_, mut control) = self.swarm_link()?;
        let target = to_libp2p(&peer).ok_or(TransportFailure::Unreachable)?;
        let opening = tokio::time::timeout(self.timeout, control.open_stream(target, self.bulk.clone()));
        let stream = opening.await.map_err(|_| TransportFailure::Timeout)?.map_err(|error| match error {
            libp2p_stream::OpenStreamError::UnsupportedProtocol(_) => TransportFailure::Unsupported,
            error => TransportFailure::Cut { reason: error.to_string() },
        })?;
        BulkReader::open(stream, request).await
    }

    /// Exchanges with a connected peer what both know that peers told of their columns; both know the same then. Answers how many
    /// were new here.
    ///
    /// # Errors
    /// Any [`TransportFailure`]; [`TransportFailure::Unsupported`] where this node keeps no summaries.
    pub async fn exchange_summaries(&self, peer: PeerId) -> Result<usize, TransportFailure> {
        let book = self.summaries.as_ref().ok_or(TransportFailure::Unsupported)?;
        let (_, control) = self.swarm_link()?;
        let asking = summaries::ask(control, peer, self.task, &**book);
        tokio::time::timeout(self.timeout, asking).await.map_err(|_| TransportFailure::Timeout)?
    }

    fn swarm_link(&self) -> Result<Ends, TransportFailure> {
        self.swarm_link.ends()
    }

    /// Sends a command that nobody waits for; dropped when the swarm is overwhelmed, as packets are.
    fn command(&self, command: Command) {
        let sent = self.swarm_link().map(|(commands, _)| commands.try_send(command).is_ok());
        if sent != Ok(true) {
            tracing::debug!("the network is too busy for a command");
        }
    }
}
