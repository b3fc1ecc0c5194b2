//! The handle of the peer.

use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex};

use peerlearn_learner::LearnerHandle;
use peerlearn_network::{BulkWriter, NetworkHandle, ReplyToken, VerdictToken};
use peerlearn_protocols::id::PeerId;
use peerlearn_protocols::membership::Contact;
use peerlearn_protocols::peer::{Fact, KnownPeer, PeerSettings, PeerStatus, Restored};
use peerlearn_protocols::time::Time;
use peerlearn_protocols::wire::{Announcement, BulkRequest, Request};
use peerlearn_runtime::clock::Clock;
use peerlearn_runtime::event::EventBus;
use peerlearn_runtime::mailbox::{ComponentGone, Mailbox};
use peerlearn_runtime::supervisor::Start;
use ractor::Actor;
use tokio::sync::{OwnedSemaphorePermit, watch};

use super::actor::{PeerActor, PeerArgs, PeerMsg};
use crate::registry::RegistryHandle;

/// What a peer works with.
#[derive(Clone)]
pub struct Components {
    /// Trains, publishes and mixes.
    pub learner: LearnerHandle,
    /// Carries messages and models.
    pub network: NetworkHandle,
    /// Keeps checkpoints; a node without a directory has none.
    pub registry: Option<RegistryHandle>,
    /// Tells what happened.
    pub events: EventBus,
    /// The time.
    pub clock: Clock,
}

/// Where a peer begins.
#[derive(Debug, Clone)]
pub struct PeerStart {
    /// Counts the starts of this node.
    pub starts: u32,
    /// What it had when it was stopped.
    pub restored: Restored,
    /// Whom to look for.
    pub contacts: Vec<Contact>,
    /// Whether there is anyone to look for, or that may look for this node.
    pub has_contacts: bool,
    /// Models served at a time; more are told to come back.
    pub max_inbound: usize,
}

/// The peer, for other components. Cloning is cheap.
#[derive(Clone)]
pub struct PeerHandle {
    mailbox: Mailbox<PeerMsg>,
    status: watch::Receiver<PeerStatus>,
}

impl PeerHandle {
    /// A handle, and how the supervisor starts the component behind it.
    pub fn new(settings: Arc<PeerSettings>, start: PeerStart, components: Components) -> (Self, Start) {
        let mailbox = Mailbox::new("peer");
        let (sender, status) = watch::channel(PeerStatus::of(&start.restored));
        let restored = Arc::new(Mutex::new(start.restored.clone()));
        let restarts = Arc::new(AtomicU32::new(0));
        let status_sender = Arc::new(sender);
        let args =
            PeerArgs { settings, start, components, status: status_sender, restored, restarts, trace: None, rng: None };
        let handle = Self { mailbox: mailbox.clone(), status };
        let start: Start = Arc::new(move |supervisor| {
            let (args, mailbox) = (args.clone(), mailbox.clone());
            Box::pin(async move {
                let (actor, _) = Actor::spawn_linked(None, PeerActor, args, supervisor).await?;
                mailbox.connect(actor.clone());
                Ok(actor.get_cell())
            })
        });
        (handle, start)
    }

    /// A fact from the network. The permit bounds how many wait.
    pub fn fact(&self, fact: Fact, permit: OwnedSemaphorePermit) {
        self.cast(PeerMsg::Fact(Box::new(fact), Some(permit)));
    }

    /// An announcement from the network, to be judged.
    pub fn announced(
        &self,
        author: PeerId,
        announcement: Box<Announcement>,
        verdict: VerdictToken,
        permit: OwnedSemaphorePermit,
    ) {
        self.cast(PeerMsg::Announced(author, announcement, verdict, permit));
    }

    /// A question from a peer.
    pub fn asked(&self, peer: PeerId, request: Request, reply: ReplyToken, permit: OwnedSemaphorePermit) {
        self.cast(PeerMsg::Asked(peer, request, reply, permit));
    }

    /// A stream opened by a peer.
    pub fn stream_asked(&self, request: BulkRequest, writer: BulkWriter, permit: OwnedSemaphorePermit) {
        self.cast(PeerMsg::StreamAsked(request, writer, permit));
    }

    /// Dials a contact until some peer answers there.
    pub fn contact(&self, contact: Contact) {
        self.cast(PeerMsg::Fact(Box::new(Fact::Contacted(contact)), None));
    }

    /// Where the peer is; never waits.
    pub fn status(&self) -> PeerStatus {
        self.status.borrow().clone()
    }

    /// Everyone it knows, most recently heard first.
    ///
    /// # Errors
    /// The component is being restarted.
    pub async fn known_peers(&self) -> Result<Vec<KnownPeer>, ComponentGone> {
        self.mailbox.ask(PeerMsg::KnownPeers).await
    }

    /// Whom it looks for beside those known, and when it tries each next.
    ///
    /// # Errors
    /// The component is being restarted.
    pub async fn contacts(&self) -> Result<Vec<(Contact, Time)>, ComponentGone> {
        self.mailbox.ask(PeerMsg::Contacts).await
    }

    /// Ends all rounds; waits for a mix under way, so that model and push-sum ledger are of one moment. Answers what a
    /// restart needs beside the model.
    ///
    /// # Errors
    /// The component is being restarted, or mixes for longer than a question may take.
    pub async fn finish(&self) -> Result<Restored, ComponentGone> {
        self.mailbox.ask(PeerMsg::Finish).await
    }

    /// Sends what may be lost: a component that is being restarted is told everything that matters anew.
    fn cast(&self, message: PeerMsg) {
        if let Err(error) = self.mailbox.cast(message) {
            tracing::debug!(%error, "a message was not taken");
        }
    }
}
