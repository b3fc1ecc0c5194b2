//! Puts a node together.

use std::sync::Arc;

use libp2p::identity::Keypair;
use peerlearn_protocols::exchange::{Pairing, Purse};
use peerlearn_protocols::membership::{Contact, MembershipConfig};
use peerlearn_protocols::mixing::Rule;
use peerlearn_protocols::params::Layout;
use peerlearn_protocols::sampling::Sampling;
use peerlearn_protocols::task::Task;
use peerlearn_protocols::wire::Address;
use thiserror::Error;
use tokio::sync::{Mutex, mpsc};

use super::{Inner, Node, housekeeping, router};
use crate::clock::Clock;
use crate::config::{NodeConfig, SettingError};
use crate::data::{DataError, Dataset, Loaded, load};
use crate::event::{EventBus, NodeEvent};
use crate::exchange::ExchangeHandle;
use crate::learner::{LearnError, LearnerData, LearnerFactory, LearnerHandle, Snapshot, build, initial_weights};
use crate::membership::{MembershipHandle, SamplingError};
use crate::network::links::Links;
use crate::network::{Circumstances, NetworkError, NetworkHandle, keypair_peer};
use crate::registry::{BookEntry, Checkpoint, Home, RegistryError, RegistryHandle};
use crate::round::{Rooms, RoundHandle, RoundSettings, RoundStart};
use crate::supervisor::{RestartPolicy, Start, Supervisor};
use crate::ticket::{TicketError, contact_of};

/// Network events that may wait for the router.
const NETWORK_EVENTS: usize = 256;

/// Why a node could not start.
#[derive(Debug, Error)]
pub enum NodeError {
    /// A setting breaks its rule.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// Something is wrong with the data.
    #[error(transparent)]
    Data(#[from] DataError),
    /// Something is wrong with the model.
    #[error(transparent)]
    Learn(#[from] LearnError),
    /// Something is wrong with the directory.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// Something is wrong with the network.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// The communication graph cannot be had.
    #[error(transparent)]
    Sampling(#[from] SamplingError),
    /// A contact is neither a multiaddress nor a ticket.
    #[error("network.contacts: {source}")]
    Contact {
        /// What is wrong with it.
        #[from]
        source: TicketError,
    },
    /// A room did not start.
    #[error("a room did not start: {reason}")]
    Start {
        /// What it said.
        reason: String,
    },
}

/// A node in the making. Whatever is not given comes from the settings.
pub struct NodeBuilder {
    config: NodeConfig,
    identity: Option<Keypair>,
    home: Option<Home>,
    data: Option<Loaded>,
    learner: Option<(String, LearnerFactory)>,
    links: Option<Links>,
}

impl NodeBuilder {
    pub(super) fn new(config: NodeConfig) -> Self {
        Self { config, identity: None, home: None, data: None, learner: None, links: None }
    }

    /// Uses this key instead of the one in the home directory (or a fresh one, without a directory).
    #[must_use]
    pub fn identity(mut self, keypair: Keypair) -> Self {
        self.identity = Some(keypair);
        self
    }

    /// Keeps identity, checkpoint and address book in this directory; without one everything is lost at the end.
    #[must_use]
    pub fn home(mut self, home: Home) -> Self {
        self.home = Some(home);
        self
    }

    /// Uses these rows instead of loading those that the settings name.
    #[must_use]
    pub fn data(mut self, data: Loaded) -> Self {
        self.data = Some(data);
        self
    }

    /// Uses a model of your own. Its name becomes part of the task, so that peers with another model are refused.
    ///
    /// `factory` is called at the start, and again if the model panics.
    #[must_use]
    pub fn learner(mut self, name: &str, factory: LearnerFactory) -> Self {
        self.learner = Some((name.to_owned(), factory));
        self
    }

    /// Lets the traffic of this node pass over links that are bad on purpose, for experiments.
    #[must_use]
    pub fn links(mut self, links: Links) -> Self {
        self.links = Some(links);
        self
    }

    /// Starts the node.
    ///
    /// # Errors
    /// Any [`NodeError`]; nothing is left running then.
    pub async fn spawn(self) -> Result<Node, NodeError> {
        self.config.validate()?;
        let home = self.home.map(Arc::new);
        let keypair = match (self.identity, &home) {
            (Some(keypair), _) => keypair,
            (None, Some(home)) => home.identity()?,
            (None, None) => Keypair::generate_ed25519(),
        };
        let identity = keypair_peer(&keypair).map_or([0; 32], |peer| peer.0);
        let data = match self.data {
            Some(data) => data,
            None => load(&self.config.data, &identity)?,
        };
        let family = self.config.task.model.clone();
        let (input, classes) = (data.train.input().to_vec(), data.train.classes());
        let (name, factory) = self.learner.unwrap_or_else(|| {
            let name = family.to_string();
            (name, Arc::new(move || build(&family, &input, classes)))
        });
        let task = task_of(&self.config.task.network, &name, &data, factory()?.layout().clone());
        Assembly { config: self.config, home, keypair, data, factory, task, links: self.links }.spawn().await
    }
}

/// The task of a network, a model and the shape of the data.
pub fn task_of(network: &str, model: &str, data: &Loaded, layout: Layout) -> Task {
    Task {
        network: network.to_owned(),
        model: model.to_owned(),
        input: data.train.input().to_vec(),
        classes: data.train.classes(),
        scaling: data.scaling.to_string(),
        loss: "cross-entropy".to_owned(),
        layout,
    }
}

/// Everything decided; only rooms are missing.
struct Assembly {
    config: NodeConfig,
    home: Option<Arc<Home>>,
    keypair: Keypair,
    data: Loaded,
    factory: LearnerFactory,
    task: Task,
    links: Option<Links>,
}

type Kept = (Option<RegistryHandle>, Option<Checkpoint>, Vec<BookEntry>, u32, Vec<(&'static str, Start)>);

impl Assembly {
    async fn spawn(self) -> Result<Node, NodeError> {
        let sampling = self.config.membership.sampling()?;
        let uniform = matches!(sampling, Sampling::Uniform | Sampling::Guarded);
        let clock = Clock::start();
        let (network_events, inbox) = mpsc::channel(NETWORK_EVENTS);
        let task_id = self.task.id();
        let (settings, keypair) = (self.config.network.clone(), self.keypair.clone());
        let before = self.home.as_ref().map_or_else(Vec::new, |home| home.addresses_before());
        let circumstances = Circumstances { links: self.links.clone(), before };
        let (network, network_room) =
            NetworkHandle::in_circumstances(settings, keypair, task_id, network_events, circumstances)?;
        let events = EventBus::new(network.local(), clock.clone());
        let problems = housekeeping::Problems::default();
        let collecting = tokio::spawn(problems.clone().collect(events.subscribe()));
        let (registry, checkpoint, book, starts, mut rooms) = self.open_registry(&events)?;
        let contacts = self.contacts(&book)?;
        // Whoever listens may be found, even if it knows nobody to look for.
        let has_contacts = !contacts.is_empty() || self.config.network.mdns || !self.config.network.listen.is_empty();

        let round = checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.round);
        let account = checkpoint.as_ref().and_then(|checkpoint| checkpoint.account.clone());
        let start = checkpoint.map_or_else(|| self.fresh(), |checkpoint| checkpoint.snapshot);
        let age = start.age;
        let learning = self.config.learner(&network.local());
        let (learner, learner_room) =
            LearnerHandle::new(Arc::clone(&self.factory), self.learner_data(), learning, start);
        let (membership, membership_room) = MembershipHandle::new(
            task_id,
            starts,
            MembershipConfig { sampling, ..self.config.membership.machine() },
            contacts,
            network.clone(),
            clock.clone(),
            events.clone(),
        );
        let fan_out = self.config.round.fan_out;
        let layout = self.task.layout.clone();
        let purse = (self.config.mixing.rule == Rule::PushSum).then(|| {
            let restored = account.and_then(|account| Purse::restored(account, fan_out, starts));
            restored.unwrap_or_else(|| Purse::new(fan_out, starts))
        });
        let pairing = (self.config.mixing.rule == Rule::Pair).then(|| Pairing::new(network.local(), starts));
        let (exchange, exchange_room) =
            ExchangeHandle::new(task_id, layout, &self.config.exchange, fan_out, purse, pairing, network.clone());
        let handles = Rooms {
            learner: learner.clone(),
            membership: membership.clone(),
            exchange: exchange.clone(),
            network: network.clone(),
            registry: registry.clone(),
            events: events.clone(),
            clock: clock.clone(),
        };
        let samples = self.data.train.len();
        let (round_handle, round_room) = RoundHandle::new(
            self.round_settings(),
            RoundStart {
                codec: self.config.exchange.codec,
                rule: self.config.mixing.rule,
                samples: u32::try_from(samples).unwrap_or(u32::MAX),
                round,
                age,
                has_contacts,
                uniform,
            },
            handles,
        );
        rooms.extend([
            ("learner", learner_room),
            ("network", network_room),
            ("exchange", exchange_room),
            ("membership", membership_room),
            ("round", round_room),
        ]);
        let watching = tokio::spawn(housekeeping::watch_data(self.data, events.clone()));
        let mut tasks = vec![collecting, watching];
        if let Some(registry) = &registry {
            tasks.push(tokio::spawn(housekeeping::keep_book(membership.clone(), registry.clone(), book)));
        }
        if let Some(home) = &self.home {
            tasks.push(tokio::spawn(housekeeping::keep_addresses(network.clone(), Arc::clone(home))));
        }
        let supervisor = match Supervisor::spawn(rooms, RestartPolicy::default(), clock.clone(), events.clone()).await {
            Ok(supervisor) => supervisor,
            Err(error) => {
                tasks.iter().for_each(tokio::task::JoinHandle::abort);
                return Err(started_wrongly(error));
            }
        };
        // Not before: a message to a room that is not there yet would be lost.
        tasks.push(tokio::spawn(router::route(inbox, membership.clone(), exchange.clone(), events.clone())));
        events.emit(NodeEvent::Started { task: task_id, round });
        let inner = Inner {
            task: self.task,
            samples,
            clock,
            events,
            learner,
            network,
            membership,
            exchange,
            round: round_handle,
            registry,
            supervisor,
            problems,
            tasks: Mutex::new(tasks),
            home: self.home,
        };
        Ok(Node { inner: Arc::new(inner) })
    }

    fn open_registry(&self, events: &EventBus) -> Result<Kept, NodeError> {
        let Some(home) = &self.home else {
            return Ok((None, None, Vec::new(), rand::random::<u32>() >> 9, Vec::new()));
        };
        // A directory that cannot be written any more still lets the node learn; the clock then stands in for the
        // counter of starts, which only has to grow.
        let starts = home.count_start().or_else(|error| match error {
            RegistryError::Io { .. } => {
                events.emit(NodeEvent::CommitFailed { error: error.to_string() });
                Ok(minutes_since_2025())
            }
            error => Err(error),
        })?;
        let (registry, checkpoint, book, room) =
            RegistryHandle::open(Arc::clone(home), self.task.id(), self.task.layout.clone(), events.clone())?;
        Ok((Some(registry), checkpoint, book, starts, vec![("registry", room)]))
    }

    fn contacts(&self, book: &[BookEntry]) -> Result<Vec<Contact>, NodeError> {
        let mut contacts = Vec::new();
        for text in &self.config.network.contacts {
            contacts.push(contact_of(text, &self.task.summary())?);
        }
        contacts.extend(book.iter().map(|entry| Contact {
            peer: Some(entry.peer),
            addresses: entry.addresses.iter().cloned().map(Address).collect(),
        }));
        Ok(contacts)
    }

    fn fresh(&self) -> Snapshot {
        let params = initial_weights(&self.task.layout, self.task.id().0);
        Snapshot { params, ..Snapshot::default() }
    }

    fn round_settings(&self) -> RoundSettings {
        let measured: usize = [&self.data.validation, &self.data.test].into_iter().flatten().map(Dataset::len).sum();
        let training = &self.config.training;
        let trained = u64::from(training.steps) * training.batch as u64;
        let settings = self.config.round.clone();
        RoundSettings { evaluate_every: settings.measure_every(measured, trained), ..settings }
    }

    fn learner_data(&self) -> LearnerData {
        LearnerData {
            train: self.data.train.clone(),
            validation: self.data.validation.clone(),
            test: self.data.test.clone(),
        }
    }
}

fn minutes_since_2025() -> u32 {
    let since_1970 = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    // 22 bits, so that the counter of restarts fits behind it.
    (since_1970.as_secs().saturating_sub(1_735_689_600) / 60) as u32 & 0x3f_ffff
}

/// A room that did not start says why in a boxed error, inside that of the supervisor; the network's is one of ours.
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
