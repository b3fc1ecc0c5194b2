//! Real nodes in this process: started, heard and ended by whoever runs many of them, a demo or an experiment.

use peerlearn::{Node, NodeBuilder, NodeError, Stamped};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// A node whose events go to a channel that many nodes share.
pub struct Running {
    node: Node,
    forwarding: JoinHandle<()>,
}

impl Running {
    /// Starts a node. Every event of it goes to `events`, with its number in front.
    ///
    /// # Errors
    /// Any [`NodeError`].
    pub async fn start<T: From<Stamped> + Send + 'static>(
        builder: NodeBuilder,
        number: usize,
        events: mpsc::Sender<(usize, T)>,
    ) -> Result<Self, NodeError> {
        let node = builder.spawn().await?;
        let forwarding = tokio::spawn(forward(node.subscribe(), number, events));
        Ok(Self { node, forwarding })
    }

    /// The node.
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// Ends it politely: it says goodbye and saves what it has.
    pub async fn stop(&self) {
        self.node.stop().await;
    }

    /// Ends it without saving anything.
    pub async fn abort(&self) {
        self.node.abort().await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.forwarding.abort();
    }
}

async fn forward<T: From<Stamped>>(mut from: Receiver<Stamped>, number: usize, events: mpsc::Sender<(usize, T)>) {
    loop {
        match from.recv().await {
            Ok(stamped) => {
                if events.send((number, stamped.into())).await.is_err() {
                    return;
                }
            }
            Err(RecvError::Lagged(missed)) => {
                tracing::warn!(number, missed, "events of this node were lost: they were not taken in time");
            }
            Err(RecvError::Closed) => return,
        }
    }
}
