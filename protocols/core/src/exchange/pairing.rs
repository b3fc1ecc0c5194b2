//! Meetings of two peers that move towards each other by the same amount: symmetric pair averaging over a network.
//!
//! Both name one published model each, y and y', and each adds half of the difference of these two to whatever its model
//! is by then ([`crate::mixing::pair::add_half`]). What one adds the other takes away, so the sum of all models is kept if
//! *both* do it, however late. The conversation, led by the one that drew the other:
//!
//! ```text
//!   leader                                     guest
//!     | -- Meet(number, root of y) ------------> |   busy? then it says so at once, and nobody has moved
//!     | <----------------- Meeting(offer of y') |   both names are fixed
//!     | <== chunks of y'           chunks of y ==> |  each pulls the other's, checks and parses it
//!     | -- Settle(number) ---------------------> |   has it y? Then its half is due from here on, whatever comes
//!     | <------------------------------ Settled |   the leader's half is due
//! ```
//!
//! Before Settle arrives either side may give up and nobody has moved. From then on the guest never takes it back and
//! remembers that it settled; a leader that hears no answer asks again. So the sum is kept unless a peer is lost (killed
//! before its half is in a checkpoint, or unreachable for as long as the leader asks) between Settle and its half: then
//! the mean is off by half of the difference of the two models, over the number of peers, once for each such meeting.
//!
//! One meeting at a time, and one for each publication: a second half of a difference to the same y would overshoot. Busy
//! is an answer, nobody waits for the meeting of another, so there is no circle to wait in (*progress*). Of two that ask
//! each other at the same time the one with the smaller id yields and becomes the guest.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::Publication;
use crate::codec::Codec;
use crate::id::PeerId;
use crate::wire::{BulkRequest, Refusal};

/// Most halves that wait to be added; a peer takes them at every publication, so there are one or two.
const MAX_HALVES: usize = 8;
/// Most settled meetings remembered, for leaders that did not hear the answer. One publication gives one.
const MAX_SETTLED: usize = 64;

/// Longest time a guest takes to fetch the leader's model, and then waits to be asked to settle; as long as a round waits
/// for models unless told otherwise.
pub const GUEST_LIMIT: Duration = Duration::from_secs(10);
/// How long a leader goes on asking a guest that does not answer whether it has settled.
pub const OPEN_LIMIT: Duration = Duration::from_secs(60);
/// Pause before it asks again: a guest that still fetches, and one that cannot be reached.
pub const ASK_AGAIN: [Duration; 2] = [Duration::from_millis(20), Duration::from_millis(500)];
/// Meetings that may be open in this way at a time; each holds two encoded models.
pub const MAX_OPEN: usize = 4;

/// What is to be added to the own model: half of what `theirs` is ahead of `ours`.
#[derive(Debug, Clone)]
pub struct Half {
    /// Whom with.
    pub peer: PeerId,
    /// The own model that was named, encoded.
    pub ours: Arc<Vec<u8>>,
    /// The other's, encoded, checked.
    pub theirs: Arc<Vec<u8>>,
    /// Age of the other's, as claimed.
    pub age: u64,
}

/// A meeting to lead.
#[derive(Debug, Clone)]
pub struct Lead {
    /// Its number; grows with every meeting this peer leads.
    pub number: u64,
    /// The own model that is named.
    pub ours: Publication,
}

/// Why no meeting can be led.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoLead {
    /// Another meeting that this peer leads is under way, or all rounds are done.
    Busy,
    /// The newest publication has its meeting, as that of a guest or before, or there is none.
    Spent,
}

/// What a guest answers to Settle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settling {
    /// Its half is due.
    Settled,
    /// The leader's model has not arrived yet.
    Wait,
    /// There is no such meeting, or it was given up.
    Gone,
}

#[derive(Debug)]
struct Leading {
    partner: PeerId,
    lead: Lead,
}

#[derive(Debug)]
struct Guest {
    leader: PeerId,
    number: u64,
    ours: Publication,
    theirs: Option<(Arc<Vec<u8>>, u64)>,
}

/// The meetings of one peer.
#[derive(Debug)]
pub struct Pairing {
    own: PeerId,
    number: u64,
    /// The newest publication, until it has a meeting.
    fresh: Option<Publication>,
    leading: Option<Leading>,
    guest: Option<Guest>,
    settled: VecDeque<(PeerId, u64)>,
    halves: Vec<Half>,
    closed: bool,
}

impl Pairing {
    /// Nobody met yet. `starts` counts the starts of this peer, so that numbers of an earlier life are not used again.
    pub fn new(own: PeerId, starts: u32) -> Self {
        Self {
            own,
            number: u64::from(starts) << 32,
            fresh: None,
            leading: None,
            guest: None,
            settled: VecDeque::new(),
            halves: Vec::new(),
            closed: false,
        }
    }

    /// The own model was published; it may have one meeting.
    pub fn publish(&mut self, publication: Publication) {
        self.fresh = Some(publication);
    }

    /// Begins to lead a meeting.
    ///
    /// # Errors
    /// [`NoLead`].
    pub fn lead(&mut self, partner: PeerId) -> Result<Lead, NoLead> {
        if self.closed || self.leading.is_some() {
            return Err(NoLead::Busy);
        }
        if self.guest.is_some() {
            return Err(NoLead::Spent);
        }
        let ours = self.fresh.take().ok_or(NoLead::Spent)?;
        self.number += 1;
        let lead = Lead { number: self.number, ours };
        self.leading = Some(Leading { partner, lead: lead.clone() });
        Ok(lead)
    }

    /// The own meeting came to nothing: the other refused, or nobody has asked it to settle. The model may meet another.
    pub fn lead_failed(&mut self, number: u64) {
        if let Some(gone) = self.leading.take_if(|leading| leading.lead.number == number) {
            self.fresh.get_or_insert(gone.lead.ours);
        }
    }

    /// The other was asked to settle and has not answered. Others may be met while it is asked again.
    pub fn lead_open(&mut self, number: u64) {
        self.leading.take_if(|leading| leading.lead.number == number);
    }

    /// The other has settled: the own half is due.
    pub fn led(&mut self, number: u64, half: Half) {
        self.leading.take_if(|leading| leading.lead.number == number);
        self.halves.push(half);
    }

    /// Another peer wants to meet this one, models in this codec. Answers the own model it will be about.
    ///
    /// # Errors
    /// Why not.
    pub fn invited(&mut self, leader: PeerId, number: u64, codec: Codec) -> Result<Publication, Refusal> {
        if self.closed {
            return Err(Refusal::NoMeeting);
        }
        // A new question of the same leader means that it has given up the one before.
        if let Some(gone) = self.guest.take_if(|guest| guest.leader == leader && guest.number < number) {
            self.fresh.get_or_insert(gone.ours);
        }
        let yields = self.leading.as_ref().is_some_and(|leading| leading.partner == leader && self.own < leader);
        if yields && let Some(leading) = self.leading.take() {
            self.fresh.get_or_insert(leading.lead.ours);
        }
        if self.leading.is_some() || self.guest.is_some() || self.halves.len() >= MAX_HALVES {
            return Err(Refusal::Busy);
        }
        let ours = self.fresh.take().ok_or(Refusal::Busy)?;
        if ours.offer.codec != codec {
            self.fresh = Some(ours);
            return Err(Refusal::Codec);
        }
        self.guest = Some(Guest { leader, number, ours: ours.clone(), theirs: None });
        Ok(ours)
    }

    /// The leader's model is here, checked.
    pub fn arrived(&mut self, leader: PeerId, number: u64, theirs: Arc<Vec<u8>>, age: u64) {
        let guest = self.guest.as_mut().filter(|guest| (guest.leader, guest.number) == (leader, number));
        guest.into_iter().for_each(|guest| guest.theirs = Some((Arc::clone(&theirs), age)));
    }

    /// The leader's model did not come, or nobody asked to settle in time. A meeting that is settled stays settled.
    pub fn abandoned(&mut self, leader: PeerId, number: u64) {
        if let Some(gone) = self.guest.take_if(|guest| (guest.leader, guest.number) == (leader, number)) {
            self.fresh.get_or_insert(gone.ours);
        }
    }

    /// The leader has this peer's model and asks to settle.
    pub fn settle(&mut self, leader: PeerId, number: u64) -> Settling {
        if self.settled.contains(&(leader, number)) {
            return Settling::Settled;
        }
        let is_this = |guest: &mut Guest| (guest.leader, guest.number) == (leader, number);
        let Some(guest) = self.guest.take_if(is_this) else { return Settling::Gone };
        let Some((theirs, age)) = guest.theirs else {
            self.guest = Some(guest);
            return Settling::Wait;
        };
        self.halves.push(Half { peer: leader, ours: guest.ours.blob, theirs, age });
        if self.settled.len() >= MAX_SETTLED {
            self.settled.pop_front();
        }
        self.settled.push_back((leader, number));
        Settling::Settled
    }

    /// The halves that are due. After the last round nobody is met any more, and a meeting under way is given up: `last`.
    pub fn take(&mut self, last: bool) -> Vec<Half> {
        if last {
            self.closed = true;
            self.guest = None;
        }
        std::mem::take(&mut self.halves)
    }

    /// Chunks of the model that a meeting is about, also when newer ones have pushed it off the shelf.
    pub fn open(&self, request: &BulkRequest) -> Option<(Arc<Vec<u8>>, Range<usize>)> {
        self.guest.as_ref().and_then(|guest| guest.ours.open(request))
    }
}
