//! The actor in front of the learner's thread.

use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError};

use peerlearn_protocols::recipe::{ModelState, Recipe};
use ractor::{Actor, ActorProcessingErr, ActorRef};

use super::shared::Shared;
use super::thread::{self, Job, Worker};
use super::{LearnError, LearnerData, LearnerError, LearnerFactory, LocalTrainer};

/// What the learner is told.
pub(super) enum LearnerMsg {
    /// Do this on the thread, as soon as what was asked before is done.
    Do(Job),
    /// The thread has ended on its own: the actor fails, so that the supervisor starts both anew.
    ThreadEnded,
}

#[derive(Clone)]
pub(super) struct LearnerArgs {
    pub factory: LearnerFactory,
    pub data: LearnerData,
    pub recipe: Arc<Recipe>,
    pub seed: u64,
    pub shared: Shared,
}

impl LearnerArgs {
    /// A model as of the newest state.
    fn build(self) -> Result<Worker, LearnError> {
        let Self { factory, data, recipe, seed, shared } = self;
        let samples = data.train.len();
        let trainer = LocalTrainer::new(factory()?, data, &recipe.rule);
        let layout = Arc::new(trainer.learner().layout().clone());
        let newest = (*shared.newest().snapshot).clone();
        Ok(Worker { state: ModelState::new(layout, recipe, samples, newest, seed)?, trainer })
    }
}

pub(super) struct LearnerState {
    jobs: SyncSender<Job>,
}

pub(super) struct LearnerActor;

impl Actor for LearnerActor {
    type Msg = LearnerMsg;
    type State = LearnerState;
    type Arguments = LearnerArgs;

    async fn pre_start(
        &self,
        myself: ActorRef<LearnerMsg>,
        args: LearnerArgs,
    ) -> Result<LearnerState, ActorProcessingErr> {
        let shared = args.shared.clone();
        let ended = move || drop(myself.cast(LearnerMsg::ThreadEnded));
        Ok(LearnerState { jobs: thread::start(move || args.build(), shared, ended)? })
    }

    async fn handle(
        &self,
        _: ActorRef<LearnerMsg>,
        message: LearnerMsg,
        state: &mut LearnerState,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            LearnerMsg::Do(job) => state.give(job),
            LearnerMsg::ThreadEnded => return Err("the learner's thread ended".into()),
        }
        Ok(())
    }
}

impl LearnerState {
    fn give(&mut self, job: Job) {
        match self.jobs.try_send(job) {
            Ok(()) => {}
            Err(TrySendError::Full(job)) => job.refuse(LearnerError::Busy),
            // ThreadEnded is on its way; dropping the job tells whoever asked.
            Err(TrySendError::Disconnected(_)) => {}
        }
    }
}
