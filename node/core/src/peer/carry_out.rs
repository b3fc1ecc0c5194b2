//! What each effect means in a node.

use peerlearn_protocols::id::PeerId;
use peerlearn_protocols::mixing::push_sum::Account;
use peerlearn_protocols::peer::{Effect, Fact, PeerEvent, RoundClosed};
use peerlearn_protocols::time::Time;
use peerlearn_protocols::wire::Address;
use peerlearn_runtime::event::NodeEvent;
use tokio::sync::mpsc::error::TrySendError;

use super::actor::{PeerState, tell};
use super::training::Job;
use super::{asking, serving};
use crate::registry::Checkpoint;

impl PeerState {
    pub fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Train { round } => self.give(Job::Train { round }),
            Effect::Publish { round, deltas } => self.give(Job::Publish { round, deltas }),
            Effect::Mix(order) => self.give(Job::Mix(order)),
            Effect::Measure => self.give(Job::Measure),
            Effect::Commit { round, account } => self.commit(round, account.map(|account| *account)),
            Effect::Pull(request) => asking::begin_pull(self, *request),
            Effect::CancelPull { pull } => self.pulls.remove(&pull).into_iter().for_each(|task| task.abort()),
            Effect::Ask(question) => asking::ask(self, *question),
            Effect::Answer { token, response } => {
                self.replies.remove(&token.0).into_iter().for_each(|reply| reply.answer(&response));
            }
            Effect::Serve { token, blob, range } => {
                self.writers.remove(&token.0).into_iter().for_each(|writer| {
                    serving::send(writer, blob.clone(), range.clone(), &self.inbound);
                });
            }
            Effect::NotHeld { token } => self.writers.remove(&token.0).into_iter().for_each(serving::refuse),
            Effect::Recode { of, codec, compressed } => serving::recode(self, *of, codec, compressed),
            Effect::Judge(verdict) => self.verdict.take().into_iter().for_each(|token| token.judge(verdict)),
            Effect::Announce(announcement) => self.components.network.publish(*announcement),
            Effect::Dial { peer, addresses } => self.dial(peer, addresses),
            Effect::HangUp { peer } => self.components.network.disconnect(peer),
            Effect::Ban { peer, lasts } => self.components.network.ban(peer, lasts),
            Effect::Event(event) => self.emit(event),
            Effect::WakeAt(at) => self.wake_at(at),
        }
    }

    fn give(&mut self, job: Job) {
        match self.jobs.try_send(job) {
            // The task that takes jobs ends with this actor.
            Ok(()) | Err(TrySendError::Closed(_)) => {}
            Err(TrySendError::Full(job)) => self.facts.push_back(job.refused("too many jobs wait for the learner")),
        }
    }

    /// Without a disk, memory is all there is to go on from.
    fn commit(&mut self, round: u64, account: Option<Account>) {
        match &self.components.registry {
            Some(registry) => {
                registry.commit(Checkpoint { round, snapshot: self.components.learner.snapshot(), account });
            }
            None => self.facts.push_back(Fact::Stored { round }),
        }
    }

    pub fn dial(&self, peer: Option<PeerId>, addresses: Vec<Address>) {
        self.components.network.dial(peer, addresses.into_iter().map(|address| address.0).collect());
    }

    fn wake_at(&mut self, at: Time) {
        let (wait, myself) = (self.components.clock.until(at), self.myself.clone());
        let timer = tokio::spawn(async move {
            tokio::time::sleep(wait).await;
            tell(&myself, Fact::Woke);
        });
        if let Some(old) = self.timer.replace(timer.abort_handle()) {
            old.abort();
        }
    }

    fn emit(&self, event: PeerEvent) {
        let event = match event {
            PeerEvent::Discovered { peer, known } => NodeEvent::PeerDiscovered { peer, known },
            PeerEvent::Expired { peer } => NodeEvent::PeerExpired { peer },
            PeerEvent::Pulled { peer, bytes, took } => NodeEvent::Pulled { peer, bytes, wall: took },
            PeerEvent::PullFailed { peer, reason } => NodeEvent::PullFailed { peer, reason },
            PeerEvent::Misbehaved { peer, fault, banned } => {
                NodeEvent::Misbehaved { peer, reason: fault.to_string(), banned }
            }
            PeerEvent::RoundClosed(closed) => self.round_closed(*closed),
            PeerEvent::Estimated(estimate) => NodeEvent::Estimated { estimate },
            PeerEvent::Warning(message) => NodeEvent::Warning { message },
        };
        self.components.events.emit(event);
    }

    fn round_closed(&self, closed: RoundClosed) -> NodeEvent {
        let RoundClosed { round, drawn, mixed, refused, faults, age, own, test } = closed;
        let (bytes_in, bytes_out) = self.components.network.bytes();
        let (mixed, refused) = (mixed.len(), refused.len() + faults.len());
        // A matrix a round would be most of an event file; `status` has the newest.
        let [own, test] = [own, test].map(|part| part.map(|part| Box::new(part.without_confusion())));
        let cpu = self.components.learner.cpu();
        NodeEvent::RoundClosed { round, drawn, mixed, refused, age, own, test, bytes_in, bytes_out, cpu }
    }
}
