//! The handle of the exchange room.

use std::borrow::Cow;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use peerlearn_protocols::codec::Codec;
use peerlearn_protocols::estimate::Told;
use peerlearn_protocols::exchange::pairing::Half;
use peerlearn_protocols::exchange::{ExchangeConfig, Pairing, Publication, PullOrder, Pulled, Purse};
use peerlearn_protocols::id::{PeerId, TaskId};
use peerlearn_protocols::mixing::push_sum::{Account, Grant};
use peerlearn_protocols::params::Layout;
use peerlearn_protocols::wire::blob::encoded_len;
use peerlearn_protocols::wire::{BulkRequest, Request, Response, pack};
use ractor::Actor;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::actor::{ExchangeActor, ExchangeArgs, ExchangeMsg, lock};
use super::config::{Compression, ExchangeSettings};
use super::meetings::Meetings;
use super::pull::{self, PullFailure};
use crate::mailbox::{Mailbox, RoomGone};
use crate::network::{BulkWriter, NetworkHandle, ReplyToken};
use crate::supervisor::Start;

/// Holders told at a time that their grants were taken: more than a round takes.
const MAX_ACKNOWLEDGED: usize = 16;

/// The exchange, for other rooms. Cloning is cheap.
#[derive(Clone)]
pub struct ExchangeHandle {
    mailbox: Mailbox<ExchangeMsg>,
    network: NetworkHandle,
    outbound: Arc<Semaphore>,
    task: TaskId,
    layout: Arc<Layout>,
    resumes: u32,
    packed: bool,
    purse: Option<Arc<Mutex<Purse>>>,
    meetings: Option<Meetings>,
}

/// Takes the coat off, where there is one.
fn unpacked(pulled: Pulled, most: u64) -> Result<Pulled, PullFailure> {
    match pack::unpack(&pulled.blob, most) {
        Ok(Cow::Borrowed(_)) => Ok(pulled),
        Ok(Cow::Owned(blob)) => Ok(Pulled { blob, ..pulled }),
        Err(_) => Err(PullFailure::Coat),
    }
}

impl ExchangeHandle {
    /// A handle, and how the supervisor starts the room behind it. At most `fan_out` pulls run at a time. With a purse,
    /// models travel with mass; with a pairing, peers meet two by two.
    pub fn new(
        task: TaskId,
        layout: Layout,
        settings: &ExchangeSettings,
        fan_out: usize,
        purse: Option<Purse>,
        pairing: Option<Pairing>,
        network: NetworkHandle,
    ) -> (Self, Start) {
        let machine = ExchangeConfig::default();
        let layout = Arc::new(layout);
        let mailbox = Mailbox::new("exchange");
        let outbound = Arc::new(Semaphore::new(fan_out.max(1)));
        let resumes = machine.resumes;
        let purse = purse.map(|purse| Arc::new(Mutex::new(purse)));
        let meetings =
            pairing.map(|pairing| Meetings::new(pairing, task, Arc::clone(&layout), resumes, network.clone()));
        let handle = Self {
            mailbox: mailbox.clone(),
            network,
            outbound,
            task,
            layout: Arc::clone(&layout),
            resumes,
            packed: settings.compression == Compression::Zstd,
            purse: purse.clone(),
            meetings: meetings.clone(),
        };
        // Under push-sum and in pairs a model is published twice a round.
        let kept = if purse.is_some() || meetings.is_some() { 2 * machine.kept + 1 } else { machine.kept };
        let inbound = Arc::new(Semaphore::new(settings.max_inbound));
        let args = ExchangeArgs { task, layout, kept, inbound, purse, meetings };
        let start: Start = Arc::new(move |supervisor| {
            let (args, mailbox) = (args.clone(), mailbox.clone());
            Box::pin(async move {
                let (actor, _) = Actor::spawn_linked(None, ExchangeActor, args, supervisor).await?;
                mailbox.connect(actor.clone());
                Ok(actor.get_cell())
            })
        });
        (handle, start)
    }

    /// Pulls the newest model of a peer in a codec, within `limit`. An offer below `least_age` is refused before it is
    /// pulled.
    ///
    /// # Errors
    /// Any [`PullFailure`].
    pub async fn pull(
        &self,
        peer: PeerId,
        codec: Codec,
        least_age: u64,
        limit: Duration,
    ) -> Result<Pulled, PullFailure> {
        let bytes = encoded_len(codec, &self.layout);
        let share = self.purse.as_ref().map(|purse| lock(purse).question(peer));
        let (task, resumes, packed) = (self.task, self.resumes, self.packed);
        let order = PullOrder { task, codec, bytes, least_age, resumes, packed, share, meeting: None };
        let work = async {
            // The semaphore is never closed; a permit that fails would mean that the node stops.
            let _permit = self.outbound.acquire().await.map_err(|_| PullFailure::Deadline)?;
            pull::run(&self.network, peer, order).await
        };
        let pulled = tokio::time::timeout(limit, work).await.unwrap_or(Err(PullFailure::Deadline))?;
        if packed { unpacked(pulled, bytes) } else { Ok(pulled) }
    }

    /// Meets a peer: both move towards each other by half of the difference of the models they name, this one when it next
    /// takes [`ExchangeHandle::halves`]. A model that has a meeting as a guest meets nobody else, which is no failure.
    ///
    /// # Errors
    /// Any [`PullFailure`]; a meeting that is settled after `limit` counts all the same.
    pub async fn meet(&self, peer: PeerId, limit: Duration) -> Result<(), PullFailure> {
        match &self.meetings {
            Some(meetings) => meetings.lead(peer, limit).await,
            None => Err(PullFailure::Meeting),
        }
    }

    /// The halves of settled meetings, to be added to the model. After the last round nobody is met any more: `last`.
    pub fn halves(&self, last: bool) -> Vec<Half> {
        self.meetings.as_ref().map_or_else(Vec::new, |meetings| meetings.take(last))
    }

    /// A mix begins: no mass leaves until the next publication. Answers the mass of the own model, 0 without a purse.
    ///
    /// # Errors
    /// The room is being restarted.
    pub async fn close(&self) -> Result<u64, RoomGone> {
        match self.purse {
            // Through the mailbox, behind a publication that may still wait there: it would open the purse again.
            Some(_) => self.mailbox.ask(ExchangeMsg::Close).await,
            None => Ok(0),
        }
    }

    /// The mass of these models was mixed in; that of all others goes back.
    pub fn settle(&self, mixed: &[(PeerId, Grant)]) {
        self.purse.iter().for_each(|purse| lock(purse).settle(mixed));
    }

    /// The books of the own mass, to be put on disk with the model they belong to; none without a purse.
    pub fn account(&self) -> Option<Account> {
        self.purse.as_ref().map(|purse| lock(purse).account().clone())
    }

    /// Whether a mix is under way, so that mass and model are not of one moment.
    pub fn is_closed(&self) -> bool {
        self.purse.as_ref().is_some_and(|purse| lock(purse).is_closed())
    }

    /// Tells holders that their grants were taken, as `kept` says, the account that is on disk.
    pub fn acknowledge(&self, kept: &Account) {
        let Some(purse) = &self.purse else { return };
        let unsettled = lock(purse).unsettled(kept, MAX_ACKNOWLEDGED);
        for (holder, number) in unsettled {
            let (network, purse, task) = (self.network.clone(), Arc::clone(purse), self.task);
            tokio::spawn(async move {
                if let Ok(Response::Noted) = network.request(holder, Request::Taken { task, number }).await {
                    lock(&purse).settled(holder, number);
                }
            });
        }
    }

    /// Serves this model from now on. Several publications are one model in several codecs; the first is whole, for others
    /// are made from it when someone asks.
    pub fn publish(&self, publications: Vec<Publication>) {
        self.cast(ExchangeMsg::Publish(publications));
    }

    /// Tells these numbers to whoever asks for estimates, until there are newer ones.
    pub fn tell(&self, told: Told) {
        self.cast(ExchangeMsg::Tell(told));
    }

    /// Asks a peer what it makes of the whole network, within `limit`. `None` for one that says nothing, for whatever
    /// reason: the next one drawn will.
    pub async fn estimates(&self, peer: PeerId, limit: Duration) -> Option<Told> {
        let asking = self.network.request(peer, Request::Estimates { task: self.task });
        match tokio::time::timeout(limit, asking).await {
            Ok(Ok(Response::Estimates { epoch, minima, spread })) => Some(Told { epoch, minima, spread }),
            _ => None,
        }
    }

    /// A question from the network.
    pub fn asked(&self, peer: PeerId, request: Request, reply: ReplyToken, permit: OwnedSemaphorePermit) {
        self.cast(ExchangeMsg::Asked(peer, request, reply, permit));
    }

    /// A stream from the network.
    pub fn bulk_asked(&self, request: BulkRequest, writer: BulkWriter, permit: OwnedSemaphorePermit) {
        self.cast(ExchangeMsg::BulkAsked(request, writer, permit));
    }

    fn cast(&self, message: ExchangeMsg) {
        if let Err(error) = self.mailbox.cast(message) {
            tracing::debug!(%error);
        }
    }
}
