//! The one place that reads the time for the machines.

use std::time::Duration;

use peerlearn_protocols::time::Time;
use tokio::time::Instant;

/// A monotonic clock with the start of the node as its origin. Clones share the origin.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    origin: Instant,
}

impl Clock {
    /// A clock that starts now.
    pub fn start() -> Self {
        Self { origin: Instant::now() }
    }

    /// The time on this clock.
    pub fn now(&self) -> Time {
        Time::ZERO + self.origin.elapsed()
    }

    /// How long until `time`; zero when it has passed.
    pub fn until(&self, time: Time) -> Duration {
        time.since(self.now())
    }
}
