//! How often others can make this node dial.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use libp2p::PeerId;

/// How long an attempt counts.
const SPAN: Duration = Duration::from_secs(60);

/// The attempts of the last minute.
pub(super) struct Attempts {
    per_peer: usize,
    in_all: usize,
    made: VecDeque<(Instant, PeerId)>,
}

impl Attempts {
    /// So many a minute for one peer, and for all together.
    pub fn new(per_peer: usize, in_all: usize) -> Self {
        Self { per_peer, in_all, made: VecDeque::new() }
    }

    /// Whether there may be one more for this peer; counted, if so.
    pub fn allows(&mut self, peer: PeerId) -> bool {
        let now = Instant::now();
        self.made.retain(|(at, _)| now.duration_since(*at) < SPAN);
        let theirs = self.made.iter().filter(|(_, made)| *made == peer).count();
        let allowed = theirs < self.per_peer && self.made.len() < self.in_all;
        if allowed {
            self.made.push_back((now, peer));
        }
        allowed
    }

    /// Forgets all.
    #[cfg(test)]
    pub fn clear(&mut self) {
        self.made.clear();
    }
}
