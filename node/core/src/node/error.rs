//! Why a node could not start.

use peerlearn_data::DataError;
use peerlearn_learner::LearnError;
use peerlearn_network::NetworkError;
use peerlearn_runtime::settings::SettingError;
use peerlearn_task::TaskError;
use thiserror::Error;

use crate::config::SamplingError;
use crate::registry::RegistryError;
use crate::ticket::TicketError;

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
    /// The task is none that can be learnt.
    #[error("the task: {0}")]
    Task(#[from] TaskError),
    /// The model of the task is not known here.
    #[error("the task's model {net:?}: {reason}")]
    Model {
        /// Its name.
        net: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The name of the node cannot be shown.
    #[error("the name {name:?} of this node: {reason}")]
    Name {
        /// The name.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A component did not start.
    #[error("a component did not start: {reason}")]
    Start {
        /// What it said.
        reason: String,
    },
}
