//! The handle of the registry component.

use std::sync::Arc;

use peerlearn_protocols::id::TaskId;
use peerlearn_protocols::params::Layout;
use peerlearn_runtime::event::{EventBus, NodeEvent};
use peerlearn_runtime::mailbox::Mailbox;
use peerlearn_runtime::supervisor::Start;
use ractor::Actor;
use tokio::sync::watch;

use super::actor::{RegistryActor, RegistryArgs, RegistryMsg};
use super::{BookEntry, Checkpoint, Home, RegistryError, book, checkpoint};

/// The registry, for other components. Cloning is cheap.
#[derive(Clone)]
pub struct RegistryHandle {
    mailbox: Mailbox<RegistryMsg>,
    committed: watch::Receiver<Option<u64>>,
}

impl RegistryHandle {
    /// A handle, what was on disk, and how the supervisor starts the component behind it.
    ///
    /// # Errors
    /// A file cannot be read, no checkpoint is whole, or it belongs to another task.
    pub fn open(
        home: Arc<Home>,
        task: TaskId,
        layout: Layout,
        events: EventBus,
    ) -> Result<(Self, Option<Checkpoint>, Vec<BookEntry>, Start), RegistryError> {
        let (found, damage) = checkpoint::load_newest(home.path(), task, &layout)?;
        if let (Some(damage), Some(found)) = (damage, &found) {
            let message = format!(
                "{damage}; this node goes on from round {}, one checkpoint earlier (to begin anew, remove \
                 checkpoint*.safetensors)",
                found.round
            );
            events.emit(NodeEvent::Warning { message });
            if matches!(damage, RegistryError::Damaged { .. }) {
                checkpoint::set_aside(home.path());
            }
        }
        let book = match book::load(&home.file("book.json")) {
            Err(damage @ RegistryError::Damaged { .. }) => {
                let message = format!("{damage}; this node starts a new address book");
                events.emit(NodeEvent::Warning { message });
                Vec::new()
            }
            book => book?,
        };
        let (sender, committed) = watch::channel(found.as_ref().map(|checkpoint| checkpoint.round));
        let mailbox = Mailbox::new("registry");
        let layout = Arc::new(layout);
        let args = RegistryArgs { home, task, layout, events, committed: Arc::new(sender) };
        let handle = Self { mailbox: mailbox.clone(), committed };
        let start: Start = Arc::new(move |supervisor| {
            let (args, mailbox) = (args.clone(), mailbox.clone());
            Box::pin(async move {
                let (actor, _) = Actor::spawn_linked(None, RegistryActor, args, supervisor).await?;
                mailbox.connect(actor.clone());
                Ok(actor.get_cell())
            })
        });
        Ok((handle, found, book, start))
    }

    /// Puts a checkpoint on disk soon; the event stream says when it is there.
    pub fn commit(&self, checkpoint: Checkpoint) {
        self.cast(RegistryMsg::Commit(Box::new(checkpoint)));
    }

    /// Puts the address book on disk soon.
    pub fn save_book(&self, entries: Vec<BookEntry>) {
        self.cast(RegistryMsg::SaveBook(entries));
    }

    /// Waits until everything told so far is on disk or has failed.
    pub async fn flush(&self) {
        // A registry that does not answer has nothing to wait for.
        let _ = self.mailbox.ask(RegistryMsg::Flush).await;
    }

    /// The round on disk.
    pub fn committed(&self) -> Option<u64> {
        *self.committed.borrow()
    }

    /// Tells of every round that is on disk.
    pub fn committed_rounds(&self) -> watch::Receiver<Option<u64>> {
        self.committed.clone()
    }

    fn cast(&self, message: RegistryMsg) {
        if let Err(error) = self.mailbox.cast(message) {
            tracing::warn!(%error, "state not kept");
        }
    }
}
