//! Jobs for the learner, in the order in which the machine wants them.

use peerlearn_learner::LearnerHandle;
use peerlearn_protocols::mixing::pair::PendingDelta;
use peerlearn_protocols::peer::Fact;
use peerlearn_protocols::recipe::MixOrder;
use ractor::ActorRef;
use tokio::sync::mpsc;

use super::actor::{PeerMsg, tell};

/// Most jobs that wait for the learner; a machine wants the next one when it has heard of the one before.
pub(super) const MOST_WAITING: usize = 16;

/// Something for the learner to do.
pub(super) enum Job {
    Train { round: u64 },
    Publish { round: u64, deltas: Vec<PendingDelta> },
    Mix(Box<MixOrder>),
    Measure,
}

impl Job {
    /// What a machine is told of a job that is not done.
    pub fn refused(self, reason: &str) -> Fact {
        let reason = reason.to_owned();
        match self {
            Job::Train { .. } => Fact::Trained(Err(reason)),
            Job::Publish { .. } => Fact::Published(Box::new(Err(reason))),
            Job::Mix(_) => Fact::Mixed(Box::new(Err(reason))),
            Job::Measure => Fact::Measured { own: None, test: None },
        }
    }
}

/// Has one job after the other done, so that facts come back in the order of the effects, until the actor ends.
pub(super) async fn run(mut jobs: mpsc::Receiver<Job>, learner: LearnerHandle, peer: ActorRef<PeerMsg>) {
    while let Some(job) = jobs.recv().await {
        match job {
            Job::Train { round } => {
                let _ = peer.cast(PeerMsg::Trained(round, learner.train(round).await));
            }
            Job::Publish { round, deltas } => {
                let result = learner.publish(round, deltas).await.map_err(|error| error.to_string());
                tell(&peer, Fact::Published(Box::new(result)));
            }
            Job::Mix(order) => {
                let result = learner.mix(*order).await.map_err(|error| error.to_string());
                tell(&peer, Fact::Mixed(Box::new(result)));
            }
            Job::Measure => {
                let (own, test) = learner.measure().await.unwrap_or_else(|error| {
                    // The round closes without a measurement, and the next one measures again.
                    tracing::warn!(%error, "the model could not be measured");
                    (None, None)
                });
                tell(&peer, Fact::Measured { own, test });
            }
        }
    }
}
