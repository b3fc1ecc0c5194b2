//! The learner's OS thread: does jobs one at a time, survives nothing.
//!
//! A panic of the model ends the thread after the job was answered with [`LearnerError::Panicked`]; the actor in front
//! notices and is restarted with a fresh model.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use cpu_time::ThreadTime;
use peerlearn_protocols::mixing::pair::PendingDelta;
use peerlearn_protocols::recipe::{Evaluation, MixOrder, MixReport, ModelState, Published, Snapshot, TrainReport};
use ractor::RpcReplyPort;

use super::shared::Shared;
use super::{LearnError, LearnerError, LocalTrainer, Part};

/// Jobs that may wait. A node gives one at a time, and a program that holds a handle a few.
const QUEUE: usize = 16;

pub(super) type Reply<T> = RpcReplyPort<Result<T, LearnerError>>;

/// What training did.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trained {
    /// Steps, samples, loss.
    pub report: TrainReport,
    /// Wall time.
    pub wall: Duration,
    /// CPU time of the learner's thread.
    pub cpu: Duration,
}

/// Something to do on the thread, with where the answer goes.
pub(super) enum Job {
    Train(u64, Reply<Trained>),
    Publish(u64, Vec<PendingDelta>, Reply<(Published, Option<MixReport>)>),
    Mix(MixOrder, Reply<MixReport>),
    Measure(Reply<(Option<Evaluation>, Option<Evaluation>)>),
    Restore(Box<Snapshot>, Reply<()>),
    /// The same where nothing but own training has been done since the start.
    Begin(Box<Snapshot>, Reply<bool>),
}

impl Job {
    /// Answers with an error instead of doing it. Whoever asked may have stopped waiting.
    pub fn refuse(self, error: LearnerError) {
        match self {
            Job::Train(_, reply) => drop(reply.send(Err(error))),
            Job::Publish(_, _, reply) => drop(reply.send(Err(error))),
            Job::Mix(_, reply) => drop(reply.send(Err(error))),
            Job::Measure(reply) => drop(reply.send(Err(error))),
            Job::Restore(_, reply) => drop(reply.send(Err(error))),
            Job::Begin(_, reply) => drop(reply.send(Err(error))),
        }
    }
}

/// A model with what trains it.
pub(super) struct Worker {
    pub state: ModelState,
    pub trainer: LocalTrainer,
}

/// Starts the thread; it ends when the sender is dropped or the model panics, and then calls `on_end`.
pub(super) fn start(
    build: impl FnOnce() -> Result<Worker, LearnError> + Send + 'static,
    shared: Shared,
    on_end: impl FnOnce() + Send + 'static,
) -> std::io::Result<SyncSender<Job>> {
    let (sender, receiver) = sync_channel(QUEUE);
    std::thread::Builder::new().name("learner".to_owned()).spawn(move || {
        match catch_unwind(AssertUnwindSafe(build)) {
            Ok(Ok(worker)) => run(worker, &receiver, &shared),
            Ok(Err(error)) => tracing::error!(%error, "the learner could not be built"),
            Err(panic) => tracing::error!(panic = message(&panic), "building the learner panicked"),
        }
        on_end();
    })?;
    Ok(sender)
}

fn run(mut worker: Worker, jobs: &Receiver<Job>, shared: &Shared) {
    while let Ok(job) = jobs.recv() {
        if !shared.counted(|| worker.handle(job, shared)) {
            return;
        }
    }
}

impl Worker {
    /// Does one job; false when the model panicked.
    fn handle(&mut self, job: Job, shared: &Shared) -> bool {
        match job {
            Job::Train(round, reply) => answer(reply, || self.train(round)),
            Job::Publish(round, deltas, reply) => answer(reply, || {
                let adds = !deltas.is_empty();
                let published = self.state.add_and_publish(&mut self.trainer, round, deltas);
                if adds {
                    shared.set(self.state.snapshot());
                }
                Ok(published.map_err(LearnError::from)?)
            }),
            Job::Mix(order, reply) => answer(reply, || {
                let report = self.state.mix(&mut self.trainer, &order);
                // A copy of the whole state each round: what is kept, answered with, and built anew from after a panic.
                shared.set(self.state.snapshot());
                Ok(report)
            }),
            Job::Measure(reply) => answer(reply, || Ok((self.measure(Part::Validation)?, self.measure(Part::Test)?))),
            Job::Restore(snapshot, reply) => answer(reply, || {
                self.state.restore((*snapshot).clone()).map_err(LearnError::from)?;
                shared.set(*snapshot);
                Ok(())
            }),
            Job::Begin(snapshot, reply) => answer(reply, || {
                let is_fresh = shared.newest().snapshot.age == 0;
                if is_fresh {
                    self.state.restore((*snapshot).clone()).map_err(LearnError::from)?;
                    shared.set(*snapshot);
                }
                Ok(is_fresh)
            }),
        }
    }

    fn train(&mut self, round: u64) -> Result<Trained, LearnerError> {
        let (wall, cpu) = (Instant::now(), ThreadTime::now());
        let report = self.state.train(&mut self.trainer, round)?;
        Ok(Trained { report, wall: wall.elapsed(), cpu: cpu.elapsed() })
    }

    fn measure(&mut self, part: Part) -> Result<Option<Evaluation>, LearnError> {
        self.trainer.measure(self.state.answer(), part)
    }
}

fn answer<T>(reply: Reply<T>, work: impl FnOnce() -> Result<T, LearnerError>) -> bool {
    let (result, alive) = match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => (result, true),
        Err(panic) => (Err(LearnerError::Panicked { message: message(&panic) }), false),
    };
    // Whoever asked may have stopped waiting.
    let _ = reply.send(result);
    alive
}

/// What a panic said.
pub(super) fn message(panic: &Box<dyn std::any::Any + Send>) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_owned())
}
