//! What a peer will do by itself, by time.

use std::collections::BinaryHeap;

use peerlearn_protocols::time::Time;

use super::event::{Alarm, Cause, Timer};

/// The alarms of one peer.
#[derive(Debug, Default)]
pub(super) struct Alarms {
    each: BinaryHeap<Alarm>,
    /// Those of which only the newest counts: the wake-ups of a machine. Kept among the others, the replaced ones would be
    /// visits to the peer for nothing.
    round: Option<Alarm>,
    discovery: Option<Alarm>,
}

impl Alarms {
    pub fn push(&mut self, alarm: Alarm) {
        match alarm.cause {
            Cause::Local { timer: Timer::Round, .. } => self.round = Some(alarm),
            Cause::Local { timer: Timer::Discovery, .. } => self.discovery = Some(alarm),
            _ => self.each.push(alarm),
        }
    }

    /// The earliest.
    pub fn peek(&self) -> Option<&Alarm> {
        // The earliest is the greatest.
        [self.each.peek(), self.round.as_ref(), self.discovery.as_ref()].into_iter().flatten().max()
    }

    /// When the earliest is due; never if there is none.
    pub fn next(&self) -> Time {
        self.peek().map_or(Time(u64::MAX), |alarm| alarm.at)
    }

    /// Takes the earliest away, if it is due.
    pub fn pop_if(&mut self, is_due: impl Fn(&Alarm) -> bool) -> Option<Alarm> {
        let alarm = *self.peek().filter(|alarm| is_due(alarm))?;
        match alarm.cause {
            Cause::Local { timer: Timer::Round, .. } => self.round = None,
            Cause::Local { timer: Timer::Discovery, .. } => self.discovery = None,
            _ => {
                self.each.pop();
            }
        }
        Some(alarm)
    }

    /// Takes all away, in no order.
    pub fn drain(&mut self) -> Vec<Alarm> {
        self.each.drain().chain(self.round.take()).chain(self.discovery.take()).collect()
    }
}
