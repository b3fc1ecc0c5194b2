//! Push-sum: a question for a model is one for mass too.
//!
//! The accounting is [`crate::mixing::push_sum`]; here is how the exchange asks for mass and hands it over. What keeps
//! the sum of mass x model: a grant is handed over with the model in the store, so mass must be that of that model.
//! From the start of a mix until its result is published the two differ, and nothing is granted; and mass taken from
//! others enters the ledger only after it was mixed. Mass of a grant that was not taken comes back to the model as it
//! is then.

use std::time::Duration;

use super::mode::{Action, ExchangeMode, Wanted};
use super::{PullOrder, TransportFailure};
use crate::id::{PeerId, TaskId};
use crate::mixing::push_sum::{Account, Grant, ShareQuestion, UNIT};
use crate::time::Time;
use crate::wire::{Publication, Refusal, Request, Response};

/// Pause that an asker is told while a mix is computed or no mass can be given.
const RETRY_AFTER_MS: u32 = 200;
/// Holders told at a time that their grants were taken: more than a round takes.
const MAX_ACKNOWLEDGED: usize = 16;
/// Longest wait for a holder to note that. It is told again after later checkpoints.
const ACKNOWLEDGE_LIMIT: Duration = Duration::from_secs(10);

/// The push-sum ledger of one peer: its account, closed while a mix is computed.
#[derive(Debug)]
pub struct PushSum {
    task: TaskId,
    account: Account,
    parts: u64,
    closed: bool,
    /// Questions under way that tell holders that their grants were taken.
    telling: Vec<(u64, PeerId, u64)>,
    next: u64,
}

impl PushSum {
    /// A ledger with one unit of mass. One part in `fan_out + 1` of what is held is granted at a time: as many draw
    /// this peer in a round as it draws, on average, and it keeps a share like each of them.
    ///
    /// `starts` counts the starts of this peer: questions of an earlier one are not taken for new.
    pub fn new(task: TaskId, fan_out: usize, starts: u32) -> Self {
        Self::with(task, Account::starting_at(UNIT, u64::from(starts) << 32), fan_out)
    }

    /// A ledger as it was on disk, in a new life of its peer; a new one for an account that no peer can have.
    pub fn restored(task: TaskId, kept: Account, fan_out: usize, starts: u32) -> Self {
        match Account::restored(kept, u64::from(starts) << 32) {
            Some(account) => Self::with(task, account, fan_out),
            None => Self::new(task, fan_out, starts),
        }
    }

    fn with(task: TaskId, account: Account, fan_out: usize) -> Self {
        Self { task, account, parts: fan_out as u64 + 1, closed: false, telling: Vec::new(), next: 0 }
    }

    /// Answers a question for mass, given what the store says to a question for the model alone.
    fn share(&mut self, asker: PeerId, ask: ShareQuestion, stored: Response) -> Response {
        let Response::Offer { offer, hashes } = stored else { return stored };
        let grant = if self.closed { None } else { self.account.grant(asker, ask, self.parts) };
        match grant {
            Some(Grant { number, mass }) => Response::Share { offer, hashes, number, mass },
            None => Response::Refused { reason: Refusal::Busy, retry_after_ms: RETRY_AFTER_MS },
        }
    }
}

impl ExchangeMode for PushSum {
    fn publishes_mix(&self) -> bool {
        true
    }

    fn exchange(&mut self, _: Time, Wanted { peer, order, until, .. }: Wanted, actions: &mut Vec<Action>) {
        // Mass takes no compressed frame: the question for mass asks for the plain form.
        let order = PullOrder { share: Some(self.account.ask(peer)), compressed: false, ..order };
        actions.push(Action::PullForRound { peer, order, until });
    }

    fn answer(&mut self, _: Time, from: PeerId, request: &Request, stored: Response, _: &mut Vec<Action>) -> Response {
        match *request {
            Request::Share { number, taken, .. } => self.share(from, ShareQuestion { number, taken }, stored),
            Request::Taken { number, .. } if matches!(stored, Response::Refused { reason: Refusal::NoMass, .. }) => {
                self.account.closed(from, number);
                Response::Noted
            }
            _ => stored,
        }
    }

    fn answered(&mut self, _: Time, key: u64, result: Result<Response, TransportFailure>, _: &mut Vec<Action>) {
        let Some(at) = self.telling.iter().position(|(asked, ..)| *asked == key) else { return };
        let (_, holder, number) = self.telling.swap_remove(at);
        if result == Ok(Response::Noted) {
            self.account.settled(holder, number);
        }
    }

    fn published(&mut self, _: &Publication) {
        self.closed = false;
    }

    fn is_void(&self, holder: &PeerId, grant: &Grant) -> bool {
        !self.account.can_take(holder, grant)
    }

    fn begin_mix(&mut self, _: bool) -> u64 {
        self.closed = true;
        self.account.held()
    }

    fn mixed(&mut self, grants: &[(PeerId, Grant)]) {
        for (holder, grant) in grants {
            // Those that are void were left out of the mix.
            let _ = self.account.take(*holder, *grant);
        }
    }

    fn ledger(&self) -> Option<&Account> {
        Some(&self.account)
    }

    /// Tells holders that their grants were taken, but only of what is on disk: whoever is killed before gets nothing
    /// twice and loses nothing, as its next question says what its checkpoint knows, and all else goes back.
    fn stored(&mut self, now: Time, kept: &Account, actions: &mut Vec<Action>) {
        for (peer, number) in self.account.unsettled(kept, MAX_ACKNOWLEDGED) {
            let key = self.next;
            self.next += 1;
            self.telling.push((key, peer, number));
            let request = Request::Taken { task: self.task, number };
            actions.push(Action::Ask { key, peer, request, until: now + ACKNOWLEDGE_LIMIT });
        }
    }
}
