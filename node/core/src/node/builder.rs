//! Puts a node together.

use std::sync::Arc;

use peerlearn_data::{DataConfig, Known, Loaded, Preprocessing, load};
use peerlearn_learner::{LearnerFactory, ModelFamily, build};
#[cfg(feature = "faults")]
use peerlearn_network::links::Links;
use peerlearn_network::{Identity, NetworkEnvironment};
use peerlearn_protocols::dataset::Loss;
use peerlearn_protocols::params::Layout;
use peerlearn_task::access::{Member, clean_name};
use peerlearn_task::{Charter, Definition, Document, ModelSpec, Task, TaskError};

use super::assembly::Assembly;
use super::{Node, NodeError};
use crate::access::unix_now;
use crate::agreed::Agreed;
use crate::config::NodeConfig;
use crate::registry::{Home, HomeTask, OwnMember, frame_of, has_checkpoint, member_of, seen_of, task_of};

/// A node in the making. Whatever is not given comes from the settings.
pub struct NodeBuilder {
    config: NodeConfig,
    identity: Option<Identity>,
    home: Option<Home>,
    data: Option<Loaded>,
    task: Option<Document>,
    learner: Option<(String, LearnerFactory)>,
    environment: NetworkEnvironment,
    name: Option<String>,
    member: Option<Member>,
}

impl NodeBuilder {
    pub(super) fn new(config: NodeConfig) -> Self {
        Self {
            config,
            identity: None,
            home: None,
            data: None,
            task: None,
            learner: None,
            environment: NetworkEnvironment::default(),
            name: None,
            member: None,
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

    /// Learns this task, whatever the settings say of network and model; data are brought to it by name. Without one, the data say
    /// what their columns are, and the settings name network and model.
    #[must_use]
    pub fn task(mut self, task: Document) -> Self {
        self.task = Some(task);
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

    /// What this node calls itself to members of its task [default: what the home directory keeps, else its short id]. The name in a
    /// membership is stronger.
    #[must_use]
    pub fn name(mut self, name: &str) -> Self {
        self.name = Some(name.to_owned());
        self
    }

    /// Takes part by this membership instead of the one in the home directory.
    #[must_use]
    pub fn member(mut self, member: Member) -> Self {
        self.member = Some(member);
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
        let before = home.as_ref().map(|home| task_of(home.path())).transpose()?.flatten();
        let before = before.filter(|_| home.as_ref().is_some_and(|home| has_checkpoint(home.path())));
        let known = known(self.task.as_ref(), before.as_ref());
        let charter = self.task.as_ref().or(before.as_ref().map(|before| &before.document)).map(|task| &task.charter);
        let charter = charter.cloned().unwrap_or_default();
        let data = match self.data {
            Some(data) => data,
            None => {
                let known = known.as_ref().map(|preprocessing| Known { preprocessing, charter: &charter });
                load(&with_cache(&self.config.data, home.as_deref()), &identity.peer().0, known)?
            }
        };
        let document = match self.task {
            Some(task) => task,
            None => {
                let net = self.learner.as_ref().map_or_else(|| self.config.task.model.to_string(), |own| own.0.clone());
                document_of(&self.config.task.network, &net, &data.preprocessing, before)?
            }
        };
        let data = match document.definition.model.loss.as_str() {
            "mae" => data.with_loss(Loss::Mae)?,
            _ => data,
        };
        let is_own = self.learner.is_some();
        let (document, layout, factory) = with_model(document, &data, self.learner)?;
        let task = Task::new(Arc::new(document), layout);
        let agreed = agreed(&task, &data, home.as_deref(), is_own);
        let (mut config, mut factory) = (self.config, factory);
        if let Some(agreed) = &agreed {
            factory = agreed.framed(factory);
            config.exchange.codec = agreed.codec(config.exchange.codec);
        }
        let before = home.as_ref().map_or_else(Vec::new, |home| home.addresses_before());
        let bytes = Some(Arc::new(task.document().to_bytes()));
        let open = task.document().charter.access.join == peerlearn_task::Join::Open;
        let environment = NetworkEnvironment { before, document: bytes, open, ..self.environment };
        let own = own(self.name, self.member, home.as_deref(), &identity, &task)?;
        let seen = home.as_ref().map_or(Ok(Vec::new()), |home| seen_of(home.path(), &task.id()))?;
        Assembly { config, home, identity, data, factory, task, environment, agreed, own, seen }.spawn().await
    }
}

/// Rows that are too many for memory are kept in the home, where nothing else is said.
fn with_cache(config: &DataConfig, home: Option<&Home>) -> DataConfig {
    let mut config = config.clone();
    if let (true, Some(folder)) = (config.cache.is_empty(), home.map(|home| home.file("cache"))) {
        config.cache = folder.to_str().unwrap_or_default().to_owned();
    }
    config
}

/// The numbers that peers agree on, where they do. Of a model of the program's own nothing is known but its parameters, so it stays
/// in those of the task.
fn agreed(task: &Task, data: &Loaded, home: Option<&Home>, is_own: bool) -> Option<Agreed> {
    let family = task.definition().model.net.parse::<ModelFamily>();
    let is_dense = !is_own && matches!(family, Ok(ModelFamily::Linear | ModelFamily::Mlp(_)));
    let kept = home.and_then(|home| frame_of(home.path(), &task.definition().schema));
    Agreed::new(task, data, kept, is_dense, unix_now())
}

/// What a node shows of itself: what it was told, else what its home keeps for the same key and task.
fn own(
    name: Option<String>,
    member: Option<Member>,
    home: Option<&Home>,
    identity: &Identity,
    task: &Task,
) -> Result<OwnMember, NodeError> {
    let kept = home.map(|home| member_of(home.path())).transpose()?.flatten();
    let (kept_name, kept) = kept.map_or((None, None), |kept| (Some(kept.name), kept.member));
    let is_own = |member: &Member| member.peer == identity.peer() && member.task == task.id();
    let member = member.or(kept).filter(is_own);
    let name = member.as_ref().map(|member| member.name.clone()).or(name).or(kept_name);
    let name = match name {
        Some(name) => clean_name(&name).map_err(|reason| NodeError::Name { name, reason })?,
        None => identity.peer().short(),
    };
    Ok(OwnMember { name, member })
}

/// What is known before data are read: what the task says, and by what a model in the same home was trained.
fn known(task: Option<&Document>, before: Option<&HomeTask>) -> Option<Preprocessing> {
    let here = before.map(HomeTask::preprocessing);
    match task {
        None => here,
        Some(task) => {
            let schema = &task.definition.schema;
            Some(here.filter(|here| here.schema == *schema).unwrap_or_else(|| Preprocessing::of(schema.clone())))
        }
    }
}

/// The task that settings and data say, where nothing else does. A task of the same home that says the same is taken with all its
/// words.
///
/// # Errors
/// Names that no task may have.
pub fn document_of(
    network: &str,
    net: &str,
    data: &Preprocessing,
    before: Option<HomeTask>,
) -> Result<Document, TaskError> {
    let model = ModelSpec { net: net.to_owned(), loss: data.schema.usual_loss().to_owned(), layout: None };
    let definition = Definition::new(network, model, data.schema.clone())?;
    let same = |before: &HomeTask| {
        let theirs = &before.document.definition;
        theirs.name == definition.name && theirs.model.net == definition.model.net && theirs.schema == definition.schema
    };
    match before.filter(same) {
        Some(before) => Ok(before.document),
        None => Ok(Document { definition, charter: Charter::default() }),
    }
}

/// The model of a task and its parameters: one of the built-in families, or one of the program's own. The parameters of such a one
/// become part of the task, unless they are those of the built-in family of the same name.
fn with_model(
    mut document: Document,
    data: &Loaded,
    own: Option<(String, LearnerFactory)>,
) -> Result<(Document, Layout, LearnerFactory), NodeError> {
    let (input, outputs) = (data.train.input().to_vec(), data.train.classes());
    let net = own.as_ref().map_or_else(|| document.definition.model.net.clone(), |own| own.0.clone());
    let family = net.parse::<ModelFamily>();
    let usual = family.as_ref().ok().map(|family| build(family, &input, outputs)).transpose();
    if let Some((name, factory)) = own {
        let layout = factory()?.layout().clone();
        let model = &mut document.definition.model;
        model.net = name;
        let is_usual = matches!(&usual, Ok(Some(usual)) if *usual.layout() == layout);
        model.layout = (!is_usual).then(|| layout.hash().to_string());
        return Ok((document, layout, factory));
    }
    let family = family.map_err(|reason| NodeError::Model { net: net.clone(), reason: reason.to_string() })?;
    let layout = match usual? {
        Some(usual) => usual.layout().clone(),
        None => build(&family, &input, outputs)?.layout().clone(),
    };
    Ok((document, layout, Arc::new(move || build(&family, &input, outputs))))
}
