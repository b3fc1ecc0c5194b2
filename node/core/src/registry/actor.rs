//! The actor in front of the writing thread.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

use peerlearn_protocols::id::TaskId;
use peerlearn_protocols::params::Layout;
use peerlearn_runtime::event::{EventBus, NodeEvent};
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};
use tokio::sync::watch;

use super::{BookEntry, Checkpoint, Home, RegistryError, book, checkpoint};

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

/// What waits to be written; the newest replaces what was not begun.
#[derive(Default)]
struct WriteQueue {
    checkpoint: Option<Box<Checkpoint>>,
    book: Option<Vec<BookEntry>>,
    flushes: Vec<RpcReplyPort<()>>,
    closed: bool,
}

impl WriteQueue {
    fn is_empty(&self) -> bool {
        self.checkpoint.is_none() && self.book.is_none() && self.flushes.is_empty()
    }
}

/// The queue between the actor, which never waits for the disk, and the thread that does.
type Shared = Arc<(Mutex<WriteQueue>, Condvar)>;

pub(super) struct RegistryState {
    shared: Shared,
}

impl Drop for RegistryState {
    fn drop(&mut self) {
        self.put(|queue| queue.closed = true);
    }
}

impl RegistryState {
    fn put(&self, change: impl FnOnce(&mut WriteQueue)) {
        let (queue, changed) = &*self.shared;
        change(&mut queue.lock().unwrap_or_else(PoisonError::into_inner));
        changed.notify_one();
    }
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
        let shared = Shared::default();
        let queue = Arc::clone(&shared);
        std::thread::Builder::new().name("registry".to_owned()).spawn(move || write_all(&args, &queue))?;
        Ok(RegistryState { shared })
    }

    async fn handle(
        &self,
        _: ActorRef<RegistryMsg>,
        message: RegistryMsg,
        state: &mut RegistryState,
    ) -> Result<(), ActorProcessingErr> {
        state.put(|queue| match message {
            RegistryMsg::Commit(checkpoint) => queue.checkpoint = Some(checkpoint),
            RegistryMsg::SaveBook(entries) => queue.book = Some(entries),
            RegistryMsg::Flush(reply) => queue.flushes.push(reply),
        });
        Ok(())
    }
}

/// Writes what is on the queue until it is closed and empty.
fn write_all(args: &RegistryArgs, (queue, changed): &(Mutex<WriteQueue>, Condvar)) {
    loop {
        let waiting = queue.lock().unwrap_or_else(PoisonError::into_inner);
        let idle = |queue: &mut WriteQueue| queue.is_empty() && !queue.closed;
        let mut ready = changed.wait_while(waiting, idle).unwrap_or_else(PoisonError::into_inner);
        let work = std::mem::take(&mut *ready);
        ready.closed = work.closed;
        drop(ready);
        if work.is_empty() {
            return;
        }
        write(args, work);
    }
}

fn write(args: &RegistryArgs, work: WriteQueue) {
    let failed = |error: RegistryError| args.events.emit(NodeEvent::CommitFailed { error: error.to_string() });
    if let Some(checkpoint) = work.checkpoint {
        let path = checkpoint::path_in(args.home.path());
        match checkpoint::save(&path, args.task, &args.layout, &checkpoint) {
            Ok(()) => {
                args.committed.send_replace(Some(checkpoint.round));
                args.events.emit(NodeEvent::Committed { round: checkpoint.round });
            }
            Err(error) => failed(error),
        }
    }
    if let Some(entries) = work.book {
        let _ = book::save(&args.home.file("book.json"), &entries).map_err(failed);
    }
    // Whoever asked may have stopped waiting.
    work.flushes.into_iter().for_each(|reply| drop(reply.send(())));
}
