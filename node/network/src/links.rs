//! Bad links on purpose: what experiments do to the traffic of a node where the kernel cannot do it for them.
//!
//! [`Links`] is shared by whoever runs the experiment and the streams of the node. A node without one pays nothing. The
//! shaping sits above encryption and multiplexing, on every stream of a connection, TCP and QUIC alike:
//!
//! - *delay*: bytes that arrive are held back; each side delays what it receives;
//! - *loss*: streams are reliable, so a lost packet of [`SEGMENT`] bytes costs what its repetition costs: everything
//!   behind
//!   it waits for one retransmission timeout (at least 200 ms, RFC 9002 and Linux; twice the delay where that is longer);
//! - *rate*: what the node sends shares one bucket over all peers, filled at so many bytes a second;
//! - *mute*, *deaf*: nothing goes to, or comes from, the peer. Streams stall, as they do behind a cut cable; new
//!   connections fail.

mod stream;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use peerlearn_protocols::id::PeerId;
use tokio::sync::watch;
use tokio::time::Instant;

pub(super) use stream::shaped;

/// Bytes of one lost packet.
pub const SEGMENT: usize = 1400;
/// Shortest time after which a packet is sent again.
const LEAST_TIMEOUT: Duration = Duration::from_millis(200);
/// How long the bucket of a limited uplink saves up.
const BURST: Duration = Duration::from_millis(20);

/// What happens to the traffic with one peer.
#[derive(Debug, Clone, Copy, PartialEq, Default, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LinkShape {
    /// Shortest and longest time that arriving bytes are held back, in microseconds.
    pub delay_us: (u64, u64),
    /// Chance that a packet has to be sent again.
    pub loss: f64,
    /// Nothing goes out to the peer.
    pub mute: bool,
    /// Nothing comes in from the peer.
    pub deaf: bool,
}

/// The links of a node, as an experiment wants them.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LinkTable {
    /// The link to everybody who is not in `peers`.
    pub usual: LinkShape,
    /// Links to these.
    pub peers: BTreeMap<PeerId, LinkShape>,
    /// Bytes a second of the uplink, for all peers together; none for no limit.
    pub rate: Option<u64>,
}

/// A [`LinkTable`] that can be changed while the node runs. Clones share it.
#[derive(Debug, Clone)]
pub struct Links {
    table: Arc<RwLock<LinkTable>>,
    bucket: Arc<Mutex<Bucket>>,
    changed: Arc<watch::Sender<u64>>,
}

/// Bytes that may be sent now.
#[derive(Debug)]
struct Bucket {
    tokens: f64,
    filled: Instant,
}

impl Default for Links {
    fn default() -> Self {
        Self::new(LinkTable::default())
    }
}

impl Links {
    /// Links as in the table.
    pub fn new(table: LinkTable) -> Self {
        let bucket = Bucket { tokens: 0.0, filled: Instant::now() };
        Self {
            table: Arc::new(RwLock::new(table)),
            bucket: Arc::new(Mutex::new(bucket)),
            changed: Arc::new(watch::Sender::new(0)),
        }
    }

    /// Replaces the table; streams that stall look again.
    pub fn set(&self, table: LinkTable) {
        *self.table.write().unwrap_or_else(PoisonError::into_inner) = table;
        self.changed.send_modify(|version| *version += 1);
    }

    /// The link to a peer.
    pub fn of(&self, peer: &PeerId) -> LinkShape {
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        table.peers.get(peer).copied().unwrap_or(table.usual)
    }

    /// Takes up to `want` bytes out of the bucket of the uplink, or says how long to wait for the first.
    fn take(&self, want: usize) -> Result<usize, Duration> {
        let rate = self.table.read().unwrap_or_else(PoisonError::into_inner).rate;
        let Some(rate) = rate else { return Ok(want) };
        let rate = rate.max(1) as f64;
        let mut bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let most = (rate * BURST.as_secs_f64()).max(SEGMENT as f64);
        bucket.tokens = (bucket.tokens + rate * (now - bucket.filled).as_secs_f64()).min(most);
        bucket.filled = now;
        // Whole packets, where there is so much to send: dribbles of a few bytes would only cost encryption.
        let least = want.min(SEGMENT) as f64;
        if bucket.tokens < least {
            return Err(Duration::from_secs_f64(((least - bucket.tokens) / rate).clamp(1e-4, 10.0)));
        }
        let taken = want.min(bucket.tokens as usize);
        bucket.tokens -= taken as f64;
        Ok(taken)
    }

    /// Gives back what was taken and not sent.
    fn give_back(&self, bytes: usize) {
        self.bucket.lock().unwrap_or_else(PoisonError::into_inner).tokens += bytes as f64;
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }
}

impl LinkShape {
    /// How long these many bytes that just arrived are held back. `random` are draws from `[0, 1)`.
    fn hold(&self, bytes: usize, mut random: impl FnMut() -> f64) -> Duration {
        let (least, most) = self.delay_us;
        let spread = most.saturating_sub(least) as f64 * random();
        let delay = Duration::from_micros(least.saturating_add(spread as u64));
        let timeout = LEAST_TIMEOUT.max(Duration::from_micros(most).saturating_mul(2));
        let packets = bytes.div_ceil(SEGMENT);
        let lost = if self.loss > 0.0 { (0..packets).filter(|_| random() < self.loss).count() } else { 0 };
        // Packets lost together are repeated together.
        if lost > 0 { delay + timeout } else { delay }
    }

    fn is_immediate(&self) -> bool {
        self.delay_us.1 == 0 && self.loss <= 0.0
    }

    fn is_cut(&self) -> bool {
        self.mute || self.deaf
    }
}
