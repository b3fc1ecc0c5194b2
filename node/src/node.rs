//! A running node: its rooms put together, and the one handle that programs hold.

mod builder;
mod housekeeping;
mod router;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use peerlearn_protocols::id::PeerId;
use peerlearn_protocols::mixing::push_sum::UNIT;
use peerlearn_protocols::task::Task;
use tokio::sync::{Mutex, broadcast};
use tokio::task::JoinHandle;

pub use builder::{NodeBuilder, NodeError, task_of};

use crate::clock::Clock;
use crate::config::NodeConfig;
use crate::event::{EventBus, NodeEvent, Stamped};
use crate::exchange::ExchangeHandle;
use crate::learner::{Evaluation, LearnerError, LearnerHandle, Part, Snapshot};
use crate::membership::MembershipHandle;
use crate::network::{NetworkHandle, libp2p_text};
use crate::registry::{Checkpoint, Home, RegistryHandle};
use crate::round::RoundHandle;
use crate::status::{PeerStatus, Status};
use crate::supervisor::Supervisor;

/// Longest wait for what goes into the last checkpoint.
const LAST_COMMIT: Duration = Duration::from_secs(1);
/// Time between two looks at whether a mix has ended.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// A running node. Cloning shares it; it runs until [`Node::stop`] or the end of the process.
#[derive(Clone)]
pub struct Node {
    inner: Arc<Inner>,
}

struct Inner {
    task: Task,
    samples: usize,
    clock: Clock,
    events: EventBus,
    learner: LearnerHandle,
    network: NetworkHandle,
    membership: MembershipHandle,
    exchange: ExchangeHandle,
    round: RoundHandle,
    registry: Option<RegistryHandle>,
    supervisor: Supervisor,
    problems: housekeeping::Problems,
    tasks: Mutex<Vec<JoinHandle<()>>>,
    home: Option<Arc<Home>>,
}

impl Node {
    /// Starts to put a node together.
    pub fn builder(config: NodeConfig) -> NodeBuilder {
        NodeBuilder::new(config)
    }

    /// This peer.
    pub fn peer(&self) -> PeerId {
        self.inner.network.local()
    }

    /// The task.
    pub fn task(&self) -> &Task {
        &self.inner.task
    }

    /// Everything that happens from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Stamped> {
        self.inner.events.subscribe()
    }

    /// Where others can dial this node.
    pub async fn addresses(&self) -> Vec<String> {
        self.inner.network.addresses().await
    }

    /// Dials a peer, by address or ticket contact.
    pub fn contact(&self, contact: peerlearn_protocols::membership::Contact) {
        self.inner.membership.contact(contact);
    }

    /// A snapshot of the node. Answers from memory, also while the learner trains.
    pub async fn status(&self) -> Status {
        let inner = &self.inner;
        let report = inner.round.report();
        let (peers, refused) = inner.membership.report().await.unwrap_or_default();
        let now = inner.clock.now();
        let (bytes_in, bytes_out) = inner.network.bytes();
        let peers = peers.into_iter().map(|peer| PeerStatus {
            peer: peer.peer,
            connected: peer.connected,
            round: peer.round,
            age: peer.age,
            samples: peer.samples,
            heard_ms: now.since(peer.heard).as_millis() as u64,
            mixed: peer.mixed,
            score: peer.score,
            address: peer.addresses.first().cloned(),
        });
        Status {
            peer: self.peer(),
            libp2p_peer: libp2p_text(&self.peer()),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            task: inner.task.summary(),
            addresses: self.addresses().await,
            uptime_ms: now.0 / 1000,
            round: report.round,
            committed_round: inner.registry.as_ref().and_then(RegistryHandle::committed),
            age: report.age,
            samples: inner.samples,
            phase: report.phase,
            waiting_for: report.waiting_for,
            own: report.own,
            test: report.test,
            bytes_in,
            bytes_out,
            cpu_seconds: inner.learner.cpu().as_secs_f64(),
            refused,
            estimate: report.estimate,
            mass: inner.exchange.account().map(|account| account.held() as f64 / UNIT as f64),
            peers: peers.collect(),
            problems: inner.problems.newest(),
        }
    }

    /// Measures the model as it is now.
    ///
    /// # Errors
    /// Any [`LearnerError`].
    pub async fn evaluate(&self, part: Part) -> Result<Option<Evaluation>, LearnerError> {
        self.inner.learner.evaluate(part).await
    }

    /// Class probabilities of the model as it is now. Shapes: `features: [rows, width]`, answer `[rows, classes]`.
    ///
    /// # Errors
    /// Any [`LearnerError`].
    pub async fn predict(&self, features: Vec<f32>) -> Result<Vec<f32>, LearnerError> {
        self.inner.learner.predict(features).await
    }

    /// The model as it was after the last mix.
    ///
    /// # Errors
    /// Any [`LearnerError`].
    pub async fn snapshot(&self) -> Result<Snapshot, LearnerError> {
        self.inner.learner.snapshot().await
    }

    /// Listens on fresh ports and hangs up on everybody, as a machine does that changes from one network to another.
    pub fn change_address(&self) {
        self.inner.network.change_address();
    }

    /// The clock of this node, to make it wrong in experiments.
    pub fn clock(&self) -> &Clock {
        &self.inner.clock
    }

    /// Ends without saving anything, as a crash does.
    pub async fn abort(&self) {
        let inner = &self.inner;
        inner.tasks.lock().await.drain(..).for_each(|task| task.abort());
        inner.supervisor.stop().await;
        inner.home.iter().for_each(|home| home.release());
    }

    /// Waits until a room failed too often to go on; says which and why.
    pub async fn failed(&self) -> String {
        self.inner.supervisor.failed().await
    }

    /// A last checkpoint, if there is something new to keep.
    async fn commit(&self, registry: &RegistryHandle) {
        let inner = &self.inner;
        let settled = async {
            // A mix under way has changed the model already, or the mass; it takes milliseconds.
            while inner.exchange.is_closed() {
                tokio::time::sleep(LOOK_EVERY).await;
            }
            inner.learner.snapshot().await
        };
        let snapshot = tokio::time::timeout(LAST_COMMIT, settled).await;
        let (round, account) = (inner.round.report().round, inner.exchange.account());
        let is_new = round > registry.committed().unwrap_or(0) || (round > 0 && account.is_some());
        if let (true, Ok(Ok(snapshot))) = (is_new, snapshot) {
            registry.commit(Checkpoint { round, snapshot, account });
        }
    }

    /// Writes what is to be kept and stops all rooms.
    pub async fn stop(&self) {
        let inner = &self.inner;
        inner.events.emit(NodeEvent::Stopping);
        if let Some(registry) = &inner.registry {
            housekeeping::save_book(&inner.membership, registry, &[]).await;
            self.commit(registry).await;
            registry.flush().await;
        }
        inner.supervisor.stop().await;
        inner.tasks.lock().await.drain(..).for_each(|task| task.abort());
        inner.home.iter().for_each(|home| home.release());
    }
}
