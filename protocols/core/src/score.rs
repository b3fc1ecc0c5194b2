//! Faults of peers, what each weighs, and when a peer is no longer listened to.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::id::PeerId;
use crate::time::Time;

/// A peer at this score is banned.
pub const BAN_AT: u32 = 100;
/// How long a ban lasts. A guess: long enough to make attacks slow, short enough to forgive a bad build.
pub const BAN_FOR: Duration = Duration::from_secs(3600);
/// A score halves in this time: honest peers have bad minutes, not bad hours.
const HALF_LIFE: Duration = Duration::from_secs(300);
/// Most peers remembered with a score; the one whose fault is oldest is forgotten first.
const MAX_SCORED: usize = 1024;

/// Something a peer did that it should not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Fault {
    /// Bytes that are no message.
    #[error("sent bytes that are no message")]
    Malformed,
    /// A message over its limit.
    #[error("sent a message over its size limit")]
    TooLong,
    /// A signature that does not fit.
    #[error("sent a wrong signature")]
    BadSignature,
    /// Content that does not have the hash it was offered with.
    #[error("sent content with a wrong hash")]
    WrongHash,
    /// A model of another shape.
    #[error("sent a model of a wrong shape")]
    WrongShape,
    /// A model with NaN or infinity.
    #[error("sent a model with values that are not finite")]
    NotFinite,
    /// An answer that does not fit its question.
    #[error("answered a question that was not asked")]
    Unexpected,
    /// More messages than anyone should send.
    #[error("sent too many messages")]
    Flood,
    /// No answer, or a stream too slow to be of use.
    #[error("did not answer in time")]
    Slow,
}

impl Fault {
    /// What it weighs. Only lies and attacks reach [`BAN_AT`] quickly; a lame link never does.
    pub const fn weight(self) -> u32 {
        match self {
            Fault::BadSignature | Fault::WrongHash | Fault::NotFinite | Fault::WrongShape => 40,
            Fault::Malformed | Fault::TooLong | Fault::Unexpected => 25,
            Fault::Flood => 5,
            Fault::Slow => 1,
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    score: f64,
    at: Time,
    banned_until: Option<Time>,
}

/// The scores of all peers, as one peer sees them.
#[derive(Debug, Default)]
pub struct ScoreBoard {
    entries: BTreeMap<PeerId, Entry>,
    refused: u64,
}

impl ScoreBoard {
    /// Counts a fault; true when it makes the peer banned.
    pub fn fault(&mut self, now: Time, peer: PeerId, fault: Fault) -> bool {
        self.refused += 1;
        if self.entries.len() >= MAX_SCORED && !self.entries.contains_key(&peer) {
            let oldest = self.entries.iter().min_by_key(|(_, entry)| entry.at).map(|(peer, _)| *peer);
            oldest.map(|oldest| self.entries.remove(&oldest));
        }
        let entry = self.entries.entry(peer).or_insert(Entry { score: 0.0, at: now, banned_until: None });
        entry.score = decayed(entry, now) + f64::from(fault.weight());
        entry.at = now;
        let was_banned = entry.banned_until.is_some_and(|until| now < until);
        if entry.score >= f64::from(BAN_AT) && !was_banned {
            entry.banned_until = Some(now + BAN_FOR);
            return true;
        }
        false
    }

    /// The score of a peer now, rounded down.
    pub fn score(&self, now: Time, peer: &PeerId) -> u32 {
        self.entries.get(peer).map_or(0, |entry| decayed(entry, now) as u32)
    }

    /// Whether a peer is banned now.
    pub fn is_banned(&self, now: Time, peer: &PeerId) -> bool {
        self.banned_until(now, peer).is_some()
    }

    /// Until when a peer is banned, if it is.
    pub fn banned_until(&self, now: Time, peer: &PeerId) -> Option<Time> {
        self.entries.get(peer).and_then(|entry| entry.banned_until).filter(|until| now < *until)
    }

    /// Faults counted since the start, of all peers.
    pub fn refused(&self) -> u64 {
        self.refused
    }
}

fn decayed(entry: &Entry, now: Time) -> f64 {
    let halvings = now.since(entry.at).as_secs_f64() / HALF_LIFE.as_secs_f64();
    entry.score * (-halvings).exp2()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANT: PeerId = PeerId([1; 32]);

    fn at(seconds: u64) -> Time {
        Time::ZERO + Duration::from_secs(seconds)
    }

    #[test]
    fn three_lies_ban_and_time_forgives() {
        let mut board = ScoreBoard::default();
        assert!(!board.fault(at(0), ANT, Fault::WrongHash));
        assert!(!board.fault(at(0), ANT, Fault::WrongHash));
        assert!(board.fault(at(0), ANT, Fault::WrongHash));
        assert!(board.is_banned(at(3599), &ANT) && !board.is_banned(at(3601), &ANT));
        assert_eq!(board.score(at(300), &ANT), 60);
        assert_eq!(board.refused(), 3);
    }

    #[test]
    fn a_slow_peer_is_never_banned() {
        let mut board = ScoreBoard::default();
        assert!((0..10_000).all(|n| !board.fault(at(n * 10), ANT, Fault::Slow)));
    }

    #[test]
    fn the_board_is_bounded() {
        let mut board = ScoreBoard::default();
        for n in 0..5000u32 {
            let mut id = [0; 32];
            id[..4].copy_from_slice(&n.to_le_bytes());
            board.fault(at(u64::from(n)), PeerId(id), Fault::Malformed);
        }
        assert_eq!(board.entries.len(), MAX_SCORED);
    }
}
