//! The handle of the membership room.

use std::sync::Arc;

use peerlearn_protocols::id::{PeerId, TaskId};
use peerlearn_protocols::membership::{Contact, Input, MembershipConfig};
use peerlearn_protocols::score::Fault;
use peerlearn_protocols::time::Time;
use peerlearn_protocols::wire::{Announcement, Descriptor, OfferSummary, Sketch};
use ractor::Actor;
use tokio::sync::{OwnedSemaphorePermit, watch};

use super::actor::{MembershipActor, MembershipArgs, MembershipMsg};
use crate::clock::Clock;
use crate::event::EventBus;
use crate::mailbox::{Mailbox, RoomGone};
use crate::network::{NetworkHandle, ReplyToken, VerdictToken};
use crate::supervisor::Start;

/// What membership knows of one peer, for status and address book.
#[derive(Debug, Clone, PartialEq)]
pub struct PeerReport {
    /// The peer.
    pub peer: PeerId,
    /// Where it can be dialled.
    pub addresses: Vec<String>,
    /// Whether a connection is up.
    pub connected: bool,
    /// Its round, as announced.
    pub round: u64,
    /// Its model's age, as announced.
    pub age: u64,
    /// Its rows, as announced.
    pub samples: u32,
    /// When it was last heard, on this node's clock.
    pub heard: Time,
    /// Faults counted against it.
    pub score: u32,
    /// Models mixed from it since the start.
    pub mixed: u64,
}

/// Membership, for other rooms. Cloning is cheap.
#[derive(Clone)]
pub struct MembershipHandle {
    mailbox: Mailbox<MembershipMsg>,
    known: watch::Receiver<usize>,
}

impl MembershipHandle {
    /// A handle, and how the supervisor starts the room behind it. `starts` counts the starts of this node.
    pub fn new(
        task: TaskId,
        starts: u32,
        config: MembershipConfig,
        contacts: Vec<Contact>,
        network: NetworkHandle,
        clock: Clock,
        events: EventBus,
    ) -> (Self, Start) {
        let mailbox = Mailbox::new("membership");
        let (known_sender, known) = watch::channel(0);
        let args = MembershipArgs {
            task,
            starts,
            config,
            contacts,
            network,
            clock,
            events,
            known: Arc::new(known_sender),
            restarts: Arc::default(),
        };
        let handle = Self { mailbox: mailbox.clone(), known };
        let start: Start = Arc::new(move |supervisor| {
            let (args, mailbox) = (args.clone(), mailbox.clone());
            Box::pin(async move {
                let (actor, _) = Actor::spawn_linked(None, MembershipActor, args, supervisor).await?;
                mailbox.connect(actor.clone());
                Ok(actor.get_cell())
            })
        });
        (handle, start)
    }

    /// A fact from the network. The permit bounds how many wait.
    pub fn fact(&self, input: Input, permit: OwnedSemaphorePermit) {
        self.cast(MembershipMsg::Fact(input, Some(permit)));
    }

    /// An announcement from the network, to be judged.
    pub fn announced(
        &self,
        author: PeerId,
        announcement: Announcement,
        verdict: VerdictToken,
        permit: OwnedSemaphorePermit,
    ) {
        self.cast(MembershipMsg::Announced(author, Box::new(announcement), verdict, permit));
    }

    /// A peer asks for a shuffle.
    pub fn shuffle_asked(
        &self,
        peer: PeerId,
        task: TaskId,
        descriptors: Vec<Descriptor>,
        reply: ReplyToken,
        permit: OwnedSemaphorePermit,
    ) {
        self.cast(MembershipMsg::ShuffleAsked(peer, task, descriptors, reply, permit));
    }

    /// A peer did something that it should not have.
    pub fn fault(&self, peer: PeerId, fault: Fault) {
        self.cast(MembershipMsg::Fault(peer, fault));
    }

    /// A model of this peer was mixed.
    pub fn mixed(&self, peer: PeerId) {
        self.cast(MembershipMsg::Mixed(peer));
    }

    /// A contact became known: a ticket.
    pub fn contact(&self, contact: Contact) {
        self.cast(MembershipMsg::Fact(Input::Contacted(contact), None));
    }

    /// The own model changed.
    pub fn published(&self, round: u64, samples: u32, offer: Option<OfferSummary>, sketch: Sketch) {
        self.cast(MembershipMsg::Fact(Input::Published { round, samples, offer, sketch }, None));
    }

    /// Draws up to `count` peers, without those in `tried`, each with the weight that the communication graph gives it (0
    /// without a graph); dials those not connected.
    ///
    /// # Errors
    /// The room is being restarted.
    pub async fn draw(&self, count: usize, tried: Vec<PeerId>) -> Result<Vec<(PeerId, f32)>, RoomGone> {
        self.mailbox.ask(|reply| MembershipMsg::Draw(count, tried, reply)).await
    }

    /// Everyone known, most recently heard first, and faults counted so far.
    ///
    /// # Errors
    /// The room is being restarted.
    pub async fn report(&self) -> Result<(Vec<PeerReport>, u64), RoomGone> {
        self.mailbox.ask(MembershipMsg::Report).await
    }

    /// The number of known peers, to wait for.
    pub fn known(&self) -> watch::Receiver<usize> {
        self.known.clone()
    }

    /// A message to a room that is being restarted is lost; what it said is said again or was only a hint.
    fn cast(&self, message: MembershipMsg) {
        if let Err(error) = self.mailbox.cast(message) {
            tracing::debug!(%error);
        }
    }
}
