//! The handle of the round room.

use std::sync::Arc;

use peerlearn_protocols::codec::Codec;
use peerlearn_protocols::estimate::Estimate;
use peerlearn_protocols::mixing::Rule;
use ractor::Actor;
use tokio::sync::watch;

use super::RoundSettings;
use super::actor::{RoundActor, RoundArgs, RoundMsg};
use crate::clock::Clock;
use crate::event::EventBus;
use crate::exchange::ExchangeHandle;
use crate::learner::{Evaluation, LearnerHandle};
use crate::mailbox::Mailbox;
use crate::membership::MembershipHandle;
use crate::network::NetworkHandle;
use crate::registry::RegistryHandle;
use crate::status::Phase;
use crate::supervisor::Start;

/// The rooms that rounds work with.
#[derive(Clone)]
pub struct Rooms {
    /// Trains and mixes.
    pub learner: LearnerHandle,
    /// Draws peers.
    pub membership: MembershipHandle,
    /// Fetches and serves models.
    pub exchange: ExchangeHandle,
    /// Counts bytes.
    pub network: NetworkHandle,
    /// Keeps checkpoints; a node without a directory has none.
    pub registry: Option<RegistryHandle>,
    /// Tells what happened.
    pub events: EventBus,
    /// The time.
    pub clock: Clock,
}

/// Where rounds begin, and what is shared in them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RoundStart {
    /// Codec of published and pulled models.
    pub codec: Codec,
    /// The mixing rule; some offers are of no use to it.
    pub rule: Rule,
    /// Own rows to train on.
    pub samples: u32,
    /// Rounds closed before.
    pub round: u64,
    /// Age of the model.
    pub age: u64,
    /// Whether there is anyone to look for.
    pub has_contacts: bool,
    /// Whether every known peer is as likely to be drawn as any other; estimates then trust the draws.
    pub uniform: bool,
}

/// Where a node is in its rounds.
#[derive(Debug, Clone, PartialEq)]
pub struct RoundReport {
    /// Rounds closed.
    pub round: u64,
    /// Age of the own model.
    pub age: u64,
    /// What is being done.
    pub phase: Phase,
    /// What is being waited for, in words; empty for nothing.
    pub waiting_for: String,
    /// Newest measurement on the own validation rows.
    pub own: Option<Evaluation>,
    /// Newest measurement on the shared test rows.
    pub test: Option<Evaluation>,
    /// What this node makes of the whole network.
    pub estimate: Estimate,
}

/// Rounds, for other rooms. Cloning is cheap.
#[derive(Clone)]
pub struct RoundHandle {
    _mailbox: Mailbox<RoundMsg>,
    report: watch::Receiver<RoundReport>,
}

impl RoundHandle {
    /// A handle, and how the supervisor starts the room behind it. Rounds go on from `start`.
    pub fn new(settings: RoundSettings, start: RoundStart, rooms: Rooms) -> (Self, Start) {
        let mailbox = Mailbox::new("round");
        let report = RoundReport {
            round: start.round,
            age: start.age,
            phase: Phase::Joining,
            waiting_for: String::new(),
            own: None,
            test: None,
            estimate: Estimate::default(),
        };
        let (sender, receiver) = watch::channel(report);
        let args = RoundArgs { settings, start, rooms, report: Arc::new(sender) };
        let handle = Self { _mailbox: mailbox.clone(), report: receiver };
        let start: Start = Arc::new(move |supervisor| {
            let (args, mailbox) = (args.clone(), mailbox.clone());
            Box::pin(async move {
                let (actor, _) = Actor::spawn_linked(None, RoundActor, args, supervisor).await?;
                mailbox.connect(actor.clone());
                Ok(actor.get_cell())
            })
        });
        (handle, start)
    }

    /// Where the node is; never waits.
    pub fn report(&self) -> RoundReport {
        self.report.borrow().clone()
    }
}
