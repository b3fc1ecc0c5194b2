//! From what was decided to the components of a node.

use std::sync::Arc;

use peerlearn_data::Loaded;
use peerlearn_learner::{LearnerData, LearnerFactory, LearnerHandle, initial_weights};
use peerlearn_network::{Identity, NetworkEnvironment, NetworkError, NetworkEvent, NetworkHandle};
use peerlearn_protocols::dataset::Dataset;
use peerlearn_protocols::membership::Contact;
use peerlearn_protocols::peer::{PeerSettings, Restored};
use peerlearn_protocols::recipe::Snapshot;
use peerlearn_protocols::wire::Address;
use peerlearn_runtime::clock::Clock;
use peerlearn_runtime::event::{EventBus, NodeEvent};
use peerlearn_runtime::supervisor::{RestartPolicy, Start, Supervisor};
use peerlearn_task::Task;
use tokio::sync::{Mutex, mpsc, watch};
use tokio::task::JoinHandle;

use super::housekeeping::{self, Problems};
use super::{Inner, Node, NodeError, router};
use crate::access::Access;
use crate::agreed::{Agreed, Agreeing, Book};
use crate::config::NodeConfig;
use crate::doctor::{Notes, own_contacts};
use crate::peer::{Components, PeerHandle, PeerStart};
use crate::registry::{BookEntry, Checkpoint, Home, HomeTask, OwnMember, RegistryError, RegistryHandle, SeenMember};
use crate::ticket::contact_of;

/// Network events that may wait for the router.
const NETWORK_EVENTS: usize = 256;

/// Everything decided; only components are missing.
pub(super) struct Assembly {
    pub config: NodeConfig,
    pub home: Option<Arc<Home>>,
    pub identity: Identity,
    pub data: Loaded,
    pub factory: LearnerFactory,
    pub task: Task,
    pub environment: NetworkEnvironment,
    /// The numbers that peers agree on, where they do.
    pub agreed: Option<Agreed>,
    /// What this node shows of itself, and whom it has let in before.
    pub own: OwnMember,
    pub seen: Vec<SeenMember>,
}

/// What every component stands on.
struct Ground {
    clock: Clock,
    events: EventBus,
    access: Access,
    book: Option<Book>,
    network: NetworkHandle,
    network_start: Start,
    /// Where the events of the network come out.
    inbox: mpsc::Receiver<NetworkEvent>,
}

/// What was on disk, and the component that goes on writing there.
struct Kept {
    registry: Option<(RegistryHandle, Start)>,
    checkpoint: Option<Checkpoint>,
    book: Vec<BookEntry>,
    /// Counts the starts of this node.
    starts: u32,
}

impl Assembly {
    /// Opens what can fail, makes the components, starts them, and lets events in.
    pub async fn spawn(self) -> Result<Node, NodeError> {
        let settings = Arc::new(self.settings()?);
        let ground = self.ground()?;
        let problems = Problems::default();
        let collecting = tokio::spawn(problems.clone().collect(ground.events.subscribe()));
        let notes = Notes::default();
        let noting = tokio::spawn(notes.clone().collect(ground.events.subscribe(), ground.events.clone()));
        let mut kept = self.open_registry(&ground.events)?;
        let named = std::sync::Mutex::new(own_contacts(&self.config.network.contacts, &self.task.summary())?);
        let contacts = self.contacts(&kept.book, &ground.events)?;
        let (restored, snapshot) = self.begin_from(kept.checkpoint.take());
        let round = restored.round;

        let (learner, learner_start) = self.learner(&settings, snapshot);
        let (registry, registry_start) = kept.registry.take().unzip();
        let Ground { clock, events, access, book, network, network_start, inbox } = ground;
        let components = Components { learner, network, registry, events, clock };
        let start = self.peer_start(kept.starts, restored, contacts);
        let (machine, peer_start) = PeerHandle::new(settings, start, components.clone());

        let (moved, listening) = watch::channel(());
        let mut tasks = self.housekeeping(&components, &machine, kept.book, listening);
        if let (Some(home), true) = (&self.home, access.gate().is_some()) {
            tasks.push(tokio::spawn(housekeeping::keep_members(
                access.clone(),
                Arc::clone(home),
                components.events.clone(),
            )));
        }
        let agreed = self.agreed.clone().zip(book);
        tasks.extend(agreed.clone().map(|(agreed, book)| tokio::spawn(self.agreeing(agreed, book, &components).run())));
        tasks.extend([collecting, noting]);
        let mut starts: Vec<(&'static str, Start)> =
            registry_start.map(|start| ("registry", start)).into_iter().collect();
        starts.extend([("learner", learner_start), ("network", network_start), ("peer", peer_start)]);
        let supervisor = supervise(starts, &components, &tasks).await?;
        // Not before: a message to a component that is not there yet would be lost.
        let (for_router, events) = (access.clone(), components.events.clone());
        tasks.push(tokio::spawn(router::route(inbox, machine.clone(), moved, events, for_router)));
        components.events.emit(NodeEvent::Started { task: self.task.id(), round });
        for note in &self.data.notes {
            components.events.emit(NodeEvent::Warning { message: format!("data: {note}") });
        }
        let (samples, task, home, tasks) = (self.data.train.len(), self.task, self.home, Mutex::new(tasks));
        let understood = self.data.understood;
        Ok(Node {
            inner: Arc::new(Inner {
                task,
                samples,
                understood,
                access,
                agreed,
                components,
                machine,
                supervisor,
                problems,
                tasks,
                home,
                notes,
                contacts: named,
                max_connections: self.config.network.max_connections,
            }),
        })
    }

    fn settings(&self) -> Result<PeerSettings, NodeError> {
        let measured: usize = [&self.data.validation, &self.data.test].into_iter().flatten().map(Dataset::len).sum();
        let (task, layout) = (self.task.id(), self.task.layout().clone());
        Ok(self.config.peer(task, layout, self.data.train.len(), measured)?)
    }

    /// Clock, events and network.
    fn ground(&self) -> Result<Ground, NetworkError> {
        let clock = Clock::start();
        let (sender, inbox) = mpsc::channel(NETWORK_EVENTS);
        let (settings, identity) = (self.config.network.clone(), self.identity.clone());
        let events = EventBus::new(identity.peer(), clock.clone());
        let document = (**self.task.document()).clone();
        let access = Access::new(identity.clone(), document, self.own.clone(), self.seen.clone(), events.clone());
        let (book, summaries) =
            self.agreed.as_ref().map(|agreed| agreed.book(&self.task, &identity, &access, &events)).unzip();
        let about = NetworkEnvironment { gate: access.gate(), summaries, ..self.environment.clone() };
        let (network, network_start) =
            NetworkHandle::in_environment(settings, identity, self.task.id(), sender, about)?;
        Ok(Ground { clock, events, access, book, network, network_start, inbox })
    }

    fn open_registry(&self, events: &EventBus) -> Result<Kept, NodeError> {
        let Some(home) = &self.home else {
            let starts = rand::random::<u32>() >> 9;
            return Ok(Kept { registry: None, checkpoint: None, book: Vec::new(), starts });
        };
        // A directory that cannot be written any more still lets the node learn; the clock then stands in for the
        // counter of starts, which only has to grow.
        let starts = home.count_start().or_else(|error| match error {
            RegistryError::Io { .. } => {
                events.emit(NodeEvent::CommitFailed { error: error.to_string() });
                Ok(crate::registry::minutes_since_2025())
            }
            error => Err(error),
        })?;
        home.take_notes().into_iter().for_each(|message| events.emit(NodeEvent::Warning { message }));
        let (registry, checkpoint, book, start) =
            RegistryHandle::open(Arc::clone(home), self.task.id(), self.task.layout().clone(), events.clone())?;
        // Only now: the home of another task has been refused.
        let task =
            HomeTask { document: (**self.task.document()).clone(), numbers: self.data.preprocessing.numbers.clone() };
        if let Err(error) = home.remember_task(&task) {
            events.emit(NodeEvent::CommitFailed { error: error.to_string() });
        }
        Ok(Kept { registry: Some((registry, start)), checkpoint, book, starts })
    }

    /// What the peer goes on from: a checkpoint, or the initial weights of the task.
    fn begin_from(&self, checkpoint: Option<Checkpoint>) -> (Restored, Snapshot) {
        match checkpoint {
            Some(Checkpoint { round, snapshot, account }) => {
                (Restored { round, age: snapshot.age, account }, Arc::unwrap_or_clone(snapshot))
            }
            None => {
                let (layout, seed) = (self.task.layout(), self.task.id().0);
                let initial = self.agreed.as_ref().map(|agreed| agreed.initial(layout, seed));
                (Restored::default(), Snapshot::fresh(initial.unwrap_or_else(|| initial_weights(layout, seed))))
            }
        }
    }

    fn contacts(&self, book: &[BookEntry], events: &EventBus) -> Result<Vec<Contact>, NodeError> {
        let mut contacts = Vec::new();
        for text in &self.config.network.contacts {
            contacts.push(contact_of(text, &self.task.summary())?);
        }
        if contacts.iter().any(|contact| contact.peer == Some(self.identity.peer())) {
            events.emit(NodeEvent::Warning { message: router::NAMES_ITSELF.to_owned() });
        }
        contacts.extend(book.iter().map(|entry| Contact {
            peer: Some(entry.peer),
            addresses: entry.addresses.iter().cloned().map(Address).collect(),
        }));
        Ok(contacts)
    }

    fn learner(&self, settings: &PeerSettings, start: Snapshot) -> (LearnerHandle, Start) {
        let data = LearnerData {
            train: self.data.train.clone(),
            validation: self.data.validation.clone(),
            test: self.data.test.clone(),
        };
        let (recipe, seed) = (Arc::clone(&settings.recipe), self.config.seed(&self.identity.peer()));
        LearnerHandle::new(Arc::clone(&self.factory), data, recipe, seed, start)
    }

    fn peer_start(&self, starts: u32, restored: Restored, contacts: Vec<Contact>) -> PeerStart {
        let network = &self.config.network;
        // Whoever listens may be found, even if it knows nobody to look for.
        let has_contacts = !contacts.is_empty() || network.mdns || !network.listen.is_empty();
        PeerStart { starts, restored, contacts, has_contacts, max_inbound: self.config.exchange.max_inbound }
    }

    /// What agrees with others on numbers.
    fn agreeing(&self, agreed: Agreed, book: Book, components: &Components) -> Agreeing {
        let (task, home, events) = (self.task.clone(), self.home.clone(), components.events.subscribe());
        Agreeing { agreed, book, task, home, components: components.clone(), events }
    }

    /// What goes on beside the rounds.
    fn housekeeping(
        &self,
        components: &Components,
        machine: &PeerHandle,
        book: Vec<BookEntry>,
        listening: watch::Receiver<()>,
    ) -> Vec<JoinHandle<()>> {
        let events = &components.events;
        let mut tasks = vec![tokio::spawn(housekeeping::watch_data(self.data.clone(), events.clone()))];
        if let Some(registry) = &components.registry {
            let (machine, registry) = (machine.clone(), registry.clone());
            tasks.push(tokio::spawn(housekeeping::keep_book(machine, registry, book, events.subscribe())));
        }
        if let Some(home) = &self.home {
            let (network, home) = (components.network.clone(), Arc::clone(home));
            tasks.push(tokio::spawn(housekeeping::keep_addresses(network, home, listening)));
        }
        tasks
    }
}

/// Starts the components in order; where one does not start, nothing is left running.
async fn supervise(
    starts: Vec<(&'static str, Start)>,
    components: &Components,
    tasks: &[JoinHandle<()>],
) -> Result<Supervisor, NodeError> {
    let (clock, events) = (components.clock.clone(), components.events.clone());
    Supervisor::spawn(starts, RestartPolicy::default(), clock, events).await.map_err(|error| {
        tasks.iter().for_each(JoinHandle::abort);
        started_wrongly(error)
    })
}

/// A component that did not start says why in a boxed error, inside that of the supervisor; the network's is one of
/// ours.
fn started_wrongly(error: ractor::SpawnErr) -> NodeError {
    match error {
        ractor::SpawnErr::StartupFailed(inner) => match inner.downcast::<NetworkError>() {
            Ok(network) => NodeError::Network(*network),
            Err(inner) => match inner.downcast::<ractor::SpawnErr>() {
                Ok(inner) => started_wrongly(*inner),
                Err(inner) => NodeError::Start { reason: inner.to_string() },
            },
        },
        error => NodeError::Start { reason: error.to_string() },
    }
}
