//! The mass of a peer under push-sum, as the exchange asks for it and hands it over.

use crate::id::PeerId;
use crate::mixing::push_sum::{Account, Ask, Grant};
use crate::wire::{Refusal, Response};

/// Pause that an asker is told while a mix is computed or no mass can be given.
const RETRY_AFTER_MS: u32 = 200;

/// An [`Account`] that is closed while a mix is computed.
///
/// What keeps the sum of mass x model: a grant is handed over with the model on the shelf, so mass must be that of that
/// model. From the start of a mix until its result is on the shelf the two differ, and nothing is granted; and mass taken
/// from others enters the account only after it was mixed, [`Purse::settle`]. Mass of a grant that was not taken comes
/// back to the model as it is then.
#[derive(Debug)]
pub struct Purse {
    account: Account,
    parts: u64,
    closed: bool,
}

impl Purse {
    /// A purse with one unit of mass. One part in `fan_out + 1` of what is held is granted at a time: as many draw this
    /// peer in a round as it draws, on average, and it keeps a share like each of them.
    ///
    /// `starts` counts the starts of this peer: questions of an earlier one are not taken for new.
    pub fn new(fan_out: usize, starts: u32) -> Self {
        let account = Account::starting_at(crate::mixing::push_sum::UNIT, u64::from(starts) << 32);
        Self { account, parts: fan_out as u64 + 1, closed: false }
    }

    /// A purse as it was on disk, in a new life of its peer; `None` for an account that no peer can have.
    pub fn restored(kept: Account, fan_out: usize, starts: u32) -> Option<Self> {
        let account = Account::restored(kept, u64::from(starts) << 32)?;
        Some(Self { account, parts: fan_out as u64 + 1, closed: false })
    }

    /// The next question to a holder.
    pub fn question(&mut self, holder: PeerId) -> Ask {
        self.account.ask(holder)
    }

    /// Answers a question for mass, given what the shelf says to a question for the model alone.
    pub fn answer(&mut self, asker: PeerId, ask: Ask, shelf: Response) -> Response {
        let Response::Offer { offer, hashes } = shelf else { return shelf };
        let grant = if self.closed { None } else { self.account.grant(asker, ask, self.parts) };
        match grant {
            Some(Grant { number, mass }) => Response::Share { offer, hashes, number, mass },
            None => Response::Refused { reason: Refusal::Busy, retry_after_ms: RETRY_AFTER_MS },
        }
    }

    /// A mix begins: nothing is granted until [`Purse::open`]. Answers the mass of the own model.
    pub fn close(&mut self) -> u64 {
        self.closed = true;
        self.account.held()
    }

    /// These grants were mixed in; all others go back to their holders.
    pub fn settle(&mut self, mixed: &[(PeerId, Grant)]) {
        for (holder, grant) in mixed {
            // One that does not answer the newest question was taken back already.
            let _ = self.account.take(*holder, *grant);
        }
    }

    /// Holders to be told that their grants were taken, and the numbers of the questions; see [`Account::unsettled`].
    ///
    /// Only what is in `kept`, the account as it is on disk: then a peer that is killed before gets nothing twice and loses nothing, as its
    /// next question says what its checkpoint knows, and all else goes back.
    pub fn unsettled(&mut self, kept: &Account, count: usize) -> Vec<(PeerId, u64)> {
        self.account.unsettled(kept, count)
    }

    /// A holder has heard it.
    pub fn settled(&mut self, holder: PeerId, number: u64) {
        self.account.settled(holder, number);
    }

    /// An asker says that it has taken the grant for this question.
    pub fn taken(&mut self, asker: PeerId, number: u64) -> Response {
        self.account.closed(asker, number);
        Response::Noted
    }

    /// Whether a mix is under way, so that mass and model are not of one moment.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// The model on the shelf is the own one again.
    pub fn open(&mut self) {
        self.closed = false;
    }

    /// The account, to look at.
    pub fn account(&self) -> &Account {
        &self.account
    }
}
