//! The learner's OS thread: takes orders one at a time, survives nothing.
//!
//! A panic of the model ends the thread after the order was answered with [`LearnerError::Panicked`]; the actor in front
//! notices and is restarted with a fresh model.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, PoisonError, RwLock};

use cpu_time::ThreadTime;
use peerlearn_protocols::codec::Codec;
use ractor::RpcReplyPort;

use super::bench::{Encoded, MixOrder, Mixed, Part, Snapshot, Trained, Workbench};
use super::{Evaluation, LearnError, LearnerError};

/// Orders that may wait: the round gives one at a time, status and prediction a few.
const QUEUE: usize = 16;

pub(super) type Reply<T> = RpcReplyPort<Result<T, LearnerError>>;

/// Something to do on the thread, with where the answer goes.
pub(super) enum Order {
    Train(u64, Reply<Trained>),
    Mix(MixOrder, Reply<Mixed>),
    Encode(Codec, Reply<Encoded>),
    Evaluate(Part, Reply<Option<Evaluation>>),
    Predict(Vec<f32>, Reply<Vec<f32>>),
    Snapshot(Reply<Snapshot>),
    Restore(Box<Snapshot>, Reply<()>),
}

/// What outlives a panicking thread: the last good state and the CPU time so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Shared {
    pub good: Arc<RwLock<Snapshot>>,
    pub cpu_micros: Arc<AtomicU64>,
}

/// Starts the thread; it ends when the sender is dropped or the model panics, and then calls `on_end`.
pub(super) fn start(
    build: impl FnOnce() -> Result<Workbench, LearnError> + Send + 'static,
    shared: Shared,
    on_end: impl FnOnce() + Send + 'static,
) -> std::io::Result<SyncSender<Order>> {
    let (sender, receiver) = sync_channel(QUEUE);
    std::thread::Builder::new().name("learner".to_owned()).spawn(move || {
        match catch_unwind(AssertUnwindSafe(build)) {
            Ok(Ok(bench)) => run(bench, &receiver, &shared),
            Ok(Err(error)) => tracing::error!(%error, "the learner could not be built"),
            Err(panic) => tracing::error!(panic = message(&panic), "building the learner panicked"),
        }
        on_end();
    })?;
    Ok(sender)
}

fn run(mut bench: Workbench, orders: &Receiver<Order>, shared: &Shared) {
    while let Ok(order) = orders.recv() {
        let cpu = ThreadTime::now();
        let alive = obey(&mut bench, order, shared);
        shared.cpu_micros.fetch_add(cpu.elapsed().as_micros() as u64, Ordering::Relaxed);
        if !alive {
            return;
        }
    }
}

/// Carries out one order; false when the model panicked.
fn obey(bench: &mut Workbench, order: Order, shared: &Shared) -> bool {
    match order {
        Order::Train(round, reply) => answer(reply, || bench.train(round)),
        Order::Mix(order, reply) => answer(reply, || {
            let mixed = bench.mix(&order);
            // A copy of the whole state each round: what a learner that panics is built anew from.
            let mut good = shared.good.write().unwrap_or_else(PoisonError::into_inner);
            *good = bench.snapshot();
            mixed
        }),
        Order::Encode(codec, reply) => answer(reply, || bench.encode(codec)),
        Order::Evaluate(part, reply) => answer(reply, || bench.evaluate(part)),
        Order::Predict(features, reply) => answer(reply, || bench.predict(&features)),
        Order::Snapshot(reply) => answer(reply, || Ok(bench.snapshot())),
        Order::Restore(snapshot, reply) => answer(reply, || {
            bench.restore(&snapshot)?;
            *shared.good.write().unwrap_or_else(PoisonError::into_inner) = *snapshot;
            Ok(())
        }),
    }
}

fn answer<T>(reply: Reply<T>, work: impl FnOnce() -> Result<T, LearnError>) -> bool {
    let (result, alive) = match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => (result.map_err(LearnerError::from), true),
        Err(panic) => (Err(LearnerError::Panicked { message: message(&panic) }), false),
    };
    // Whoever asked may have stopped waiting.
    let _ = reply.send(result);
    alive
}

fn message(panic: &Box<dyn std::any::Any + Send>) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_owned())
}
