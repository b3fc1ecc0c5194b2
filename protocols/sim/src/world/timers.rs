//! What a peer will do by itself, by time.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use peerlearn_protocols::time::Time;

/// Something that a peer does at a time. What happens to one peer is ordered by time, then by who caused it, then by
/// the causer's own count.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timer {
    pub at: Time,
    pub number: u64,
    pub cause: Cause,
}

/// Why a peer does something by itself.
#[derive(Debug, Clone, Copy)]
pub(super) enum Cause {
    /// A timer of its process; those of an earlier life are void.
    Process { life: u32, kind: Kind },
    /// It comes, or goes.
    Change { there: bool },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Its machine wants to be woken.
    Wake,
    /// The first of its dials and questions was not answered in time.
    NetworkTimeout,
    /// Its training of this round is done.
    Trained { round: u64 },
}

impl PartialEq for Timer {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.number) == (other.at, other.number)
    }
}

impl Eq for Timer {}

impl PartialOrd for Timer {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Timer {
    /// The earliest is the greatest, as the standard heap gives the greatest first.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.number).cmp(&(self.at, self.number))
    }
}

/// The timers of one peer.
#[derive(Debug, Default)]
pub(super) struct Timers {
    each: BinaryHeap<Timer>,
    /// Those of which only the newest counts. Kept among the others, the replaced ones would be visits to the peer for
    /// nothing.
    wake: Option<Timer>,
    network: Option<Timer>,
}

impl Timers {
    pub fn push(&mut self, timer: Timer) {
        match timer.cause {
            Cause::Process { kind: Kind::Wake, .. } => self.wake = Some(timer),
            Cause::Process { kind: Kind::NetworkTimeout, .. } => self.network = Some(timer),
            _ => self.each.push(timer),
        }
    }

    fn peek(&self) -> Option<&Timer> {
        // The earliest is the greatest.
        [self.each.peek(), self.wake.as_ref(), self.network.as_ref()].into_iter().flatten().max()
    }

    /// When the earliest is due; never if there is none.
    pub fn next(&self) -> Time {
        self.peek().map_or(Time(u64::MAX), |timer| timer.at)
    }

    /// Takes the earliest away, if it is due.
    pub fn pop_if(&mut self, is_due: impl Fn(&Timer) -> bool) -> Option<Timer> {
        let timer = *self.peek().filter(|timer| is_due(timer))?;
        match timer.cause {
            Cause::Process { kind: Kind::Wake, .. } => self.wake = None,
            Cause::Process { kind: Kind::NetworkTimeout, .. } => self.network = None,
            _ => drop(self.each.pop()),
        }
        Some(timer)
    }

    /// Takes all away, in no order.
    pub fn drain(&mut self) -> Vec<Timer> {
        self.each.drain().chain(self.wake.take()).chain(self.network.take()).collect()
    }
}
