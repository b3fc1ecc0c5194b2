//! peerlearn: a serverless, peer-to-peer decentralized learner.
//!
//! Every [`Node`] keeps its own data, trains its own copy of a model, and averages weights with a few others again and
//! again. What it is told is a [`NodeConfig`]; what happens in it is a stream of [`NodeEvent`]s. Two of them on
//! loopback:
//!
//! ```
//! use peerlearn::{Node, NodeConfig, NodeEvent};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! let mut config = NodeConfig::default(); // the built-in digits, a small perceptron
//! config.network.listen = vec!["/ip4/127.0.0.1/tcp/0".to_owned()];
//! config.network.mdns = false;
//! config.round.min_interval = std::time::Duration::ZERO;
//! config.data.partition = Some("iid".parse()?); // each keeps one part of eight
//!
//! config.data.part = Some(0);
//! let ant = Node::builder(config.clone()).spawn().await?;
//! config.data.part = Some(1);
//! config.network.contacts = ant.addresses().await;
//! let bat = Node::builder(config).spawn().await?;
//!
//! let mut events = bat.subscribe();
//! loop {
//!     if let NodeEvent::RoundClosed { mixed: 1.., test: Some(test), .. } = events.recv().await?.event {
//!         assert!(test.accuracy > 0.2, "the model of ant and bat is better than a guess");
//!         break;
//!     }
//! }
//! ant.stop().await;
//! bat.stop().await;
//! # Ok(())
//! # })
//! # }
//! ```
//!
//! A model of your own: anything with flat parameters behind [`Learner`], or a burn module in a [`BurnLearner`] (see
//! the examples `no_burn` and `own_burn_module`).
//!
//! ```text
//!                 supervisor (restart table with back-off; itself has no messages)
//!                      |
//!      +-------------+-+-----------+------------+
//!   network         peer         learner      registry
//!   swarm        the machine     a model,     checkpoint,
//!   (libp2p)     of a peer,      OS thread    address book,
//!                its effects     (burn)       identity
//! ```
//!
//! Each component is one ractor actor behind a cloneable handle. [`peer`] carries out the effects of
//! [`protocols::peer::Peer`] and decides nothing; what happens to the parameters is [`protocols::recipe`]. [`network`]
//! alone names libp2p, [`learner`] alone names burn. [`NodeEvent`] is the one typed stream that logs, views, tests and
//! testnets read.

pub mod access;
pub mod agreed;
pub mod config;
pub mod control;
pub mod doctor;
pub mod node;
pub mod peer;
pub mod registry;
pub mod status;
pub mod ticket;

pub use config::NodeConfig;
pub use learner::{BurnLearner, BurnModel, Learner, LearnerFactory};
pub use network::Identity;
pub use node::{Node, NodeBuilder, NodeError};
pub use peerlearn_data as data;
pub use peerlearn_learner as learner;
pub use peerlearn_network as network;
pub use peerlearn_protocols as protocols;
pub use peerlearn_runtime as runtime;
pub use peerlearn_task as task;
pub use protocols::dataset::Dataset;
pub use runtime::event::{self, NodeEvent, Stamped};
pub use status::Status;
