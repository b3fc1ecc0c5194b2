//! Puts a node together.

use std::sync::Arc;

use peerlearn_data::{Loaded, Preprocessing, load_as};
use peerlearn_learner::{LearnerFactory, build};
#[cfg(feature = "faults")]
use peerlearn_network::links::Links;
use peerlearn_network::{Identity, NetworkEnvironment};
use peerlearn_protocols::params::Layout;
use peerlearn_protocols::task::Task;

use super::assembly::Assembly;
use super::{Node, NodeError};
use crate::config::NodeConfig;
use crate::registry::{Home, has_checkpoint, preprocessing_of};

/// A node in the making. Whatever is not given comes from the settings.
pub struct NodeBuilder {
    config: NodeConfig,
    identity: Option<Identity>,
    home: Option<Home>,
    data: Option<Loaded>,
    learner: Option<(String, LearnerFactory)>,
    environment: NetworkEnvironment,
}

impl NodeBuilder {
    pub(super) fn new(config: NodeConfig) -> Self {
        Self {
            config,
            identity: None,
            home: None,
            data: None,
            learner: None,
            environment: NetworkEnvironment::default(),
        }
    }

    /// Uses this key instead of the one in the home directory (or a fresh one, without a directory).
    #[must_use]
    pub fn identity(mut self, identity: Identity) -> Self {
        self.identity = Some(identity);
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
    #[cfg(feature = "faults")]
    #[must_use]
    pub fn links(mut self, links: Links) -> Self {
        self.environment.links = Some(links);
        self
    }

    /// Starts the node.
    ///
    /// # Errors
    /// Any [`NodeError`]; nothing is left running then.
    pub async fn spawn(self) -> Result<Node, NodeError> {
        self.config.validate()?;
        let home = self.home.map(Arc::new);
        let identity = match (self.identity, &home) {
            (Some(identity), _) => identity,
            (None, Some(home)) => home.identity()?,
            (None, None) => Identity::generate(),
        };
        let data = match self.data {
            Some(data) => data,
            None => {
                // A model goes on with the numbers it has learnt by, also when rows were added meanwhile.
                let before = home.as_ref().map(|home| preprocessing_of(home.path())).transpose()?.flatten();
                let before = before.filter(|_| home.as_ref().is_some_and(|home| has_checkpoint(home.path())));
                load_as(&self.config.data, &identity.peer().0, before.as_ref())?
            }
        };
        let family = self.config.task.model.clone();
        let (input, classes) = (data.train.input().to_vec(), data.train.classes());
        let (name, factory) = self.learner.unwrap_or_else(|| {
            let name = family.to_string();
            (name, Arc::new(move || build(&family, &input, classes)))
        });
        let task = task_of(&self.config.task.network, &name, &data.preprocessing(), factory()?.layout().clone());
        let before = home.as_ref().map_or_else(Vec::new, |home| home.addresses_before());
        let environment = NetworkEnvironment { before, ..self.environment };
        Assembly { config: self.config, home, identity, data, factory, task, environment }.spawn().await
    }
}

/// The task of a network, a model and what goes in and comes out.
pub fn task_of(network: &str, model: &str, data: &Preprocessing, layout: Layout) -> Task {
    Task {
        network: network.to_owned(),
        model: model.to_owned(),
        input: data.input.clone(),
        columns: data.columns.clone(),
        classes: data.classes.clone(),
        scaling: data.scaling.to_string(),
        loss: "cross-entropy".to_owned(),
        layout,
    }
}
