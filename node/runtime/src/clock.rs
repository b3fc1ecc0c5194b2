//! The one place that reads the time for the machines.

#[cfg(any(feature = "faults", test))]
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use peerlearn_protocols::time::Time;
use tokio::time::Instant;

/// A monotonic clock with the start of the node as its origin. Clones share it, and what is done to it.
#[derive(Debug, Clone)]
pub struct Clock {
    origin: Instant,
    /// Set when an experiment has made the clock wrong.
    #[cfg(any(feature = "faults", test))]
    wrong: Arc<RwLock<Option<Wrong>>>,
}

/// How a clock is wrong: since a moment it goes at another rate, from another reading. A rate of 0 is a clock that
/// stands.
#[cfg(any(feature = "faults", test))]
#[derive(Debug, Clone, Copy)]
struct Wrong {
    since: Instant,
    reading: Duration,
    rate: f64,
}

impl Clock {
    /// A clock that starts now.
    pub fn start() -> Self {
        Self {
            origin: Instant::now(),
            #[cfg(any(feature = "faults", test))]
            wrong: Arc::default(),
        }
    }

    /// The time on this clock.
    pub fn now(&self) -> Time {
        Time::ZERO + self.reading()
    }

    /// How long until `time`; zero when it has passed.
    pub fn until(&self, time: Time) -> Duration {
        let left = time.since(self.now());
        #[cfg(any(feature = "faults", test))]
        let left = self.wrong().map_or(left, |wrong| match wrong.rate > 0.0 {
            true => left.div_f64(wrong.rate),
            // Whatever is waited for never comes.
            false => Duration::MAX,
        });
        left
    }

    fn reading(&self) -> Duration {
        #[cfg(any(feature = "faults", test))]
        if let Some(wrong) = self.wrong() {
            return wrong.reading.saturating_add(wrong.since.elapsed().mul_f64(wrong.rate));
        }
        self.origin.elapsed()
    }
}

#[cfg(any(feature = "faults", test))]
impl Clock {
    /// Makes the clock wrong, for experiments: it jumps ahead by `jump`, and from now on shows `rate` seconds a second
    /// (kept from 1/1000 to 1000). A rate of 1 lets it go right again, from where it is.
    pub fn distort(&self, rate: f64, jump: Duration) {
        let reading = self.reading().saturating_add(jump);
        let rate = if rate.is_finite() { rate.clamp(1e-3, 1e3) } else { 1.0 };
        let wrong = Wrong { since: Instant::now(), reading, rate };
        *self.wrong.write().unwrap_or_else(PoisonError::into_inner) = Some(wrong);
    }

    /// Lets the clock stand at a time, for tests that set the time themselves.
    pub fn stand_at(&self, time: Time) {
        let wrong = Wrong { since: Instant::now(), reading: time.since(Time::ZERO), rate: 0.0 };
        *self.wrong.write().unwrap_or_else(PoisonError::into_inner) = Some(wrong);
    }

    fn wrong(&self) -> Option<Wrong> {
        *self.wrong.read().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_distorted_clock_jumps_and_runs_at_its_rate() {
        let clock = Clock::start();
        let shared = clock.clone();
        clock.distort(1000.0, Duration::from_secs(100));
        let before = shared.now();
        assert!(before >= Time::ZERO + Duration::from_secs(100));
        std::thread::sleep(Duration::from_millis(20));
        assert!(shared.now().since(before) >= Duration::from_secs(20));
        // A thousand seconds on this clock are one to wait.
        assert!(shared.until(shared.now() + Duration::from_secs(1000)) <= Duration::from_secs(1));
        clock.distort(f64::NAN, Duration::ZERO);
        let right_again = shared.now();
        let began = Instant::now();
        let passed = shared.now().since(right_again);
        assert!(passed <= began.elapsed() + Duration::from_secs(1));
    }
}
