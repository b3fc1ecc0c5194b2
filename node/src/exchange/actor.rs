//! The actor that keeps the shelf.

use std::sync::Arc;

use peerlearn_protocols::exchange::{Publication, Shelf};
use peerlearn_protocols::id::TaskId;
use peerlearn_protocols::params::Layout;
use peerlearn_protocols::wire::blob::Blob;
use peerlearn_protocols::wire::{BulkRequest, BulkStart, Refusal, Request, Response};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::network::{BulkWriter, ReplyToken, RequestError};

/// What the exchange is told. Permits bound how many messages from the network wait.
pub(super) enum ExchangeMsg {
    /// Serve this model, in these codecs, from now on.
    Publish(Vec<Publication>),
    /// Answer this question.
    Asked(Request, ReplyToken, OwnedSemaphorePermit),
    /// Send these chunks.
    BulkAsked(BulkRequest, BulkWriter, OwnedSemaphorePermit),
}

#[derive(Clone)]
pub(super) struct ExchangeArgs {
    pub task: TaskId,
    pub layout: Arc<Layout>,
    pub kept: usize,
    pub inbound: Arc<Semaphore>,
}

pub(super) struct ExchangeState {
    shelf: Shelf,
    layout: Arc<Layout>,
    inbound: Arc<Semaphore>,
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
        Ok(ExchangeState { shelf, layout: args.layout, inbound: args.inbound })
    }

    async fn handle(
        &self,
        _: ActorRef<ExchangeMsg>,
        message: ExchangeMsg,
        state: &mut ExchangeState,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            ExchangeMsg::Publish(publications) => state.on_publish(publications),
            ExchangeMsg::Asked(request, reply, _permit) => state.on_asked(&request, reply),
            ExchangeMsg::BulkAsked(request, writer, permit) => state.on_bulk_asked(&request, writer, permit),
        }
        Ok(())
    }
}

impl ExchangeState {
    fn on_publish(&mut self, publications: Vec<Publication>) {
        let mut publications = publications.into_iter();
        publications.next().into_iter().for_each(|whole| self.shelf.publish(whole));
        publications.for_each(|publication| self.shelf.add(publication));
    }

    fn on_asked(&mut self, request: &Request, reply: ReplyToken) {
        let mut response = self.shelf.answer(request);
        if matches!(response, Response::Refused { reason: Refusal::Codec, .. }) && self.transcode(request) {
            response = self.shelf.answer(request);
        }
        reply.answer(&response);
    }

    /// Puts the newest model on the shelf in the codec asked for; once a round and codec, so it costs little.
    fn transcode(&mut self, request: &Request) -> bool {
        let Request::Newest { codec, .. } = request else { return false };
        let Some(newest) = self.shelf.newest() else { return false };
        let offer = newest.offer;
        let Some(blob) = Blob::parse(&newest.blob, &self.layout).ok().and_then(|blob| blob.transcode(*codec).ok())
        else {
            return false;
        };
        self.shelf.add(Publication::new(Arc::new(blob), *codec, offer.age, offer.round, offer.samples));
        true
    }

    fn on_bulk_asked(&self, request: &BulkRequest, mut writer: BulkWriter, waiting: OwnedSemaphorePermit) {
        let held = self.shelf.open(request);
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
