//! Announcements in and out: signatures, and how much of them to take from whom.

use std::collections::BTreeMap;
use std::time::Instant;

use peerlearn_protocols::id::{PeerId, TaskId};
use peerlearn_protocols::score::Fault;
use peerlearn_protocols::time::Time;
use peerlearn_protocols::token_bucket::TokenBucket;
use peerlearn_protocols::wire::{Announcement, Signed, Wire, WireError};

use super::identity::{Identity, public_key};

/// Signs an announcement.
pub(super) fn sign(identity: &Identity, announcement: &Announcement) -> Result<Vec<u8>, WireError> {
    let body = announcement.to_bytes()?;
    let signature = identity.sign(&Signed::message_to_sign(&body));
    Signed { author: identity.peer(), signature, body }.to_bytes()
}

/// Opens a signed announcement: frame, signature, body, task. The fault is of whoever passed it on: honest peers check
/// before they do.
pub(super) fn open(task: TaskId, bytes: &[u8]) -> Result<(PeerId, Announcement), Fault> {
    let signed = Signed::from_bytes(bytes).map_err(|error| fault(&error))?;
    let key = public_key(&signed.author).ok_or(Fault::BadSignature)?;
    if !key.verify(&Signed::message_to_sign(&signed.body), &signed.signature) {
        return Err(Fault::BadSignature);
    }
    let announcement = Announcement::from_bytes(&signed.body).map_err(|error| fault(&error))?;
    if announcement.task != task {
        return Err(Fault::Unexpected);
    }
    Ok((signed.author, announcement))
}

/// What a frame that cannot be read counts as.
pub(super) fn fault(error: &WireError) -> Fault {
    match error {
        WireError::TooLong { .. } => Fault::TooLong,
        _ => Fault::Malformed,
    }
}

/// Most peers with an allowance; connections are fewer.
const MAX_BUCKETS: usize = 1024;
/// Messages a neighbour may pass on in a burst: every peer of a full view may speak at once when the network starts.
const BURST: f64 = 1000.0;
/// Messages a second a neighbour may pass on in the long run; a topic carries 4 a second by design.
const SUSTAINED: f64 = 50.0;

/// One fault is counted for so many messages too many.
const BLAMED: u64 = 1000;

/// What becomes of a message by the number of those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Allowance {
    /// It is looked at.
    Taken,
    /// It is one too many.
    Dropped,
    /// So were many before it.
    Blamed,
}

/// How many messages each neighbour may still pass on; spent before anything is decoded or verified.
#[derive(Debug)]
pub(super) struct Allowances {
    since: Instant,
    buckets: BTreeMap<libp2p::PeerId, (TokenBucket, u64)>,
}

impl Allowances {
    pub fn new() -> Self {
        Self { since: Instant::now(), buckets: BTreeMap::new() }
    }

    /// Counts a message that a peer passed on. What waited for minutes comes at once, which is nobody's fault; only who goes on
    /// and on is blamed.
    pub fn spend(&mut self, peer: libp2p::PeerId) -> Allowance {
        if self.buckets.len() >= MAX_BUCKETS && !self.buckets.contains_key(&peer) {
            self.buckets.pop_first();
        }
        let now = Time::ZERO + self.since.elapsed();
        let (bucket, excess) = self.buckets.entry(peer).or_insert_with(|| (TokenBucket::full(now, BURST), 0));
        if bucket.spend(now, BURST, SUSTAINED) {
            return Allowance::Taken;
        }
        *excess += 1;
        if *excess % BLAMED == 0 { Allowance::Blamed } else { Allowance::Dropped }
    }

    pub fn forget(&mut self, peer: &libp2p::PeerId) {
        self.buckets.remove(peer);
    }
}
