//! A token bucket: how many messages somebody may still send.

use crate::time::Time;

/// Messages that may be sent: so many in a burst, so many a second in the long run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TokenBucket {
    left: f64,
    refilled: Time,
}

impl TokenBucket {
    /// A full one.
    pub fn full(now: Time, burst: f64) -> Self {
        Self { left: burst, refilled: now }
    }

    /// Takes one token, if there is one left. `sustained` tokens a second come back, up to `burst`.
    pub fn spend(&mut self, now: Time, burst: f64, sustained: f64) -> bool {
        let earned = now.since(self.refilled).as_secs_f64() * sustained;
        self.left = (self.left + earned).min(burst);
        self.refilled = now;
        let may = self.left >= 1.0;
        if may {
            self.left -= 1.0;
        }
        may
    }
}
