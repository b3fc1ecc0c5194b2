//! Nodes as simulated peers: what a node is told, in the words of the simulator.

mod module;

use std::sync::Arc;

use peerlearn::NodeConfig;
use peerlearn::config::SamplingError;
use peerlearn::data::Loaded;
use peerlearn::learner::{LearnError, ModelFamily};
use peerlearn_protocols::dataset::Dataset;
use peerlearn_protocols::params::ParamsError;
use peerlearn_sim::world::{Discovery, PeerStart, WorldConfig};
use peerlearn_sim::{Head, Initial, Mlp, Model};
use thiserror::Error;

pub use module::NodeModel;

/// Why a model of nodes cannot be simulated.
#[derive(Debug, Error)]
pub enum ModelError {
    /// The learner of nodes refuses.
    #[error(transparent)]
    Learn(#[from] LearnError),
    /// Its targets are numbers.
    #[error("the simulator has models of classes only; run rows whose targets are numbers with real nodes")]
    Numbers,
    /// Its parameters are impossible.
    #[error(transparent)]
    Params(#[from] ParamsError),
}

/// The model of a family for such rows. Perceptrons are the simulator's own, which are faster for many small peers;
/// others are the modules of nodes.
///
/// # Errors
/// The family cannot take such rows, or their targets are numbers.
pub fn model(family: &ModelFamily, rows: &Dataset) -> Result<Box<dyn Model>, ModelError> {
    if rows.numbers().is_some() {
        return Err(ModelError::Numbers);
    }
    let hidden: &[usize] = match family {
        ModelFamily::Linear => &[],
        ModelFamily::Mlp(hidden) => hidden,
        ModelFamily::Cnn => return Ok(Box::new(NodeModel::new(family, rows.input(), rows.classes())?)),
    };
    Ok(Box::new(Mlp::new(rows.width(), hidden, rows.classes(), Head::Softmax, Initial::He)?))
}

/// A peer with the rows, the recipe and the rounds of a node of these settings.
///
/// Shapes: `params: [parameters]`.
pub fn peer(config: &NodeConfig, rows: &Loaded, params: Vec<f32>) -> PeerStart {
    PeerStart {
        validation: rows.validation.clone(),
        recipe: Some(Arc::new(config.recipe())),
        round: Some(config.round.machine()),
        ..PeerStart::new(rows.train.clone(), params)
    }
}

/// A world of nodes of these settings, as far as all nodes share them: membership, time-outs, estimates.
///
/// # Errors
/// The file of edges cannot be read.
pub fn world(config: &NodeConfig, seed: u64) -> Result<WorldConfig, SamplingError> {
    Ok(WorldConfig {
        recipe: config.recipe(),
        round: config.round.machine(),
        discovery: Discovery::Membership(config.membership.machine()?),
        request_timeout: config.network.request_timeout,
        estimate_every: Some(config.round.estimate_every),
        seed,
        ..WorldConfig::default()
    })
}
