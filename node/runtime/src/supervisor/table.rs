//! How often and after what pause a component is started again.

use std::collections::VecDeque;
use std::time::Duration;

use peerlearn_protocols::time::Time;

/// When to start a failed component again. A guess: a bug that strikes ten times in a minute will strike again.
#[derive(Debug, Clone, Copy)]
pub struct RestartPolicy {
    /// Failures within `window` after which the node gives up.
    pub most: usize,
    /// See `most`.
    pub window: Duration,
    /// Pause before the first restart; doubled with each failure within `window`.
    pub first_pause: Duration,
}

impl Default for RestartPolicy {
    fn default() -> Self {
        Self { most: 10, window: Duration::from_secs(60), first_pause: Duration::from_millis(20) }
    }
}

/// What to do about a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestartDecision {
    /// Start the component again after this pause.
    Restart(Duration),
    /// The component failed too often.
    GiveUp,
}

/// The failures of one component.
#[derive(Debug, Default)]
pub(super) struct Failures {
    recent: VecDeque<Time>,
    /// Restarts so far.
    pub total: u32,
}

impl Failures {
    pub fn record(&mut self, now: Time, policy: &RestartPolicy) -> RestartDecision {
        self.recent.push_back(now);
        while self.recent.front().is_some_and(|&first| now.since(first) > policy.window) {
            self.recent.pop_front();
        }
        if self.recent.len() > policy.most {
            return RestartDecision::GiveUp;
        }
        self.total += 1;
        let doublings = (self.recent.len() - 1).min(16) as u32;
        RestartDecision::Restart(policy.first_pause.saturating_mul(1 << doublings))
    }
}
