//! The actor that keeps the shelf.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use peerlearn_protocols::codec::Codec;
use peerlearn_protocols::estimate::Told;
use peerlearn_protocols::exchange::{Publication, Purse, Shelf};
use peerlearn_protocols::id::{PeerId, Root, TaskId};
use peerlearn_protocols::mixing::push_sum::Ask;
use peerlearn_protocols::params::Layout;
use peerlearn_protocols::wire::blob::Blob;
use peerlearn_protocols::wire::pack;
use peerlearn_protocols::wire::{BulkRequest, BulkStart, Refusal, Request, Response};
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::meetings::Meetings;
use crate::network::{BulkWriter, ReplyToken, RequestError};

/// What the exchange is told. Permits bound how many messages from the network wait.
pub(super) enum ExchangeMsg {
    /// Serve this model, in these codecs, from now on.
    Publish(Vec<Publication>),
    /// Tell these numbers to whoever asks for estimates.
    Tell(Told),
    /// A mix begins: answer with the own mass, and hand none over until the next publication.
    Close(RpcReplyPort<u64>),
    /// Answer this question of a peer.
    Asked(PeerId, Request, ReplyToken, OwnedSemaphorePermit),
    /// Send these chunks.
    BulkAsked(BulkRequest, BulkWriter, OwnedSemaphorePermit),
}

#[derive(Clone)]
pub(super) struct ExchangeArgs {
    pub task: TaskId,
    pub layout: Arc<Layout>,
    pub kept: usize,
    pub inbound: Arc<Semaphore>,
    /// Mass outlives a failure of this room.
    pub purse: Option<Arc<Mutex<Purse>>>,
    /// Meetings too.
    pub meetings: Option<Meetings>,
}

pub(super) struct ExchangeState {
    shelf: Shelf,
    layout: Arc<Layout>,
    inbound: Arc<Semaphore>,
    purse: Option<Arc<Mutex<Purse>>>,
    meetings: Option<Meetings>,
    /// Forms of the newest model that a coat was tried on.
    tried: BTreeSet<Root>,
}

pub(super) struct ExchangeActor;

impl Actor for ExchangeActor {
    type Msg = ExchangeMsg;
    type State = ExchangeState;
    type Arguments = ExchangeArgs;

    async fn pre_start(
        &self,
        _: ActorRef<ExchangeMsg>,
        args: ExchangeArgs,
    ) -> Result<ExchangeState, ActorProcessingErr> {
        let shelf = Shelf::new(args.task, args.kept);
        let (layout, inbound, purse, meetings) = (args.layout, args.inbound, args.purse, args.meetings);
        Ok(ExchangeState { shelf, layout, inbound, purse, meetings, tried: BTreeSet::new() })
    }

    async fn handle(
        &self,
        _: ActorRef<ExchangeMsg>,
        message: ExchangeMsg,
        state: &mut ExchangeState,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            ExchangeMsg::Publish(publications) => state.on_publish(publications),
            ExchangeMsg::Tell(told) => state.shelf.tell(told),
            ExchangeMsg::Close(reply) => state.on_close(reply),
            ExchangeMsg::Asked(peer, request, reply, _permit) => state.on_asked(peer, &request, reply),
            ExchangeMsg::BulkAsked(request, writer, permit) => state.on_bulk_asked(&request, writer, permit),
        }
        Ok(())
    }
}

/// The purse: never locked while waiting, and whole even if a thread that held it panicked.
pub(super) fn lock(purse: &Mutex<Purse>) -> MutexGuard<'_, Purse> {
    purse.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ExchangeState {
    fn on_publish(&mut self, publications: Vec<Publication>) {
        self.tried.clear();
        let mut publications = publications.into_iter();
        if let Some(whole) = publications.next() {
            self.meetings.iter().for_each(|meetings| meetings.publish(whole.clone()));
            self.shelf.publish(whole);
        }
        publications.for_each(|publication| self.shelf.add(publication));
        self.purse.iter().for_each(|purse| lock(purse).open());
    }

    fn on_close(&self, reply: RpcReplyPort<u64>) {
        // Whoever asked may have stopped waiting; then it does not mix, and the next publication opens the purse.
        let _ = reply.send(self.purse.as_ref().map_or(0, |purse| lock(purse).close()));
    }

    fn on_asked(&mut self, peer: PeerId, request: &Request, reply: ReplyToken) {
        let mut response = self.shelf.answer(request);
        if let (Some(meetings), Response::Refused { reason: Refusal::NoMeeting, .. }) = (&self.meetings, &response) {
            response = meetings.answer(peer, request);
        }
        if matches!(response, Response::Refused { reason: Refusal::Codec, .. }) && self.transcode(request) {
            response = self.shelf.answer(request);
        }
        if let Request::Packed { codec, .. } = request
            && matches!(response, Response::Offer { .. })
            && self.pack(*codec)
        {
            response = self.shelf.answer(request);
        }
        reply.answer(&self.with_mass(peer, request, response));
    }

    /// Adds mass to an offer where it was asked for, and notes what was taken.
    fn with_mass(&self, peer: PeerId, request: &Request, response: Response) -> Response {
        match (request, &self.purse) {
            (&Request::Share { number, taken, .. }, Some(purse)) => {
                lock(purse).answer(peer, Ask { number, taken }, response)
            }
            (Request::Share { .. }, None) => Response::Refused { reason: Refusal::NoMass, retry_after_ms: 600_000 },
            (&Request::Taken { number, .. }, Some(purse))
                if matches!(response, Response::Refused { reason: Refusal::NoMass, .. }) =>
            {
                lock(purse).taken(peer, number)
            }
            _ => response,
        }
    }

    /// Puts the newest model on the shelf in the codec asked for; once a round and codec, so it costs little.
    fn transcode(&mut self, request: &Request) -> bool {
        let (Request::Newest { codec, .. } | Request::Share { codec, .. } | Request::Packed { codec, .. }) = request
        else {
            return false;
        };
        let Some(newest) = self.shelf.newest().filter(|_| self.shelf.has_room()) else { return false };
        let offer = newest.offer;
        let Some(blob) = Blob::parse(&newest.blob, &self.layout).ok().and_then(|blob| blob.transcode(*codec).ok())
        else {
            return false;
        };
        self.shelf.add(Publication::new(Arc::new(blob), *codec, offer.age, offer.round, offer.samples));
        true
    }

    /// Puts the newest model on the shelf in a coat, where that pays; tried once a model and codec.
    fn pack(&mut self, codec: Codec) -> bool {
        let Some(plain) = self.shelf.newest_in(codec, false).filter(|_| self.shelf.has_room()) else { return false };
        if self.shelf.newest_in(codec, true).is_some() || !self.tried.insert(plain.offer.root) {
            return false;
        }
        let Some(bytes) = pack::pack(&plain.blob) else { return false };
        let packed = plain.in_coat(bytes);
        self.shelf.add(packed);
        true
    }

    fn on_bulk_asked(&self, request: &BulkRequest, mut writer: BulkWriter, waiting: OwnedSemaphorePermit) {
        let in_meeting = || self.meetings.as_ref().and_then(|meetings| meetings.open(request));
        let held = self.shelf.open(request).or_else(in_meeting);
        let permit = Arc::clone(&self.inbound).try_acquire_owned();
        tokio::spawn(async move {
            drop(waiting);
            let sent = match (held, permit) {
                (None, _) => writer.start(BulkStart::Gone).await,
                (_, Err(_)) => writer.start(BulkStart::Busy).await,
                (Some((blob, range)), Ok(_permit)) => send(writer, &blob[range]).await,
            };
            if let Err(error) = sent {
                tracing::debug!(%error, "a pull from here was not completed");
            }
        });
    }
}

async fn send(mut writer: BulkWriter, bytes: &[u8]) -> Result<(), RequestError> {
    writer.start(BulkStart::Sending).await?;
    writer.write(bytes).await?;
    writer.finish().await
}
