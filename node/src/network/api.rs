//! The handle of the network room.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use libp2p::StreamProtocol;
use libp2p::identity::Keypair;
use peerlearn_protocols::id::{PeerId, TaskId};
use peerlearn_protocols::wire::{Announcement, BulkRequest, Request, Response};
use ractor::Actor;
use tokio::sync::{mpsc, oneshot};

use super::actor::{NetworkActor, NetworkArgs};
use super::behaviour::bulk_protocol;
use super::bulk::BulkReader;
use super::counting::Counters;
use super::ids::{keypair_peer, libp2p_text, to_libp2p};
use super::links::Links;
use super::swarm::Command;
use super::{NetworkConfig, NetworkError, NetworkEvent, RequestError};
use crate::supervisor::Start;

/// Where commands and streams of the running swarm go.
pub(super) type Line = Arc<RwLock<Option<(mpsc::Sender<Command>, libp2p_stream::Control)>>>;

/// What a network has beside its settings.
#[derive(Debug, Clone, Default)]
pub struct Circumstances {
    /// Links that are bad on purpose.
    pub links: Option<Links>,
    /// Where it listened before. Where the settings leave the port open, the same port is tried first: others find a peer
    /// that comes back where they last saw it.
    pub before: Vec<String>,
}

/// The network, for other rooms. Cloning is cheap.
#[derive(Clone)]
pub struct NetworkHandle {
    local: PeerId,
    line: Line,
    counters: Counters,
    bulk: StreamProtocol,
    timeout: Duration,
}

impl NetworkHandle {
    /// A handle, and how the supervisor starts the room behind it. Events go to `events`.
    ///
    /// # Errors
    /// The key pair is not ed25519.
    pub fn new(
        config: NetworkConfig,
        keypair: Keypair,
        task: TaskId,
        events: mpsc::Sender<NetworkEvent>,
    ) -> Result<(Self, Start), NetworkError> {
        Self::in_circumstances(config, keypair, task, events, Circumstances::default())
    }

    /// The same in circumstances of its own.
    ///
    /// # Errors
    /// The key pair is not ed25519.
    pub fn in_circumstances(
        config: NetworkConfig,
        keypair: Keypair,
        task: TaskId,
        events: mpsc::Sender<NetworkEvent>,
        circumstances: Circumstances,
    ) -> Result<(Self, Start), NetworkError> {
        let wrong_key = || NetworkError::Setup { part: "identity", reason: "the key is not ed25519".to_owned() };
        let local = keypair_peer(&keypair).ok_or_else(wrong_key)?;
        let (line, counters) = (Line::default(), Counters::default());
        let timeout = config.request_timeout;
        let handle =
            Self { local, line: Arc::clone(&line), counters: counters.clone(), bulk: bulk_protocol()?, timeout };
        let args = NetworkArgs { config, keypair, task, events, counters, circumstances, line };
        let start: Start = Arc::new(move |supervisor| {
            let args = args.clone();
            Box::pin(async move {
                let (actor, _) = Actor::spawn_linked(None, NetworkActor, args, supervisor).await?;
                Ok(actor.get_cell())
            })
        });
        Ok((handle, start))
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
        self.command(Command::Disconnect { peer, ban: false });
    }

    /// Closes all connections to a peer and lets it make no new ones while this process lives.
    pub fn ban(&self, peer: PeerId) {
        self.command(Command::Disconnect { peer, ban: true });
    }

    /// Asks a peer something. A peer that is being dialled is waited for.
    ///
    /// # Errors
    /// Any [`RequestError`].
    pub async fn request(&self, peer: PeerId, request: Request) -> Result<Response, RequestError> {
        let (reply, answer) = oneshot::channel();
        let (commands, _) = self.line()?;
        let command = Command::Ask { peer, request, reply };
        commands.send(command).await.map_err(|_| RequestError::Down)?;
        answer.await.map_err(|_| RequestError::Down)?
    }

    /// Opens a stream of chunks.
    ///
    /// # Errors
    /// Any [`RequestError`].
    pub async fn open_bulk(&self, peer: PeerId, request: BulkRequest) -> Result<BulkReader, RequestError> {
        let (_, mut control) = self.line()?;
        let target = to_libp2p(&peer).ok_or(RequestError::Unreachable)?;
        let opening = tokio::time::timeout(self.timeout, control.open_stream(target, self.bulk.clone()));
        let stream = opening.await.map_err(|_| RequestError::Timeout)?.map_err(|error| match error {
            libp2p_stream::OpenStreamError::UnsupportedProtocol(_) => RequestError::Unsupported,
            error => RequestError::Cut { reason: error.to_string() },
        })?;
        BulkReader::open(stream, request).await
    }

    fn line(&self) -> Result<(mpsc::Sender<Command>, libp2p_stream::Control), RequestError> {
        self.line.read().unwrap_or_else(PoisonError::into_inner).clone().ok_or(RequestError::Down)
    }

    /// Sends a command that nobody waits for; dropped when the swarm is overwhelmed, as packets are.
    fn command(&self, command: Command) {
        let sent = self.line().map(|(commands, _)| commands.try_send(command).is_ok());
        if sent != Ok(true) {
            tracing::debug!("the network is too busy for a command");
        }
    }
}
