//! Settings of the exchange: section `exchange`.

use peerlearn_protocols::codec::{Codec, Rounding};
use serde::{Deserialize, Serialize};

use crate::config::SettingError;

/// Settings of the exchange, as people write them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ExchangeSettings {
    /// How models are encoded on their way here. int8 equals f32 to 0.1 point at a quarter of the bytes (measured).
    /// Any codec of [`peerlearn_protocols::codec`]; beside a partial one the whole model is kept ready for newcomers.
    pub codec: Codec,
    /// How the int8 family rounds: to the nearest step, or up or down so that it is right on average (QSGD, Alistarh et
    /// al. 2017, section 3.1).
    pub rounding: Rounding,
    /// Pulls served at a time; more are told to come back.
    pub max_inbound: usize,
}

impl Default for ExchangeSettings {
    fn default() -> Self {
        Self { codec: Codec::Int8, rounding: Rounding::Nearest, max_inbound: 16 }
    }
}

impl ExchangeSettings {
    /// Checks every value.
    ///
    /// # Errors
    /// The first value that breaks its rule.
    pub fn validate(&self) -> Result<(), SettingError> {
        let most = self.max_inbound;
        SettingError::check((1..=1024).contains(&most), "exchange.max_inbound", most, "from 1 to 1024")
    }
}
