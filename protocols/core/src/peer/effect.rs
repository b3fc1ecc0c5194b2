//! What a peer wants done.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::Token;
use crate::codec::Codec;
use crate::estimate::Estimate;
use crate::exchange::PullOrder;
use crate::id::PeerId;
use crate::membership::Acceptance;
use crate::mixing::Refused;
use crate::mixing::pair::PendingDelta;
use crate::mixing::push_sum::Account;
use crate::recipe::{Evaluation, MixOrder};
use crate::score::Fault;
use crate::time::Time;
use crate::wire::{Address, Announcement, Publication, Request, Response};

/// Something for the interpreter to do, in order.
#[derive(Debug, Clone)]
pub enum Effect {
    /// Train the steps of this round ([`crate::recipe::ModelState::train`]), then say [`super::Fact::Trained`].
    Train {
        /// The round.
        round: u64,
    },
    /// Add these deltas and publish the model ([`crate::recipe::ModelState::add_and_publish`]), then say
    /// [`super::Fact::Published`].
    Publish {
        /// The round it is of.
        round: u64,
        /// What was agreed on before.
        deltas: Vec<PendingDelta>,
    },
    /// Mix ([`crate::recipe::ModelState::mix`]), then say [`super::Fact::Mixed`].
    Mix(Box<MixOrder>),
    /// Measure the model that is answered with, then say [`super::Fact::Measured`].
    Measure,
    /// Write the model to disk as that of this round, with these books; say [`super::Fact::Stored`] once it is there.
    Commit {
        /// The round.
        round: u64,
        /// The books, under push-sum.
        account: Option<Box<Account>>,
    },
    /// Pull from this peer, then say [`super::Fact::Pulled`]. [`crate::exchange::Pulled::completed`] is part of it.
    Pull(Box<PullRequest>),
    /// Nothing more is to be said of this pull.
    CancelPull {
        /// Its number.
        pull: u32,
    },
    /// Ask this peer, then say [`super::Fact::Answered`].
    Ask(Box<Question>),
    /// Answer a question.
    Answer {
        /// Whose.
        token: Token,
        /// The answer.
        response: Box<Response>,
    },
    /// Send these bytes of a model.
    Serve {
        /// To whom.
        token: Token,
        /// The whole model.
        blob: Arc<Vec<u8>>,
        /// What of it.
        range: Range<usize>,
    },
    /// What a stream was asked for is not held any more.
    NotHeld {
        /// Who asked.
        token: Token,
    },
    /// Write this publication anew ([`Publication::recoded`]), then say [`super::Fact::Recoded`].
    Recode {
        /// The newest publication.
        of: Box<Publication>,
        /// The codec wanted.
        codec: Codec,
        /// Whether as a compressed frame.
        compressed: bool,
    },
    /// Tell gossip about the announcement that was the fact.
    Judge(Acceptance),
    /// Sign and publish this.
    Announce(Box<Announcement>),
    /// Dial one of these addresses.
    Dial {
        /// The peer expected there, where known.
        peer: Option<PeerId>,
        /// Where.
        addresses: Vec<Address>,
    },
    /// Hang up: more connections are up than are needed.
    HangUp {
        /// The peer.
        peer: PeerId,
    },
    /// Hang up, and take no connection of this peer for so long.
    Ban {
        /// The peer.
        peer: PeerId,
        /// How long.
        lasts: Duration,
    },
    /// Something worth telling happened.
    Event(PeerEvent),
    /// Say [`super::Fact::Woke`] at this time; replaces every earlier one.
    WakeAt(Time),
}

/// A pull to carry out.
#[derive(Debug, Clone)]
pub struct PullRequest {
    /// Its number.
    pub pull: u32,
    /// From whom.
    pub peer: PeerId,
    /// Where to dial first; empty where there is a connection.
    pub addresses: Vec<Address>,
    /// What.
    pub order: PullOrder,
    /// When it will be given up.
    pub until: Time,
}

/// A question to ask.
#[derive(Debug, Clone)]
pub struct Question {
    /// Its number.
    pub question: u32,
    /// Whom.
    pub peer: PeerId,
    /// Where to dial first; empty where there is a connection.
    pub addresses: Vec<Address>,
    /// What.
    pub request: Request,
    /// When it will be given up.
    pub until: Time,
}

/// What happened to a peer, for logs, views and records.
#[derive(Debug, Clone, PartialEq)]
pub enum PeerEvent {
    /// A peer was heard of for the first time, or came back into a view.
    Discovered {
        /// The peer.
        peer: PeerId,
        /// Peers known now.
        known: usize,
    },
    /// A peer was given up.
    Expired {
        /// The peer.
        peer: PeerId,
    },
    /// A model arrived, or a session of two was agreed on.
    Pulled {
        /// From whom.
        peer: PeerId,
        /// Encoded bytes.
        bytes: u64,
        /// Since it was asked for.
        took: Duration,
    },
    /// An exchange came to nothing.
    PullFailed {
        /// With whom.
        peer: PeerId,
        /// Why.
        reason: String,
    },
    /// A fault was counted against a peer.
    Misbehaved {
        /// The peer.
        peer: PeerId,
        /// What it did.
        fault: Fault,
        /// Whether it is banned now.
        banned: bool,
    },
    /// A round was closed.
    RoundClosed(Box<RoundClosed>),
    /// The whole network was estimated.
    Estimated(Estimate),
    /// Something is not as it should be, in words.
    Warning(String),
}

/// A closed round.
#[derive(Debug, Clone, PartialEq)]
pub struct RoundClosed {
    /// Rounds closed, this one included.
    pub round: u64,
    /// Peers drawn.
    pub drawn: usize,
    /// Whose models were mixed in.
    pub mixed: Vec<PeerId>,
    /// Whose were refused by the rule, and why.
    pub refused: Vec<(PeerId, Refused)>,
    /// Whose were no models.
    pub faults: Vec<(PeerId, Fault)>,
    /// Age of the model after it.
    pub age: u64,
    /// Measured on own rows, if it was.
    pub own: Option<Evaluation>,
    /// Measured on test rows, if it was.
    pub test: Option<Evaluation>,
}
