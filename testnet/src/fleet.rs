//! Many real nodes under one hand: in this process, in processes of their own, or in containers.

mod children;
mod docker;
mod inproc;

use std::io;
use std::path::PathBuf;

use peerlearn::node::NodeError;
use peerlearn_harness::Load;
use peerlearn_protocols::id::PeerId;
use thiserror::Error;

pub use children::{Children, Here, Place};
pub use docker::{Containers, DockerSetup, reap};
pub use inproc::InProcess;

use crate::member::{MemberCommand, MemberSpec, RowsError};

/// Why a fleet could not do something.
#[derive(Debug, Error)]
pub enum FleetError {
    /// A node did not start.
    #[error("{name} did not start: {source}")]
    Node {
        /// Its name.
        name: String,
        /// Why.
        source: Box<NodeError>,
    },
    /// A process or container could not be handled.
    #[error("cannot {action} {name}: {source}")]
    Process {
        /// What was tried.
        action: &'static str,
        /// With whom.
        name: String,
        /// What the system said.
        source: io::Error,
    },
    /// A file of the run could not be handled.
    #[error("cannot {action} {path}: {source}", path = path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// With what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Rows could not be handed over.
    #[error(transparent)]
    Rows(#[from] RowsError),
    /// The container engine does not do its part.
    #[error("docker: {reason}")]
    Docker {
        /// What it said.
        reason: String,
    },
}

/// What a driver can do to its nodes. Peers are numbers in the order of the plan.
#[allow(async_fn_in_trait, reason = "used with concrete types only")]
pub trait Fleet {
    /// Starts a node. What it tells goes to the channel that the fleet was made with.
    ///
    /// # Errors
    /// It cannot be started.
    async fn start(&mut self, peer: usize, spec: MemberSpec) -> Result<(), FleetError>;

    /// Ends a node as a power cut does.
    ///
    /// # Errors
    /// The system refused.
    async fn kill(&mut self, peer: usize) -> Result<(), FleetError>;

    /// Stops a node, with everything in memory, or continues it.
    ///
    /// # Errors
    /// The system refused.
    async fn freeze(&mut self, peer: usize, frozen: bool) -> Result<(), FleetError>;

    /// Fills the disk of a node, or makes room again; false where that cannot be done here, or not while it is down.
    ///
    /// # Errors
    /// The system refused.
    async fn fill_disk(&mut self, peer: usize, full: bool) -> Result<bool, FleetError>;

    /// Moves a node to another network.
    ///
    /// # Errors
    /// The system refused.
    async fn relocate(&mut self, peer: usize) -> Result<(), FleetError>;

    /// Gives an order to a node; nothing where it is down.
    async fn order(&mut self, peer: usize, order: MemberCommand);

    /// The directory of a node as it sees it.
    fn home(&self, peer: usize) -> PathBuf;

    /// The same directory as seen from here, to wipe it.
    fn disk(&self, peer: usize) -> PathBuf;

    /// Where its nodes listen.
    fn listen(&self) -> Vec<String>;

    /// CPU and memory of all of them.
    fn load(&mut self) -> Load;

    /// Ends all nodes and takes away what the fleet has made.
    async fn end(&mut self);
}

/// The seed of a peer's identity: who comes back with an empty disk is somebody else.
pub fn key(seed: u64, name: &str, life: u32) -> PeerId {
    let mut hasher = blake3::Hasher::new_derive_key("peerlearn testnet identity");
    hasher.update(&seed.to_le_bytes()).update(&life.to_le_bytes()).update(name.as_bytes());
    PeerId(*hasher.finalize().as_bytes())
}
