//! Settings: what they are, where they come from, what is wrong with them.
//!
//! Every room has its own settings in its own `config.rs`; here they are put together and read in layers: built-in
//! defaults, then the file, then the environment, then flags. An error names the layer, the key and the line.

pub mod duration;
mod error;
mod layers;
mod template;

use peerlearn_protocols::id::PeerId;
use peerlearn_protocols::mixing::Rule;
use serde::{Deserialize, Serialize};

pub use error::SettingError;
pub use layers::{ConfigError, Layers};
pub use template::template;

use crate::data::DataConfig;
use crate::exchange::ExchangeSettings;
use crate::learner::{EncodingConfig, LearnerConfig, MixingConfig, ModelFamily, TrainingConfig};
use crate::membership::MembershipSettings;
use crate::network::NetworkConfig;
use crate::round::RoundSettings;

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

    /// The part for the learner of this peer.
    pub fn learner(&self, own: &PeerId) -> LearnerConfig {
        let salt = own.0.iter().take(8).fold(0, |salt, byte| salt << 8 | u64::from(*byte));
        let encoding = EncodingConfig {
            codec: self.exchange.codec,
            rounding: self.exchange.rounding,
            seed: self.training.seed ^ salt,
        };
        LearnerConfig { training: self.training.clone(), mixing: self.mixing.clone(), encoding }
    }
}
