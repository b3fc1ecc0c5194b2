//! Sessions of two peers that move towards each other by the same amount: symmetric pair averaging over a network.
//!
//! Both name one published model each, y and y', and each adds half of the difference of these two to whatever its
//! model is by then ([`crate::mixing::pair::add_share`]). What one adds the other takes away, so the sum of all models
//! is kept if *both* do it, however late. The conversation, begun by the one that drew the other:
//!
//! ```text
//!   initiator                                responder
//!     | -- OpenSession(number, root of y) -----> |   busy? then it says so at once, and nobody has moved
//!     | <----------------- Session(offer of y') |   both names are fixed
//!     | <== chunks of y'           chunks of y ==> |  each pulls the other's, checks and parses it
//!     | -- Settle(number) ---------------------> |   has it y? Then its delta is due from here on, whatever comes
//!     | <------------------------------ Settled |   the initiator's delta is due
//! ```
//!
//! Before Settle arrives either side may give up and nobody has moved. From then on the responder never takes it back
//! and remembers that it settled; an initiator that hears no answer asks again. So the sum is kept unless a peer is
//! lost (killed before its delta is in a checkpoint, or unreachable for as long as the initiator asks) between Settle
//! and its delta: then the mean is off by half of the difference of the two models, over the number of peers, once for
//! each such session. Faults of an initiator's model are not scored: its responder only gives up.
//!
//! The first pull of a peer that joins is one-sided.

mod sessions;
#[cfg(test)]
mod tests;

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::mode::{Action, ExchangeMode, Wanted};
use super::{PullFailure, PullOrder, Pulled, SessionRole, TransportFailure};
use crate::codec::Codec;
use crate::id::{PeerId, Root, TaskId};
use crate::mixing::pair::PendingDelta;
use crate::time::Time;
use crate::wire::{BulkRequest, Publication, Refusal, Request, Response};
use sessions::{Initiated, NotInitiated, SHARE, Sessions, Settlement};

/// Longest time a responder takes to fetch the initiator's model, and then waits to be asked to settle; as long as a
/// round waits for models unless told otherwise.
const RESPONDER_LIMIT: Duration = Duration::from_secs(10);
/// How long an initiator goes on asking a responder that does not answer whether it has settled.
const SETTLE_LIMIT: Duration = Duration::from_secs(60);
/// Longest wait for one answer to that.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);
/// Pause before it asks again one that still fetches.
const WHILE_FETCHING: Duration = Duration::from_millis(20);
/// Pause before it asks again one that cannot be reached.
const WHILE_AWAY: Duration = Duration::from_millis(500);
/// Sessions that may hang in this way at a time; each holds two encoded models.
const MAX_OPEN: usize = 4;

/// The pairwise sessions of one peer.
#[derive(Debug)]
pub struct Pairwise {
    task: TaskId,
    sessions: Sessions,
    /// Pulls under way, by key.
    pulls: Vec<(u64, Pulling)>,
    /// Sessions that this peer initiated, from the other's model on until the other has settled.
    settling: Vec<Settling>,
    /// The session that this peer responds to, and until when it waits to be asked to settle.
    waiting: Option<(PeerId, u64, Time)>,
    next_key: u64,
}

/// What a pull is for.
#[derive(Debug)]
enum Pulling {
    Initiator { peer: PeerId, session: Initiated },
    Responder { initiator: PeerId, number: u64 },
}

/// A session whose responder is asked to settle.
#[derive(Debug)]
struct Settling {
    number: u64,
    delta: PendingDelta,
    /// When to give up.
    until: Time,
    /// Whether other sessions may begin meanwhile.
    is_open: bool,
    next: Next,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Next {
    /// The question of this key is under way.
    Asked(u64),
    /// Ask again at this time.
    AskAt(Time),
}

impl Pairwise {
    /// No session yet. `starts` counts the starts of this peer, so that numbers of an earlier life are not used again.
    pub fn new(own: PeerId, task: TaskId, starts: u32) -> Self {
        Self {
            task,
            sessions: Sessions::new(own, starts),
            pulls: Vec::new(),
            settling: Vec::new(),
            waiting: None,
            next_key: 0,
        }
    }

    fn key(&mut self) -> u64 {
        self.next_key += 1;
        self.next_key
    }

    fn respond(
        &mut self,
        now: Time,
        initiator: PeerId,
        number: u64,
        codec: Codec,
        theirs: Root,
        actions: &mut Vec<Action>,
    ) -> Response {
        let ours = match self.sessions.respond(initiator, number, codec) {
            Ok(ours) => ours,
            Err(reason) => return refuse(reason),
        };
        let order = PullOrder::for_session(self.task, &ours, SessionRole::Responder { theirs });
        let key = self.key();
        self.pulls.push((key, Pulling::Responder { initiator, number }));
        actions.push(Action::Pull { key, peer: initiator, order, until: now + RESPONDER_LIMIT });
        Response::Session { offer: ours.offer, hashes: ours.hashes(0), number }
    }

    fn initiator_pulled(
        &mut self,
        now: Time,
        peer: PeerId,
        session: Initiated,
        result: Result<Pulled, PullFailure>,
        actions: &mut Vec<Action>,
    ) {
        match result {
            Ok(Pulled { offer, blob, .. }) => {
                let delta = PendingDelta { peer, ours: session.ours.blob, theirs: blob, share: SHARE, age: offer.age };
                let until = now + SETTLE_LIMIT;
                let next = Next::AskAt(now);
                self.settling.push(Settling { number: session.number, delta, until, is_open: false, next });
                self.ask_due(now, actions);
            }
            Err(failure) => {
                self.sessions.initiation_failed(session.number);
                actions.extend([Action::Failed { peer, failure }, Action::Ended { peer, arrived: false }]);
            }
        }
    }

    /// Asks all that are to be asked by now, and gives up those whose time is over.
    fn ask_due(&mut self, now: Time, actions: &mut Vec<Action>) {
        let (mut at, task) = (0, self.task);
        while at < self.settling.len() {
            let key = self.next_key + 1;
            let settling = &mut self.settling[at];
            if !matches!(settling.next, Next::AskAt(due) if due <= now) {
                at += 1;
            } else if now >= settling.until {
                let Settling { number, delta, .. } = self.settling.swap_remove(at);
                self.sessions.leave_open(number);
                let peer = delta.peer;
                let lost = Action::Failed { peer, failure: PullFailure::SessionLost };
                actions.extend([lost, Action::Ended { peer, arrived: false }]);
            } else {
                settling.next = Next::Asked(key);
                let (peer, request) = (settling.delta.peer, Request::Settle { task, number: settling.number });
                actions.push(Action::Ask { key, peer, request, until: now + ANSWER_LIMIT });
                self.next_key = key;
                at += 1;
            }
        }
    }

    /// No answer: the other may have settled. Other sessions may begin meanwhile, unless too many hang like this one.
    fn unanswered(&mut self, now: Time, at: usize) {
        let open = self.settling.iter().filter(|settling| settling.is_open).count();
        let settling = &mut self.settling[at];
        settling.next = Next::AskAt(now + WHILE_AWAY);
        if !settling.is_open && open < MAX_OPEN {
            settling.is_open = true;
            let number = settling.number;
            self.sessions.leave_open(number);
        }
    }
}

impl ExchangeMode for Pairwise {
    /// A pair is two; whoever is busy says so at once, and another one is asked.
    fn gathering(&self, fan_out: usize, _: usize) -> (usize, usize) {
        (1, fan_out)
    }

    /// A model that has had its session has no other, so whoever mixes in pairs would otherwise find all others spent.
    fn publishes_mix(&self) -> bool {
        true
    }

    fn exchange(&mut self, _: Time, wanted: Wanted, actions: &mut Vec<Action>) {
        let Wanted { peer, order, until, joining } = wanted;
        if joining {
            return actions.push(Action::PullForRound { peer, order, until });
        }
        match self.sessions.initiate(peer) {
            Ok(session) => {
                let role = SessionRole::Initiator { number: session.number, ours: session.ours.offer.root };
                let order = PullOrder::for_session(self.task, &session.ours, role);
                let key = self.key();
                self.pulls.push((key, Pulling::Initiator { peer, session }));
                actions.push(Action::Pull { key, peer, order, until });
            }
            // The model has its session as a responder, which is no failure.
            Err(NotInitiated::Spent) => actions.push(Action::Ended { peer, arrived: true }),
            Err(NotInitiated::Busy) => actions.extend([
                Action::Failed { peer, failure: PullFailure::NoSession },
                Action::Ended { peer, arrived: false },
            ]),
        }
    }

    fn answer(
        &mut self,
        now: Time,
        from: PeerId,
        request: &Request,
        stored: Response,
        actions: &mut Vec<Action>,
    ) -> Response {
        if !matches!(stored, Response::Refused { reason: Refusal::NoSession, .. }) {
            return stored;
        }
        match *request {
            Request::OpenSession { codec, number, root, .. } => self.respond(now, from, number, codec, root, actions),
            Request::Settle { number, .. } => match self.sessions.settle(from, number) {
                Settlement::Settled => Response::Settled,
                Settlement::Wait => refuse(Refusal::Busy),
                Settlement::Gone => refuse(Refusal::Gone),
            },
            _ => stored,
        }
    }

    fn pulled(&mut self, now: Time, key: u64, result: Result<Pulled, PullFailure>, actions: &mut Vec<Action>) {
        let Some(at) = self.pulls.iter().position(|(pulling, _)| *pulling == key) else { return };
        match self.pulls.swap_remove(at).1 {
            Pulling::Initiator { peer, session } => self.initiator_pulled(now, peer, session, result, actions),
            Pulling::Responder { initiator, number } => match result {
                Ok(Pulled { offer, blob, .. }) => {
                    if self.sessions.arrived(initiator, number, blob, offer.age) {
                        self.waiting = Some((initiator, number, now + RESPONDER_LIMIT));
                    }
                }
                Err(_) => self.sessions.abandon(initiator, number),
            },
        }
    }

    fn answered(&mut self, now: Time, key: u64, result: Result<Response, TransportFailure>, actions: &mut Vec<Action>) {
        let Some(at) = self.settling.iter().position(|settling| settling.next == Next::Asked(key)) else { return };
        match result {
            Ok(Response::Settled) => {
                let Settling { number, delta, .. } = self.settling.swap_remove(at);
                let peer = delta.peer;
                self.sessions.agreed(number, delta);
                actions.push(Action::Ended { peer, arrived: true });
            }
            Ok(Response::Refused { reason: Refusal::Busy, .. }) => {
                self.settling[at].next = Next::AskAt(now + WHILE_FETCHING);
            }
            Ok(_) => {
                let Settling { number, delta, .. } = self.settling.swap_remove(at);
                let peer = delta.peer;
                self.sessions.initiation_failed(number);
                let failed = Action::Failed { peer, failure: PullFailure::NoSession };
                actions.extend([failed, Action::Ended { peer, arrived: false }]);
            }
            Err(_) => self.unanswered(now, at),
        }
    }

    fn wake(&self) -> Option<Time> {
        let asks = self.settling.iter().filter_map(|settling| match settling.next {
            Next::AskAt(at) => Some(at),
            Next::Asked(_) => None,
        });
        asks.chain(self.waiting.map(|(_, _, until)| until)).min()
    }

    fn woke(&mut self, now: Time, actions: &mut Vec<Action>) {
        if let Some((initiator, number, _)) = self.waiting.take_if(|(_, _, until)| *until <= now) {
            self.sessions.abandon(initiator, number);
        }
        self.ask_due(now, actions);
    }

    fn open(&self, request: &BulkRequest) -> Option<(Arc<Vec<u8>>, Range<usize>)> {
        self.sessions.open(request)
    }

    fn published(&mut self, whole: &Publication) {
        self.sessions.publish(whole.clone());
    }

    fn begin_mix(&mut self, last: bool) -> u64 {
        if last {
            self.sessions.close();
        }
        0
    }

    fn due(&mut self) -> Vec<PendingDelta> {
        self.sessions.take()
    }
}

fn refuse(reason: Refusal) -> Response {
    Response::Refused { reason, retry_after_ms: WHILE_FETCHING.as_millis() as u32 }
}
