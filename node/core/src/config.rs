//! Settings: what they are, where they come from, what is wrong with them.
//!
//! Learner, network and data have their settings in their own crates; here those of the peer stand beside them, and all
//! are put together. They are read in layers:
//! built-in defaults, then the file, then the environment, then flags. An error names the layer, the key and the line.

mod exchange;
mod membership;
mod round;
mod template;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use peerlearn_protocols::id::{PeerId, TaskId};
use peerlearn_protocols::mixing::Rule;
use peerlearn_protocols::params::Layout;
use peerlearn_protocols::peer::PeerSettings;
use peerlearn_protocols::recipe::{Recipe, measure_every};
use serde::{Deserialize, Serialize};

pub use exchange::{Compression, ExchangeSettings};
pub use membership::{MembershipSettings, SamplingError};
pub use peerlearn_runtime::settings::{ConfigError, SettingError, Settings, duration};
pub use round::RoundSettings;
pub use template::template;

use peerlearn_data::DataConfig;
use peerlearn_learner::{MixingConfig, ModelFamily, TrainingConfig};
use peerlearn_network::NetworkConfig;

/// The settings of a node, in the making.
pub type Layers = peerlearn_runtime::settings::Layers<NodeConfig>;

/// Everything a node is told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub struct NodeConfig {
    /// What is learnt.
    pub task: TaskConfig,
    /// From what.
    pub data: DataConfig,
    /// How to train.
    pub training: TrainingConfig,
    /// How to mix.
    pub mixing: MixingConfig,
    /// When.
    pub round: RoundSettings,
    /// How models travel.
    pub exchange: ExchangeSettings,
    /// Who is there.
    pub membership: MembershipSettings,
    /// Where.
    pub network: NetworkConfig,
}

/// What is learnt: section `task`. Peers learn together exactly when all of it is equal, and the shape of their data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TaskConfig {
    /// A word that keeps otherwise equal networks apart.
    pub network: String,
    /// The model.
    pub model: ModelFamily,
}

impl Default for TaskConfig {
    fn default() -> Self {
        Self { network: "digits".to_owned(), model: ModelFamily::Mlp(vec![64, 32]) }
    }
}

impl Settings for NodeConfig {
    const OPTIONAL: &'static [&'static str] = &[
        "data.partition",
        "data.part",
        "data.dialect.delimiter",
        "data.dialect.quote",
        "data.dialect.decimal",
        "data.dialect.header",
        "data.dialect.encoding",
        "data.dialect.missing",
        "data.dialect.names",
        "data.image.size",
        "data.image.colour",
        "data.image.fit",
        "data.image.filter",
    ];
    const FREE: &'static [&'static str] = &["data.map"];
    const RENAMED: &'static [(&'static str, &'static str)] = &[("round.patience", "round.straggler_timeout")];

    fn validate(&self) -> Result<(), SettingError> {
        NodeConfig::validate(self)
    }
}

impl NodeConfig {
    /// Checks every value.
    ///
    /// # Errors
    /// The first value that breaks its rule.
    pub fn validate(&self) -> Result<(), SettingError> {
        let network = &self.task.network;
        let fits = (1..=64).contains(&network.len()) && network.bytes().all(|byte| byte.is_ascii_graphic());
        SettingError::check(fits, "task.network", network, "1 to 64 printable characters without spaces")?;
        self.data.validate()?;
        self.training.validate()?;
        self.mixing.validate()?;
        self.round.validate()?;
        self.exchange.validate()?;
        let whole = self.mixing.rule != Rule::PushSum || !self.exchange.codec.is_partial();
        let codec = self.exchange.codec.to_string();
        SettingError::check(whole, "exchange.codec", codec, "a codec of whole models where mixing.rule is push-sum")?;
        self.membership.validate()?;
        self.network.validate()
    }

    /// How a node of these settings learns.
    pub fn recipe(&self) -> Recipe {
        peerlearn_learner::recipe(&self.training, &self.mixing, self.exchange.codec, self.exchange.rounding)
    }

    /// Seeds minibatches, rounding and fragments of a peer: another one for every peer, or errors would not cancel and
    /// fragments would repeat.
    pub fn seed(&self, own: &PeerId) -> u64 {
        let salt = own.0.iter().take(8).fold(0, |salt, byte| salt << 8 | u64::from(*byte));
        self.training.seed ^ salt
    }

    /// What the machine of a peer is told, when it trains on `samples` rows and is measured on `measured`. Reads the
    /// file of edges, if there is one.
    ///
    /// # Errors
    /// [`SamplingError`].
    pub fn peer(
        &self,
        task: TaskId,
        layout: Layout,
        samples: usize,
        measured: usize,
    ) -> Result<PeerSettings, SamplingError> {
        let trained = u64::from(self.training.steps) * self.training.batch as u64;
        Ok(PeerSettings {
            task,
            layout: Arc::new(layout),
            recipe: Arc::new(self.recipe()),
            round: self.round.machine(),
            membership: self.membership.machine()?,
            exchange: self.exchange.machine(),
            samples: u32::try_from(samples).unwrap_or(u32::MAX),
            request_timeout: self.network.request_timeout,
            estimate_every: Some(self.round.estimate_every),
            evaluate_every: measure_every(self.round.evaluate_every, measured, trained),
            commit_every: self.round.commit_every,
        })
    }
}
