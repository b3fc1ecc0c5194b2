//! What a peer is told.

use crate::exchange::{PullFailure, Pulled, TransportFailure};
use crate::id::PeerId;
use crate::membership::{Contact, Scope};
use crate::recipe::{Evaluation, MixReport, Published};
use crate::score::Fault;
use crate::wire::{Address, Announcement, BulkRequest, Publication, Request, Response};

/// What an interpreter gives out with a question of another peer and gets back with the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Token(pub u64);

/// A fact. Numbers of pulls and questions are those of the effects that began them.
#[derive(Debug, Clone)]
pub enum Fact {
    /// The peer is up; `has_contacts` says whether there is anyone to look for.
    Started {
        /// Whether an address, an address book or a LAN may lead to others.
        has_contacts: bool,
    },
    /// A contact became known.
    Contacted(Contact),
    /// An announcement with a checked signature arrived; answered by [`super::Effect::Judge`].
    Announced {
        /// Who signed it.
        author: PeerId,
        /// The neighbour that passed it on, where known.
        via: Option<PeerId>,
        /// What it says.
        announcement: Box<Announcement>,
    },
    /// The first connection to a peer is up.
    Connected(PeerId),
    /// How far the address reaches over which a peer is connected.
    Reached(PeerId, Scope),
    /// The last connection to a peer ended.
    Disconnected(PeerId),
    /// Every connection is gone without notice.
    Isolated,
    /// A dial came to nothing.
    DialFailed(Option<PeerId>),
    /// A peer turned out to be of another task or version.
    Foreign(PeerId),
    /// Own addresses changed.
    Moved(Vec<Address>),
    /// The network saw a peer do what it should not.
    Misbehaved(PeerId, Fault),
    /// A peer asks; answered by [`super::Effect::Answer`], at once or once the model is ready in the form asked for.
    Asked {
        /// Comes back with the answer.
        token: Token,
        /// The peer.
        from: PeerId,
        /// The question.
        request: Request,
    },
    /// A peer asks for chunks; answered by [`super::Effect::Serve`] or [`super::Effect::NotHeld`].
    StreamAsked {
        /// Comes back with the answer.
        token: Token,
        /// What it wants.
        request: BulkRequest,
    },
    /// A question has its answer, or none.
    Answered {
        /// The question.
        question: u32,
        /// What came of it.
        result: Result<Response, TransportFailure>,
    },
    /// A pull ended.
    Pulled {
        /// The pull.
        pull: u32,
        /// What came of it.
        result: Box<Result<Pulled, PullFailure>>,
    },
    /// Training ended; if not well, with words.
    Trained(Result<(), String>),
    /// The model was encoded, after due deltas were added to it, and is ready to be pulled.
    Published(Box<Result<(Published, Option<MixReport>), String>>),
    /// Mixing ended.
    Mixed(Box<Result<MixReport, String>>),
    /// The model was measured on own rows kept apart, and on shared test rows, where there are any.
    Measured {
        /// On own rows.
        own: Option<Evaluation>,
        /// On test rows.
        test: Option<Evaluation>,
    },
    /// Rounds up to this one are on disk.
    Stored {
        /// The round.
        round: u64,
    },
    /// A publication was written anew in the form that [`super::Effect::Recode`] asked for; nothing, where that cannot
    /// be or does not pay.
    Recoded(Option<Box<Publication>>),
    /// The time of [`super::Effect::WakeAt`] has come.
    Woke,
}
