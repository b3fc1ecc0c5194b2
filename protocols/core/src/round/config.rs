//! Settings of rounds.

use std::time::Duration;

/// Settings of rounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoundConfig {
    /// Peers drawn a round, s. Four int8 models beat one f32 model by 9 to 17 points at equal bytes (measured on MNIST,
    /// 32 peers, Dirichlet 0.1).
    pub fan_out: usize,
    /// Longest time a round waits for models.
    pub deadline: Duration,
    /// How long a round waits for stragglers once half of the models have come: this many times what that half took,
    /// and never less than the round took before. Whoever comes later counts in the next round. 0 waits to the
    /// deadline.
    pub straggler_timeout: u32,
    /// Least time from the start of one round to the start of the next.
    pub min_interval: Duration,
    /// Longest time a starting peer looks for others before it trains alone.
    pub join_wait: Duration,
    /// Rounds after which the peer only serves what it has; 0 never ends.
    pub rounds: u64,
    /// Draws that may replace failed pulls in one round, as a multiple of `fan_out`.
    pub redraws: usize,
}

impl Default for RoundConfig {
    fn default() -> Self {
        Self {
            fan_out: 4,
            deadline: Duration::from_secs(10),
            straggler_timeout: 4,
            min_interval: Duration::ZERO,
            join_wait: Duration::from_secs(3),
            rounds: 0,
            redraws: 1,
        }
    }
}
