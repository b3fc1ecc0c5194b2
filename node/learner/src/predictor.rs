//! Answering with the model while it trains.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use peerlearn_runtime::mailbox::ComponentGone;
use tokio::sync::Mutex;

use super::shared::Shared;
use super::thread::message;
use super::{LearnError, Learner, LearnerError, LearnerFactory};

/// A second model, that holds what the learner answers with: the moving average as of the last mix. Clones share it.
///
/// Made at the first question, so a node that is never asked has none. Questions wait for each other, never for
/// training.
#[derive(Clone)]
pub(super) struct Predictor {
    factory: LearnerFactory,
    shared: Shared,
    loaded: Arc<Mutex<Option<Loaded>>>,
}

struct Loaded {
    learner: Box<dyn Learner>,
    /// Of which snapshot its parameters are.
    version: Option<u64>,
}

impl Predictor {
    pub fn new(factory: LearnerFactory, shared: Shared) -> Self {
        Self { factory, shared, loaded: Arc::default() }
    }

    /// Asks the model that answers something, on a thread for blocking work.
    pub async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut dyn Learner) -> Result<T, LearnError> + Send + 'static,
    ) -> Result<T, LearnerError> {
        let (factory, shared) = (Arc::clone(&self.factory), self.shared.clone());
        let mut loaded = Arc::clone(&self.loaded).lock_owned().await;
        let asking = tokio::task::spawn_blocking(move || {
            // One that panics does not come back.
            let held = loaded.take();
            let work = || shared.counted(|| answer(held, &factory, &shared, question));
            let (held, result) = catch_unwind(AssertUnwindSafe(work))
                .unwrap_or_else(|panic| (None, Err(LearnerError::Panicked { message: message(&panic) })));
            *loaded = held;
            result
        });
        asking.await.map_err(|_| LearnerError::Gone(ComponentGone { component: "learner" }))?
    }
}

fn answer<T>(
    held: Option<Loaded>,
    factory: &LearnerFactory,
    shared: &Shared,
    question: impl FnOnce(&mut dyn Learner) -> Result<T, LearnError>,
) -> (Option<Loaded>, Result<T, LearnerError>) {
    let mut loaded = match held.map_or_else(|| factory().map(|learner| Loaded { learner, version: None }), Ok) {
        Ok(loaded) => loaded,
        Err(error) => return (None, Err(error.into())),
    };
    let newest = shared.newest();
    if loaded.version != Some(newest.version) {
        if let Err(error) = loaded.learner.write(newest.snapshot.answer()) {
            return (None, Err(error.into()));
        }
        loaded.version = Some(newest.version);
    }
    let result = question(&mut *loaded.learner).map_err(LearnerError::from);
    (Some(loaded), result)
}
