//! A running node: its components put together, and the one handle that programs hold.

mod assembly;
mod builder;
mod error;
mod housekeeping;
mod report;
mod router;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use peerlearn_protocols::id::PeerId;
use peerlearn_protocols::mixing::push_sum::UNIT;
use peerlearn_protocols::peer::Restored;
use peerlearn_task::Task;
use peerlearn_task::frame::Frame;
use tokio::sync::{Mutex, broadcast};
use tokio::task::JoinHandle;

pub use builder::{NodeBuilder, document_of};
pub use error::NodeError;

use peerlearn_learner::{Evaluation, LearnerError, Part, Snapshot};
use peerlearn_network::libp2p_text;
#[cfg(feature = "faults")]
use peerlearn_runtime::clock::Clock;
use peerlearn_runtime::event::{NodeEvent, Stamped};
use peerlearn_runtime::supervisor::Supervisor;

use crate::access::{Access, Members};
use crate::agreed::{Agreed, Book};
use crate::config::NodeConfig;
use crate::doctor::{ContactReport, Notes, OwnContact};
use crate::peer::{Components, PeerHandle};
use crate::registry::{Checkpoint, Home, RegistryHandle};
use crate::status::{PeerStatus, Phase, Status};
use crate::ticket::Ticket;

/// Longest wait for a mix under way before the last checkpoint is written without it.
const LAST_MIX: Duration = Duration::from_secs(1);

/// A running node. Cloning shares it; it runs until [`Node::stop`] or the end of the process.
#[derive(Clone)]
pub struct Node {
    inner: Arc<Inner>,
}

struct Inner {
    task: Task,
    samples: usize,
    /// What the readers made of the data.
    understood: Vec<String>,
    access: Access,
    /// The numbers that peers agree on, where they do.
    agreed: Option<(Agreed, Book)>,
    components: Components,
    machine: PeerHandle,
    supervisor: Supervisor,
    problems: housekeeping::Problems,
    tasks: Mutex<Vec<JoinHandle<()>>>,
    home: Option<Arc<Home>>,
    /// What is remembered of events.
    notes: Notes,
    /// Whom settings, tickets and the command line name.
    contacts: std::sync::Mutex<Vec<OwnContact>>,
    max_connections: u32,
}

impl Node {
    /// Starts to put a node together.
    pub fn builder(config: NodeConfig) -> NodeBuilder {
        NodeBuilder::new(config)
    }

    /// This peer.
    pub fn peer(&self) -> PeerId {
        self.inner.components.network.local()
    }

    /// The task.
    pub fn task(&self) -> &Task {
        &self.inner.task
    }

    /// What the readers made of the data, one sentence each.
    pub fn understood(&self) -> &[String] {
        &self.inner.understood
    }

    /// Everything that happens from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Stamped> {
        self.inner.components.events.subscribe()
    }

    /// Where others can dial this node.
    pub async fn addresses(&self) -> Vec<String> {
        self.inner.components.network.addresses().await
    }

    /// Dials a peer, by address or ticket contact.
    pub fn contact(&self, contact: peerlearn_protocols::membership::Contact) {
        if contact.peer == Some(self.peer()) {
            return self.inner.components.events.emit(NodeEvent::Warning { message: router::NAMES_ITSELF.to_owned() });
        }
        if contact.peer.is_some() {
            // At once, also where it was tried before in vain and is not due yet: somebody may have been let in meanwhile.
            let addresses = contact.addresses.iter().map(|address| address.0.clone()).collect();
            self.inner.components.network.dial(contact.peer, addresses);
        }
        self.remember_contact(contact.clone());
        self.inner.machine.contact(contact);
    }

    /// Who takes part: to invite, to let in, and to ask for names.
    pub fn access(&self) -> &Access {
        &self.inner.access
    }

    /// Who takes part, waits, and was refused, as far as this node has seen.
    pub async fn members(&self) -> Members {
        let connected = self.inner.components.network.connections().await;
        self.inner.access.members(&connected)
    }

    /// A ticket to this node.
    pub async fn ticket(&self) -> Ticket {
        Ticket::new(self.peer(), &self.addresses().await, self.task().document())
    }

    /// What the node says of itself. Answers from memory, also while the learner trains.
    pub async fn status(&self) -> Status {
        self.status_with(&self.contacts().await).await
    }

    async fn status_with(&self, contacts: &[ContactReport]) -> Status {
        let inner = &self.inner;
        let peer = inner.machine.status();
        let peers = inner.machine.known_peers().await.unwrap_or_default();
        let now = inner.components.clock.now();
        let (bytes_in, bytes_out) = inner.components.network.bytes();
        let (phase, waiting_for) = Phase::of(&peer.phase, now);
        let peers = peers.into_iter().map(|peer| PeerStatus {
            peer: peer.peer,
            name: inner.access.name_of(&peer.peer),
            connected: peer.connected,
            round: peer.round,
            age: peer.age,
            samples: peer.samples,
            heard_ms: now.since(peer.heard).as_millis() as u64,
            mixed: peer.mixed,
            score: peer.score,
            address: peer.addresses.first().map(|address| address.0.clone()),
        });
        Status {
            peer: self.peer(),
            libp2p_peer: libp2p_text(&self.peer()),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            task: inner.task.summary(),
            addresses: self.addresses().await,
            uptime_ms: now.0 / 1000,
            round: peer.round,
            committed_round: inner.components.registry.as_ref().and_then(RegistryHandle::committed),
            age: peer.age,
            samples: inner.samples,
            phase,
            waiting_for,
            own: peer.own,
            test: peer.test,
            bytes_in,
            bytes_out,
            cpu_seconds: inner.components.learner.cpu().as_secs_f64(),
            refused: peer.refused,
            broken: peer.broken,
            estimate: peer.estimate,
            mass: peer.mass.map(|mass| mass as f64 / UNIT as f64),
            peers: peers.collect(),
            agreed: inner.agreed.as_ref().map(|(agreed, book)| agreed.status(book)),
            problems: self.problems(contacts),
        }
    }

    /// The numbers that the node trains in, where peers agree on them.
    pub fn frame(&self) -> Option<Frame> {
        self.inner.agreed.as_ref().map(|(agreed, _)| agreed.frame())
    }

    /// Measures the model that the node answers with, as of its last mix; never waits for training.
    ///
    /// # Errors
    /// Any [`LearnerError`].
    pub async fn evaluate(&self, part: Part) -> Result<Option<Evaluation>, LearnerError> {
        self.inner.components.learner.evaluate(part).await
    }

    /// Class probabilities of the model that the node answers with, as of its last mix; never waits for training.
    /// Shapes: `features: [rows, width]`, answer `[rows, classes]`.
    ///
    /// # Errors
    /// Any [`LearnerError`].
    pub async fn predict(&self, features: Vec<f32>) -> Result<Vec<f32>, LearnerError> {
        self.inner.components.learner.predict(features).await
    }

    /// The model as it was after the last mix.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.inner.components.learner.snapshot()
    }

    /// Listens on fresh ports and hangs up on everybody, as a machine does that changes from one network to another.
    pub fn change_address(&self) {
        self.inner.components.network.change_address();
    }

    /// The clock of this node, to make it wrong in experiments.
    #[cfg(feature = "faults")]
    pub fn clock(&self) -> &Clock {
        &self.inner.components.clock
    }

    /// Ends without saving anything, as a crash does.
    pub async fn abort(&self) {
        let inner = &self.inner;
        inner.tasks.lock().await.drain(..).for_each(|task| task.abort());
        inner.supervisor.stop().await;
        inner.home.iter().for_each(|home| home.release());
    }

    /// Waits until a component failed too often to go on; says which and why.
    pub async fn failed(&self) -> String {
        self.inner.supervisor.failed().await
    }

    /// A last checkpoint, if there is something new to keep.
    async fn commit(&self, registry: &RegistryHandle) {
        let inner = &self.inner;
        // A mix under way has changed the model already, or the mass.
        let Ok(Ok(Restored { round, account, .. })) = tokio::time::timeout(LAST_MIX, inner.machine.finish()).await
        else {
            return tracing::warn!("a mix did not end in time; the last checkpoint is that of an earlier round");
        };
        let is_new = round > registry.committed().unwrap_or(0) || (round > 0 && account.is_some());
        if is_new {
            registry.commit(Checkpoint { round, snapshot: inner.components.learner.snapshot(), account });
        }
    }

    /// Writes what is to be kept and stops all components.
    pub async fn stop(&self) {
        let inner = &self.inner;
        inner.components.events.emit(NodeEvent::Stopping);
        if let Some(registry) = &inner.components.registry {
            housekeeping::save_book(&inner.machine, registry, &[]).await;
            self.commit(registry).await;
            registry.flush().await;
        }
        inner.supervisor.stop().await;
        inner.tasks.lock().await.drain(..).for_each(|task| task.abort());
        if let (Some(home), true) = (&inner.home, inner.access.gate().is_some())
            && let Err(error) = housekeeping::write_members(&inner.access, home)
        {
            tracing::warn!(%error, "who takes part is not on disk");
        }
        inner.home.iter().for_each(|home| home.release());
    }
}
