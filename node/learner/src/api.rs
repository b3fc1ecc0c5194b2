//! The handle of the learner.

use std::sync::Arc;
use std::time::Duration;

use peerlearn_protocols::mixing::pair::PendingDelta;
use peerlearn_protocols::recipe::{Evaluation, MixOrder, MixReport, Published, Recipe, Snapshot};
use peerlearn_runtime::mailbox::{ComponentGone, Mailbox};
use peerlearn_runtime::supervisor::Start;
use ractor::Actor;

use super::actor::{LearnerActor, LearnerArgs, LearnerMsg};
use super::predictor::Predictor;
use super::shared::Shared;
use super::thread::{Job, Reply, Trained};
use super::{LearnerData, LearnerError, LearnerFactory, Part};

/// The learner, for other components. Cloning is cheap.
///
/// Jobs take as long as the work in front of them. [`LearnerHandle::snapshot`] and [`LearnerHandle::cpu`] answer at
/// once, and [`LearnerHandle::predict`] and [`LearnerHandle::evaluate`] never wait for training.
#[derive(Clone)]
pub struct LearnerHandle {
    mailbox: Mailbox<LearnerMsg>,
    shared: Shared,
    predictor: Predictor,
    data: LearnerData,
}

impl LearnerHandle {
    /// A handle, and how the supervisor starts the component behind it.
    ///
    /// `start` is where the model begins: the initial weights of the task, or a checkpoint. `seed` decides minibatches,
    /// rounding and fragments, and should be another one for every peer.
    pub fn new(
        factory: LearnerFactory,
        data: LearnerData,
        recipe: Arc<Recipe>,
        seed: u64,
        start: Snapshot,
    ) -> (Self, Start) {
        let mailbox = Mailbox::new("learner");
        let shared = Shared::new(start);
        let predictor = Predictor::new(Arc::clone(&factory), shared.clone());
        let handle = Self { mailbox: mailbox.clone(), shared: shared.clone(), predictor, data: data.clone() };
        let args = LearnerArgs { factory, data, recipe, seed, shared };
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

    /// Trains the steps of a round ([`peerlearn_protocols::recipe::ModelState::train`]).
    ///
    /// # Errors
    /// Any [`LearnerError`].
    pub async fn train(&self, round: u64) -> Result<Trained, LearnerError> {
        self.ask(|reply| Job::Train(round, reply)).await
    }

    /// Adds agreed deltas and publishes the model ([`peerlearn_protocols::recipe::ModelState::add_and_publish`]).
    ///
    /// # Errors
    /// Any [`LearnerError`].
    pub async fn publish(
        &self,
        round: u64,
        deltas: Vec<PendingDelta>,
    ) -> Result<(Published, Option<MixReport>), LearnerError> {
        self.ask(|reply| Job::Publish(round, deltas, reply)).await
    }

    /// Mixes models into the own one ([`peerlearn_protocols::recipe::ModelState::mix`]).
    ///
    /// # Errors
    /// Any [`LearnerError`]; what is wrong with a model of another peer is in the answer instead.
    pub async fn mix(&self, order: MixOrder) -> Result<MixReport, LearnerError> {
        self.ask(|reply| Job::Mix(order, reply)).await
    }

    /// Measures the model that is answered with, on own rows kept apart and on test rows, where there are any.
    ///
    /// # Errors
    /// Any [`LearnerError`].
    pub async fn measure(&self) -> Result<(Option<Evaluation>, Option<Evaluation>), LearnerError> {
        self.ask(Job::Measure).await
    }

    /// Measures the model that is answered with as of the last mix, also while the next one trains; `None` where there
    /// are no such rows.
    ///
    /// # Errors
    /// Any [`LearnerError`].
    pub async fn evaluate(&self, part: Part) -> Result<Option<Evaluation>, LearnerError> {
        let Some(rows) = self.data.part(part).filter(|rows| !rows.is_empty()).cloned() else { return Ok(None) };
        self.predictor.ask(move |learner| learner.evaluate(&rows)).await.map(Some)
    }

    /// Class probabilities of the model that is answered with as of the last mix, also while the next one trains; of a
    /// model with one output, the number itself. Shapes: `features: [rows, width]`, answer `[rows, outputs]`.
    ///
    /// # Errors
    /// Any [`LearnerError`].
    pub async fn predict(&self, features: Vec<f32>) -> Result<Vec<f32>, LearnerError> {
        self.predictor.ask(move |learner| learner.predict(&features)).await
    }

    /// Everything that a restart needs, as of the last mix.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.shared.newest().snapshot
    }

    /// Goes back to a snapshot.
    ///
    /// # Errors
    /// Any [`LearnerError`].
    pub async fn restore(&self, snapshot: Snapshot) -> Result<(), LearnerError> {
        self.ask(|reply| Job::Restore(Box::new(snapshot), reply)).await
    }

    /// Begins anew with other weights, as long as nothing has been mixed since the model began; answers whether it did. What was
    /// trained since then is lost.
    ///
    /// # Errors
    /// Any [`LearnerError`].
    pub async fn begin_anew(&self, start: Snapshot) -> Result<bool, LearnerError> {
        self.ask(|reply| Job::Begin(Box::new(start), reply)).await
    }

    /// CPU time spent on the model since the start: training, mixing, measuring, predicting.
    pub fn cpu(&self) -> Duration {
        self.shared.cpu()
    }

    /// Work may be long, so there is no time limit; a thread that dies drops the reply, which ends the wait.
    async fn ask<T: Send + 'static>(&self, job: impl FnOnce(Reply<T>) -> Job) -> Result<T, LearnerError> {
        let (sender, receiver) = ractor::concurrency::oneshot();
        self.mailbox.cast(LearnerMsg::Do(job(sender.into())))?;
        receiver.await.map_err(|_| LearnerError::Gone(ComponentGone { component: "learner" }))?
    }
}
