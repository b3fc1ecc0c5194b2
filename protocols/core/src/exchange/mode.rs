//! What an exchange with a drawn peer means beyond fetching its model.
//!
//! A mode is a part of the peer's machine: it is told what happened and pushes [`Action`]s, which [`crate::peer`]
//! carries out or hands on. It holds whatever must be kept from one exchange to the next (mass, open sessions), and
//! nothing of it is shared with anybody.
//!
//! | mode | a drawn peer is | what is kept |
//! |---|---|---|
//! | [`super::plain::Plain`] | pulled from | nothing |
//! | [`super::push_sum::PushSum`] | asked for mass together with its model | the push-sum ledger |
//! | [`super::pairwise::Pairwise`] | asked for a session, in which both add half of the difference of two named models | open sessions, agreed deltas |
//!
//! What symmetric swaps and secure averaging will need is here already: several exchanges a round
//! ([`ExchangeMode::gathering`]), pulls and questions of their own with time limits ([`Action::Pull`], [`Action::Ask`],
//! [`ExchangeMode::wake`]), models served by hash that are in no store ([`ExchangeMode::open`]), deltas that are added
//! when they are agreed on, also while training goes on ([`Action::Apply`]), and a result that is not a model of one
//! peer ([`PendingDelta`] with any share: the mean of a group against the own model).

use std::fmt::Debug;
use std::ops::Range;
use std::sync::Arc;

use super::{PullFailure, PullOrder, Pulled, TransportFailure};
use crate::id::PeerId;
use crate::mixing::pair::PendingDelta;
use crate::mixing::push_sum::{Account, Grant};
use crate::time::Time;
use crate::wire::{BulkRequest, Publication, Request, Response};

/// What a mode wants done.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Pull from this peer for the round: what arrives goes to the mixing rule.
    PullForRound {
        /// From whom.
        peer: PeerId,
        /// What.
        order: PullOrder,
        /// When to give up.
        until: Time,
    },
    /// Pull for the mode itself; the result comes back by [`ExchangeMode::pulled`], always.
    Pull {
        /// Comes back with the result.
        key: u64,
        /// From whom.
        peer: PeerId,
        /// What.
        order: PullOrder,
        /// When to give up.
        until: Time,
    },
    /// Ask a peer; the answer comes back by [`ExchangeMode::answered`], always.
    Ask {
        /// Comes back with the answer.
        key: u64,
        /// Whom.
        peer: PeerId,
        /// What.
        request: Request,
        /// When to give up.
        until: Time,
    },
    /// The exchange with a drawn peer has ended.
    Ended {
        /// With whom.
        peer: PeerId,
        /// Whether something came of it.
        arrived: bool,
    },
    /// Something about a peer is to be said, and counted against it where it is its fault.
    Failed {
        /// Whom.
        peer: PeerId,
        /// What.
        failure: PullFailure,
    },
    /// Add what is due at once, and publish the result.
    Apply,
}

/// How a drawn peer is exchanged with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// Whom with.
    pub peer: PeerId,
    /// The pull that a plain exchange makes.
    pub order: PullOrder,
    /// When the round stops waiting.
    pub until: Time,
    /// Whether this is the first pull of a peer that joins.
    pub joining: bool,
}

/// One kind of exchange. See the module documentation.
pub trait ExchangeMode: Debug + Send + Sync {
    /// How many peers a round draws, and how many draws may replace failed ones as a multiple of that, given what the
    /// settings say.
    fn gathering(&self, fan_out: usize, redraws: usize) -> (usize, usize) {
        (fan_out, redraws)
    }

    /// Whether the mix is published too, not only the trained model.
    fn publishes_mix(&self) -> bool {
        false
    }

    /// A drawn peer is to be exchanged with; [`Action::PullForRound`] or [`Action::Ended`] follows sooner or later.
    fn exchange(&mut self, now: Time, wanted: Wanted, actions: &mut Vec<Action>);

    /// Answers a question, given what the model store says to it.
    fn answer(
        &mut self,
        _now: Time,
        _from: PeerId,
        _request: &Request,
        stored: Response,
        _actions: &mut Vec<Action>,
    ) -> Response {
        stored
    }

    /// A pull of the mode has ended.
    fn pulled(&mut self, _now: Time, _key: u64, _result: Result<Pulled, PullFailure>, _actions: &mut Vec<Action>) {}

    /// A question of the mode has ended.
    fn answered(
        &mut self,
        _now: Time,
        _key: u64,
        _result: Result<Response, TransportFailure>,
        _actions: &mut Vec<Action>,
    ) {
    }

    /// When to call [`ExchangeMode::woke`].
    fn wake(&self) -> Option<Time> {
        None
    }

    /// The time has come.
    fn woke(&mut self, _now: Time, _actions: &mut Vec<Action>) {}

    /// The bytes of a model that a peer may pull although it is in no store.
    fn open(&self, _request: &BulkRequest) -> Option<(Arc<Vec<u8>>, Range<usize>)> {
        None
    }

    /// The own model was published.
    fn published(&mut self, _whole: &Publication) {}

    /// Whether a grant that came with a model is of no worth any more: it was asked for again, and went back to its
    /// holder.
    fn is_void(&self, _holder: &PeerId, _grant: &Grant) -> bool {
        false
    }

    /// A mix begins; until the next publication nothing may be handed over that the store does not show. Answers the
    /// mass of the own model. `last`: no round follows.
    fn begin_mix(&mut self, _last: bool) -> u64 {
        0
    }

    /// The agreed deltas that wait to be added.
    fn due(&mut self) -> Vec<PendingDelta> {
        Vec::new()
    }

    /// These grants were mixed in; all others go back to their holders.
    fn mixed(&mut self, _grants: &[(PeerId, Grant)]) {}

    /// The books to be kept on disk.
    fn ledger(&self) -> Option<&Account> {
        None
    }

    /// The books as they are on disk by now.
    fn stored(&mut self, _now: Time, _kept: &Account, _actions: &mut Vec<Action>) {}
}
