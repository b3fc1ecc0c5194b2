//! Settings of membership.

use std::time::Duration;

use crate::sampling::Sampling;

/// Settings of membership. Rates and times are guesses tested in the demo unless a source is given.
#[derive(Debug, Clone, PartialEq)]
pub struct MembershipConfig {
    /// Most peers in the view.
    pub max_peers: usize,
    /// Least time between two announcements of this peer once everyone knows it.
    pub announce_every: Duration,
    /// Least time between two announcements in any case; newcomers are answered at this pace.
    pub announce_gap: Duration,
    /// Announcements a second that all peers of a topic together aim for. One announcement costs every peer about 6
    /// copies and 0.6 ms (measured with 50 to 300 gossipsub nodes), so 4 a second cost a quarter of a percent of a
    /// core.
    pub topic_rate: f64,
    /// A peer not heard of for this many of its announcement intervals is given up.
    pub expire_intervals: u32,
    /// Connections below which known peers are dialled without being drawn; gossipsub's mesh wants at least 4.
    pub min_connections: usize,
    /// Connections that are kept up in the long run, however many peers there are. Above it, draws prefer connected peers,
    /// and connections that were not of use for longest are ended.
    pub degree: usize,
    /// First pause after a failed dial; doubled with each further failure.
    pub redial_first: Duration,
    /// Longest pause after failed dials.
    pub redial_most: Duration,
    /// How peers are drawn; [`Sampling::View`] also says how they find each other.
    pub sampling: Sampling,
    /// Time between two shuffles of a view. Cyclon used 10 s; two peers that meet later mix later.
    pub shuffle_every: Duration,
}

impl Default for MembershipConfig {
    fn default() -> Self {
        Self {
            max_peers: 256,
            announce_every: Duration::from_secs(5),
            announce_gap: Duration::from_millis(200),
            topic_rate: 4.0,
            expire_intervals: 12,
            min_connections: 4,
            degree: 32,
            redial_first: Duration::from_millis(500),
            redial_most: Duration::from_secs(60),
            sampling: Sampling::default(),
            shuffle_every: Duration::from_secs(5),
        }
    }
}

impl MembershipConfig {
    /// Pause before the next dial after so many failures in a row.
    pub(super) fn redial_pause(&self, failures: u32) -> Duration {
        self.redial_first.saturating_mul(1 << failures.min(16)).min(self.redial_most)
    }
}
