//! The handle of the learner room.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use peerlearn_protocols::codec::Codec;
use ractor::Actor;

use super::actor::{LearnerActor, LearnerArgs, LearnerMsg};
use super::bench::{Encoded, MixOrder, Mixed, Part, Snapshot, Trained};
use super::thread::{Order, Reply, Shared};
use super::{Evaluation, LearnerConfig, LearnerData, LearnerError, LearnerFactory};
use crate::mailbox::{Mailbox, RoomGone};
use crate::supervisor::Start;

/// The learner, for other rooms. Cloning is cheap.
///
/// Answers take as long as the work in front of them; only [`LearnerHandle::cpu`] answers at once.
#[derive(Clone)]
pub struct LearnerHandle {
    mailbox: Mailbox<LearnerMsg>,
    shared: Shared,
}

impl LearnerHandle {
    /// A handle, and how the supervisor starts the room behind it.
    ///
    /// `start` is where the model begins: the initial weights of the task, or a checkpoint.
    pub fn new(factory: LearnerFactory, data: LearnerData, config: LearnerConfig, start: Snapshot) -> (Self, Start) {
        let mailbox = Mailbox::new("learner");
        let shared = Shared::default();
        *shared.good.write().unwrap_or_else(std::sync::PoisonError::into_inner) = start;
        let args = LearnerArgs { factory, data, config, shared: shared.clone() };
        let handle = Self { mailbox: mailbox.clone(), shared };
        let start: Start = Arc::new(move |supervisor| {
            let (args, mailbox) = (args.clone(), mailbox.clone());
            Box::pin(async move {
                let (actor, _) = Actor::spawn_linked(None, LearnerActor, args, supervisor).await?;
                mailbox.connect(actor.clone());
                Ok(actor.get_cell())
            })
        });
        (handle, start)
    }

    /// Trains the steps of a round.
    ///
    /// # Errors
    /// Any [`LearnerError`].
    pub async fn train(&self, round: u64) -> Result<Trained, LearnerError> {
        self.ask(|reply| Order::Train(round, reply)).await
    }

    /// Mixes models into the own one.
    ///
    /// # Errors
    /// Any [`LearnerError`]; what is wrong with a model of another peer is in the answer instead.
    pub async fn mix(&self, order: MixOrder) -> Result<Mixed, LearnerError> {
        self.ask(|reply| Order::Mix(order, reply)).await
    }

    /// Encodes the model as it is now: after training, before the next mix.
    ///
    /// # Errors
    /// Any [`LearnerError`].
    pub async fn encode(&self, codec: Codec) -> Result<Encoded, LearnerError> {
        self.ask(|reply| Order::Encode(codec, reply)).await
    }

    /// Measures the current model; `None` where there are no such rows.
    ///
    /// # Errors
    /// Any [`LearnerError`].
    pub async fn evaluate(&self, part: Part) -> Result<Option<Evaluation>, LearnerError> {
        self.ask(|reply| Order::Evaluate(part, reply)).await
    }

    /// Class probabilities. Shapes: `features: [rows, width]`, answer `[rows, classes]`.
    ///
    /// # Errors
    /// Any [`LearnerError`].
    pub async fn predict(&self, features: Vec<f32>) -> Result<Vec<f32>, LearnerError> {
        self.ask(|reply| Order::Predict(features, reply)).await
    }

    /// Everything that a restart needs, as of the last mix.
    ///
    /// # Errors
    /// Any [`LearnerError`].
    pub async fn snapshot(&self) -> Result<Snapshot, LearnerError> {
        self.ask(Order::Snapshot).await
    }

    /// Goes back to a snapshot.
    ///
    /// # Errors
    /// Any [`LearnerError`].
    pub async fn restore(&self, snapshot: Snapshot) -> Result<(), LearnerError> {
        self.ask(|reply| Order::Restore(Box::new(snapshot), reply)).await
    }

    /// CPU time of the learner's thread since the start.
    pub fn cpu(&self) -> Duration {
        Duration::from_micros(self.shared.cpu_micros.load(Ordering::Relaxed))
    }

    /// Work may be long, so there is no time limit; a thread that dies drops the reply, which ends the wait.
    async fn ask<T: Send + 'static>(&self, order: impl FnOnce(Reply<T>) -> Order) -> Result<T, LearnerError> {
        let (sender, receiver) = ractor::concurrency::oneshot();
        self.mailbox.cast(LearnerMsg::Do(order(sender.into())))?;
        receiver.await.map_err(|_| LearnerError::Gone(RoomGone { room: "learner" }))?
    }
}
