//! Settings of rounds: section `round`.

use std::time::Duration;

use peerlearn_protocols::round::RoundConfig;
use peerlearn_runtime::settings::{SettingError, duration};
use serde::{Deserialize, Serialize};

/// Settings of rounds, as people write them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RoundSettings {
    /// Peers drawn a round, s.
    pub fan_out: usize,
    /// Longest time a round waits for models.
    #[serde(with = "duration")]
    pub deadline: Duration,
    /// How long a round waits for stragglers once half of the models have come: this many times what that half took,
    /// and never less than training took. Whoever comes later counts in the next round. 0 waits to the deadline, and so
    /// do robust rules.
    pub straggler_timeout: u32,
    /// Least time from the start of one round to the start of the next.
    #[serde(with = "duration")]
    pub min_interval: Duration,
    /// Longest time a starting node looks for peers before it trains alone.
    #[serde(with = "duration")]
    pub join_wait: Duration,
    /// Rounds to stop after; 0 never stops.
    pub rounds: u64,
    /// Measure on validation and test rows every so many rounds; 0 chooses so that measuring takes at most a fifth of
    /// the time of training.
    pub evaluate_every: u64,
    /// Least time between two rounds that also estimate the whole network: one question more to each peer drawn, about
    /// 400 bytes. The number of peers takes 12 of them. 0 estimates in every round.
    #[serde(with = "duration")]
    pub estimate_every: Duration,
    /// Least time between two checkpoints.
    #[serde(with = "duration")]
    pub commit_every: Duration,
}

impl Default for RoundSettings {
    fn default() -> Self {
        let machine = RoundConfig::default();
        Self {
            fan_out: machine.fan_out,
            deadline: machine.deadline,
            straggler_timeout: machine.straggler_timeout,
            min_interval: Duration::from_secs(1),
            join_wait: machine.join_wait,
            rounds: 0,
            evaluate_every: 0,
            estimate_every: Duration::from_millis(250),
            commit_every: Duration::from_secs(1),
        }
    }
}

impl RoundSettings {
    /// Checks every value.
    ///
    /// # Errors
    /// The first value that breaks its rule.
    pub fn validate(&self) -> Result<(), SettingError> {
        let fan_out = self.fan_out;
        SettingError::check((1..=64).contains(&fan_out), "round.fan_out", fan_out, "from 1 to 64")?;
        let deadline = self.deadline;
        SettingError::check(!deadline.is_zero(), "round.deadline", deadline, "longer than 0s")
    }

    /// What the machine is told.
    pub fn machine(&self) -> RoundConfig {
        RoundConfig {
            fan_out: self.fan_out,
            deadline: self.deadline,
            straggler_timeout: self.straggler_timeout,
            min_interval: self.min_interval,
            join_wait: self.join_wait,
            rounds: self.rounds,
            ..RoundConfig::default()
        }
    }
}
