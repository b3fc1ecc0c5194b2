//! Where messages for a component go, across restarts of its actor.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use ractor::{ActorRef, Message, RpcReplyPort};
use thiserror::Error;

/// How long any question to a component may take. Components answer from memory; a longer wait means that the component
/// is gone.
pub const CALL_LIMIT: Duration = Duration::from_secs(10);

/// A component did not take a message or did not answer: it is being restarted, or the node stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the {component} component does not answer")]
pub struct ComponentGone {
    /// Its name.
    pub component: &'static str,
}

/// A mailbox that stays valid when the actor behind it is replaced. Clones share it.
#[derive(Debug)]
pub struct Mailbox<M> {
    component: &'static str,
    actor: Arc<RwLock<Option<ActorRef<M>>>>,
}

impl<M> Clone for Mailbox<M> {
    fn clone(&self) -> Self {
        Self { component: self.component, actor: Arc::clone(&self.actor) }
    }
}

impl<M: Message> Mailbox<M> {
    /// A mailbox that nobody reads yet.
    pub fn new(component: &'static str) -> Self {
        Self { component, actor: Arc::default() }
    }

    /// Messages go to `actor` from now on.
    pub fn connect(&self, actor: ActorRef<M>) {
        *self.actor.write().unwrap_or_else(PoisonError::into_inner) = Some(actor);
    }

    /// Sends without waiting.
    ///
    /// # Errors
    /// The component is gone; the message is dropped.
    pub fn cast(&self, message: M) -> Result<(), ComponentGone> {
        let gone = ComponentGone { component: self.component };
        let actor = self.actor.read().unwrap_or_else(PoisonError::into_inner).clone().ok_or(gone)?;
        actor.send_message(message).map_err(|_| gone)
    }

    /// Asks and waits for the answer, [`CALL_LIMIT`] at most.
    ///
    /// # Errors
    /// The component is gone or did not answer in time.
    pub async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(RpcReplyPort<T>) -> M,
    ) -> Result<T, ComponentGone> {
        let gone = ComponentGone { component: self.component };
        let (sender, receiver) = ractor::concurrency::oneshot();
        self.cast(question(sender.into()))?;
        let answer = tokio::time::timeout(CALL_LIMIT, receiver).await.map_err(|_| gone)?;
        answer.map_err(|_| gone)
    }
}
