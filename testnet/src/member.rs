//! One node of a testnet: a real node with what experiments need around it.
//!
//! The same in one process with others, in a process of its own and in a container. It takes [`MemberCommand`]s and
//! tells [`MemberReport`]; between processes both travel as JSON lines over standard input and output, so that a node
//! ends when whoever started it is gone, however it went.

mod learner;
mod rows;
mod sketch;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use peerlearn::Identity;
use peerlearn::data::Loaded;
use peerlearn::event::{NodeEvent, Stamped};
use peerlearn::learner::build;
use peerlearn::network::links::{LinkTable, Links};
use peerlearn::node::NodeError;
use peerlearn::registry::Home;
use peerlearn::{Node, NodeConfig};
use peerlearn_harness::Running;
use peerlearn_protocols::id::PeerId;
use peerlearn_sim::attack::Attack;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use learner::{Experimental, TrainingGate};
pub use rows::{RowsError, read_rows, write_rows};
pub use sketch::{DIMENSIONS, Sketch, disagreement};

/// How often a node tells a sketch of its model.
const SAMPLE_EVERY: Duration = Duration::from_millis(500);

/// What a node of a testnet is.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemberSpec {
    /// Its name.
    pub name: String,
    /// Its settings, with contacts.
    pub config: NodeConfig,
    /// Seeds its identity, as 64 hexadecimal digits.
    pub key: PeerId,
    /// Its directory; without one nothing is kept.
    pub home: Option<PathBuf>,
    /// The file with its rows, for a process of its own.
    pub rows: Option<PathBuf>,
    /// What it does to others, if it is an attacker.
    pub attack: Option<String>,
    /// Its links at the start.
    pub links: LinkTable,
    /// Whether it trains only after [`MemberCommand::Begin`], so that peers that take long to start do not come late.
    #[serde(default)]
    pub waits: bool,
    /// Whether the kernel is to make the links bad, where it can; the node does so until it is seen to.
    #[serde(default)]
    pub netem: bool,
}

/// What a node is told to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "order", rename_all = "snake_case")]
pub enum MemberCommand {
    /// Everybody is there: train.
    Begin,
    /// Other links.
    Links {
        /// All of them.
        table: LinkTable,
    },
    /// Another network: hang up on everybody, listen on other ports.
    Move,
    /// A wrong clock.
    Clock {
        /// Seconds it shows a second.
        rate: f64,
        /// How far it jumps ahead.
        jump_ms: u64,
    },
    /// Hold still: no training, no traffic. Where processes can be stopped, they are stopped instead.
    Hold {
        /// Whether to.
        still: bool,
    },
    /// End politely.
    Leave,
}

/// What a node tells.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "told", rename_all = "snake_case")]
pub enum MemberReport {
    /// It is up.
    Hello {
        /// Who it is.
        peer: PeerId,
        /// Where it can be dialled.
        addresses: Vec<String>,
        /// The round it goes on from.
        round: u64,
    },
    /// Something happened in it.
    Happened {
        /// What.
        #[serde(flatten)]
        event: NodeEvent,
    },
    /// A sketch of its model, now.
    Sampled {
        /// The sketch.
        sketch: Sketch,
    },
    /// It could not start, or not go on.
    Failed {
        /// Why.
        reason: String,
    },
}

impl From<Stamped> for MemberReport {
    fn from(stamped: Stamped) -> Self {
        Self::Happened { event: stamped.event }
    }
}

/// A running node of a testnet.
pub struct Member {
    running: Running,
    links: Links,
    table: LinkTable,
    gate: TrainingGate,
    /// Held still, as [`MemberCommand::Hold`] says.
    still: bool,
    sampling: JoinHandle<()>,
}

impl Member {
    /// Starts it. What it tells goes to `told`, with `index` in front.
    ///
    /// # Errors
    /// Any [`NodeError`].
    pub async fn start(
        spec: MemberSpec,
        mut data: Loaded,
        index: usize,
        told: mpsc::Sender<(usize, MemberReport)>,
    ) -> Result<Self, NodeError> {
        let attack = spec.attack.as_deref().and_then(|text| text.parse::<Attack>().ok());
        if attack.is_some_and(Attack::poisons_labels) {
            data.train = data.train.with_flipped_labels();
        }
        let (links, gate) = (Links::new(spec.links.clone()), TrainingGate::default());
        gate.set(spec.waits);
        let mut builder =
            Node::builder(spec.config.clone()).identity(Identity::of_seed(&spec.key)).links(links.clone());
        if let Some(home) = &spec.home {
            builder = builder.home(Home::open(home)?);
        }
        let family = spec.config.task.model.clone();
        let (input, classes) = (data.train.input().to_vec(), data.train.classes());
        let (name, held) = (family.to_string(), gate.clone());
        let factory = move || {
            let inner = build(&family, &input, classes)?;
            Ok(Box::new(Experimental::new(inner, attack, held.clone())) as Box<_>)
        };
        let builder = builder.learner(&name, Arc::new(factory)).data(data);
        let running = Running::start(builder, index, told.clone()).await?;
        let node = running.node();
        let sampling = tokio::spawn(sample(node.clone(), index, told.clone()));
        let hello = MemberReport::Hello {
            peer: node.peer(),
            addresses: node.addresses().await,
            round: node.status().await.round,
        };
        // Whoever started it may be gone; then it ends soon.
        let _ = told.send((index, hello)).await;
        Ok(Self { running, links, table: spec.links, gate, still: false, sampling })
    }

    /// The node.
    pub fn node(&self) -> &Node {
        self.running.node()
    }

    /// Carries out an order; false when the node has ended.
    pub async fn handle(&mut self, order: MemberCommand) -> bool {
        match order {
            MemberCommand::Begin => self.gate.set(self.still),
            MemberCommand::Links { table } => {
                self.table = table;
                self.apply_links();
            }
            MemberCommand::Move => self.running.node().change_address(),
            MemberCommand::Clock { rate, jump_ms } => {
                self.running.node().clock().distort(rate, Duration::from_millis(jump_ms))
            }
            MemberCommand::Hold { still } => {
                self.still = still;
                self.gate.set(still);
                self.apply_links();
            }
            MemberCommand::Leave => {
                self.gate.set(false);
                self.running.stop().await;
                return false;
            }
        }
        true
    }

    /// Ends without saving anything.
    pub async fn abort(self) {
        self.gate.set(false);
        self.running.abort().await;
    }

    fn apply_links(&self) {
        let mut table = self.table.clone();
        if self.still {
            for link in table.peers.values_mut().chain([&mut table.usual]) {
                (link.mute, link.deaf) = (true, true);
            }
        }
        self.links.set(table);
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.gate.set(false);
        self.sampling.abort();
    }
}

/// The peer that a seed gives.
pub fn peer_of(seed: &PeerId) -> PeerId {
    // The key is ed25519, so there is one.
    Identity::of_seed(seed).peer()
}

async fn sample(node: Node, index: usize, told: mpsc::Sender<(usize, MemberReport)>) {
    let mut ticks = tokio::time::interval(SAMPLE_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let snapshot = node.snapshot();
        if told.send((index, MemberReport::Sampled { sketch: Sketch::of(&snapshot.params) })).await.is_err() {
            return;
        }
    }
}
