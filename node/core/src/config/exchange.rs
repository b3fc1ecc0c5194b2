//! Settings of the exchange: section `exchange`.

use peerlearn_protocols::codec::{Codec, Rounding};
use peerlearn_protocols::exchange::ExchangeConfig;
use peerlearn_runtime::settings::SettingError;
use serde::{Deserialize, Serialize};

/// What is done to an encoded model on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Compression {
    /// Nothing.
    #[default]
    None,
    /// zstd, where that saves at least one byte in fifty.
    Zstd,
}

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
    /// Whether models are asked for as frames compressed with zstd. It takes about a seventh off int8 weights and more
    /// off sparse codecs (measured), and costs the holder's time; for slow or metered links. Not under push-sum.
    pub compression: Compression,
    /// Pulls served at a time; more are told to come back.
    pub max_inbound: usize,
}

impl Default for ExchangeSettings {
    fn default() -> Self {
        Self { codec: Codec::Int8, rounding: Rounding::Nearest, compression: Compression::None, max_inbound: 16 }
    }
}

impl ExchangeSettings {
    /// Checks every value.
    ///
    /// # Errors
    /// The first value that breaks its rule.
    pub fn validate(&self) -> Result<(), SettingError> {
        let most = self.max_inbound;
        SettingError::check((1..=1024).contains(&most), "exchange.max_inbound", most, "from 1 to 1024")?;
        let (can, asked) = (cfg!(feature = "zstd"), self.compression);
        let want = "none: this program was built without zstd";
        SettingError::check(can || asked == Compression::None, "exchange.compression", asked, want)
    }

    /// What the machine is told.
    pub(super) fn machine(&self) -> ExchangeConfig {
        ExchangeConfig { compressed: self.compression == Compression::Zstd, ..ExchangeConfig::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compression_is_taken_where_this_program_has_it_and_refused_with_a_sentence_elsewhere() {
        let settings = ExchangeSettings { compression: Compression::Zstd, ..ExchangeSettings::default() };
        let refused = settings.validate().err().map(|error| error.to_string());
        assert_eq!(refused.is_none(), cfg!(feature = "zstd"), "{refused:?}");
        assert!(refused.is_none_or(|text| text.contains("built without zstd")));
    }
}
