//! The actor in front of the writing thread.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use peerlearn_protocols::id::TaskId;
use peerlearn_protocols::params::Layout;
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};
use tokio::sync::watch;

use super::{BookEntry, Checkpoint, Home, book, checkpoint};
use crate::event::{EventBus, NodeEvent};

/// What the registry is told.
pub(super) enum RegistryMsg {
    /// Put this on disk; a newer one that comes while an older is being written replaces those that wait.
    Commit(Box<Checkpoint>),
    /// Put this address book on disk.
    SaveBook(Vec<BookEntry>),
    /// Answer when everything told so far is on disk or has failed.
    Flush(RpcReplyPort<()>),
}

#[derive(Clone)]
pub(super) struct RegistryArgs {
    pub home: Arc<Home>,
    pub task: TaskId,
    pub layout: Arc<Layout>,
    pub events: EventBus,
    pub committed: Arc<watch::Sender<Option<u64>>>,
}

enum Job {
    Commit(Box<Checkpoint>),
    SaveBook(Vec<BookEntry>),
    Flush(RpcReplyPort<()>),
}

pub(super) struct RegistryState {
    jobs: SyncSender<Job>,
    skipped: Option<Box<Checkpoint>>,
}

pub(super) struct RegistryActor;

impl Actor for RegistryActor {
    type Msg = RegistryMsg;
    type State = RegistryState;
    type Arguments = RegistryArgs;

    async fn pre_start(
        &self,
        _: ActorRef<RegistryMsg>,
        args: RegistryArgs,
    ) -> Result<RegistryState, ActorProcessingErr> {
        // One job being done and one that waits; more would be old before they are written.
        let (jobs, queue) = sync_channel(2);
        std::thread::Builder::new().name("registry".to_owned()).spawn(move || write_all(&args, &queue))?;
        Ok(RegistryState { jobs, skipped: None })
    }

    async fn handle(
        &self,
        _: ActorRef<RegistryMsg>,
        message: RegistryMsg,
        state: &mut RegistryState,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            RegistryMsg::Commit(checkpoint) => state.on_commit(checkpoint),
            RegistryMsg::SaveBook(entries) => drop(state.jobs.try_send(Job::SaveBook(entries))),
            RegistryMsg::Flush(reply) => state.on_flush(reply),
        }
        Ok(())
    }
}

impl RegistryState {
    fn on_commit(&mut self, checkpoint: Box<Checkpoint>) {
        self.skipped = None;
        if let Err(std::sync::mpsc::TrySendError::Full(Job::Commit(checkpoint))) =
            self.jobs.try_send(Job::Commit(checkpoint))
        {
            // The disk is slower than the rounds: the newest is kept for the next chance.
            self.skipped = Some(checkpoint);
        }
    }

    /// Blocks this room, which nobody else asks anything, until the thread has caught up.
    fn on_flush(&mut self, reply: RpcReplyPort<()>) {
        if let Some(checkpoint) = self.skipped.take() {
            let _ = self.jobs.send(Job::Commit(checkpoint));
        }
        let _ = self.jobs.send(Job::Flush(reply));
    }
}

fn write_all(args: &RegistryArgs, queue: &Receiver<Job>) {
    while let Ok(job) = queue.recv() {
        let failed = |error: super::RegistryError| {
            args.events.emit(NodeEvent::CommitFailed { error: error.to_string() });
        };
        match job {
            Job::Commit(checkpoint) => {
                let path = checkpoint::path_in(args.home.path());
                match checkpoint::save(&path, args.task, &args.layout, &checkpoint) {
                    Ok(()) => {
                        args.committed.send_replace(Some(checkpoint.round));
                        args.events.emit(NodeEvent::Committed { round: checkpoint.round });
                    }
                    Err(error) => failed(error),
                }
            }
            Job::SaveBook(entries) => {
                let _ = book::save(&args.home.file("book.json"), &entries).map_err(failed);
            }
            Job::Flush(reply) => drop(reply.send(())),
        }
    }
}
