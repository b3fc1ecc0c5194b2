//! The sessions of one peer: which one is open, and what was agreed on.
//!
//! One session at a time, and one for each publication: a second share of a difference to the same published model
//! would overshoot. Busy is an answer, nobody waits for the session of another, so there is no circle to wait in
//! (*progress*). Of two that ask each other at the same time the one with the smaller id yields and becomes the
//! responder.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use crate::codec::Codec;
use crate::id::PeerId;
use crate::mixing::pair::PendingDelta;
use crate::wire::{BulkRequest, Publication, Refusal};

/// What each side adds of the difference.
pub(super) const SHARE: f32 = 0.5;
/// Most deltas that wait to be added; a peer takes them at every publication, so there are one or two.
const MAX_DELTAS: usize = 8;
/// Most settled sessions remembered, for initiators that did not hear the answer. One publication gives one.
const MAX_SETTLED: usize = 64;

/// A session that this peer has initiated.
#[derive(Debug, Clone)]
pub struct Initiated {
    /// Its number; grows with every session this peer initiates.
    pub number: u64,
    /// The own model that is named.
    pub ours: Publication,
}

/// Why no session can be initiated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotInitiated {
    /// Another session that this peer initiated is under way, or all rounds are done.
    Busy,
    /// The newest publication has its session already, as a responder or before, or there is none.
    Spent,
}

/// What a responder answers to a question to settle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settlement {
    /// Its delta is due.
    Settled,
    /// The initiator's model has not arrived yet.
    Wait,
    /// There is no such session, or it was given up.
    Gone,
}

#[derive(Debug)]
struct Initiating {
    partner: PeerId,
    session: Initiated,
}

#[derive(Debug)]
struct Responding {
    initiator: PeerId,
    number: u64,
    ours: Publication,
    theirs: Option<(Arc<Vec<u8>>, u64)>,
}

/// The sessions of one peer.
#[derive(Debug)]
pub struct Sessions {
    own: PeerId,
    number: u64,
    /// The newest publication, until it has a session.
    fresh: Option<Publication>,
    initiating: Option<Initiating>,
    responding: Option<Responding>,
    settled: VecDeque<(PeerId, u64)>,
    deltas: Vec<PendingDelta>,
    closed: bool,
}

impl Sessions {
    /// No session yet. `starts` counts the starts of this peer, so that numbers of an earlier life are not used again.
    pub fn new(own: PeerId, starts: u32) -> Self {
        Self {
            own,
            number: u64::from(starts) << 32,
            fresh: None,
            initiating: None,
            responding: None,
            settled: VecDeque::new(),
            deltas: Vec::new(),
            closed: false,
        }
    }

    /// The own model was published; it may have one session.
    pub fn publish(&mut self, publication: Publication) {
        self.fresh = Some(publication);
    }

    /// Initiates a session.
    ///
    /// # Errors
    /// [`NotInitiated`].
    pub fn initiate(&mut self, partner: PeerId) -> Result<Initiated, NotInitiated> {
        if self.closed || self.initiating.is_some() {
            return Err(NotInitiated::Busy);
        }
        if self.responding.is_some() {
            return Err(NotInitiated::Spent);
        }
        let ours = self.fresh.take().ok_or(NotInitiated::Spent)?;
        self.number += 1;
        let session = Initiated { number: self.number, ours };
        self.initiating = Some(Initiating { partner, session: session.clone() });
        Ok(session)
    }

    /// The own session came to nothing: the other refused, or nobody has asked it to settle. The model may have
    /// another.
    pub fn initiation_failed(&mut self, number: u64) {
        if let Some(gone) = self.initiating.take_if(|initiating| initiating.session.number == number) {
            self.fresh.get_or_insert(gone.session.ours);
        }
    }

    /// The other was asked to settle and has not answered. Other sessions may begin while it is asked again.
    pub fn leave_open(&mut self, number: u64) {
        self.initiating.take_if(|initiating| initiating.session.number == number);
    }

    /// The other has settled: the own delta is due.
    pub fn agreed(&mut self, number: u64, delta: PendingDelta) {
        self.initiating.take_if(|initiating| initiating.session.number == number);
        self.deltas.push(delta);
    }

    /// Another peer wants a session with this one, models in this codec. Answers the own model it will be about.
    ///
    /// # Errors
    /// Why not.
    pub fn respond(&mut self, initiator: PeerId, number: u64, codec: Codec) -> Result<Publication, Refusal> {
        if self.closed {
            return Err(Refusal::NoSession);
        }
        // A new question of the same initiator means that it has given up the one before.
        if let Some(gone) =
            self.responding.take_if(|responding| responding.initiator == initiator && responding.number < number)
        {
            self.fresh.get_or_insert(gone.ours);
        }
        let yields =
            self.initiating.as_ref().is_some_and(|initiating| initiating.partner == initiator && self.own < initiator);
        if yields && let Some(initiating) = self.initiating.take() {
            self.fresh.get_or_insert(initiating.session.ours);
        }
        if self.initiating.is_some() || self.responding.is_some() || self.deltas.len() >= MAX_DELTAS {
            return Err(Refusal::Busy);
        }
        let ours = self.fresh.take().ok_or(Refusal::Busy)?;
        if ours.offer.codec != codec {
            self.fresh = Some(ours);
            return Err(Refusal::Codec);
        }
        self.responding = Some(Responding { initiator, number, ours: ours.clone(), theirs: None });
        Ok(ours)
    }

    /// The initiator's model is here, checked. False if it is that of a session that was given up.
    pub fn arrived(&mut self, initiator: PeerId, number: u64, theirs: Arc<Vec<u8>>, age: u64) -> bool {
        let responding = self.responding.as_mut().filter(|open| (open.initiator, open.number) == (initiator, number));
        responding.map(|open| open.theirs = Some((theirs, age))).is_some()
    }

    /// The initiator's model did not come, or nobody asked to settle in time. A session that is settled stays settled.
    pub fn abandon(&mut self, initiator: PeerId, number: u64) {
        if let Some(gone) =
            self.responding.take_if(|responding| (responding.initiator, responding.number) == (initiator, number))
        {
            self.fresh.get_or_insert(gone.ours);
        }
    }

    /// The initiator has this peer's model and asks to settle.
    pub fn settle(&mut self, initiator: PeerId, number: u64) -> Settlement {
        if self.settled.contains(&(initiator, number)) {
            return Settlement::Settled;
        }
        let is_this = |open: &mut Responding| (open.initiator, open.number) == (initiator, number);
        let Some(open) = self.responding.take_if(is_this) else { return Settlement::Gone };
        let Some((theirs, age)) = open.theirs else {
            self.responding = Some(open);
            return Settlement::Wait;
        };
        self.deltas.push(PendingDelta { peer: initiator, ours: open.ours.blob, theirs, share: SHARE, age });
        if self.settled.len() >= MAX_SETTLED {
            self.settled.pop_front();
        }
        self.settled.push_back((initiator, number));
        Settlement::Settled
    }

    /// No session begins any more, and one that this peer responds to is given up: after the last round.
    pub fn close(&mut self) {
        self.closed = true;
        self.responding = None;
    }

    /// The deltas that are due, once.
    pub fn take(&mut self) -> Vec<PendingDelta> {
        std::mem::take(&mut self.deltas)
    }

    /// Chunks of the model that a session is about, also when newer ones have pushed it out of the store.
    pub fn open(&self, request: &BulkRequest) -> Option<(Arc<Vec<u8>>, Range<usize>)> {
        self.responding.as_ref().and_then(|responding| responding.ours.open(request))
    }
}
