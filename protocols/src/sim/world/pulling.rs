//! Pulling models and mixing what arrived.

use std::sync::Arc;

use super::event::{Chunks, Message, Timer};
use super::peer::Peer;
use super::record::Happening;
use super::{Environment, index_of, peer_id};
use crate::exchange::{ExchangeConfig, Pull, PullError, PullOrder, Pulled, Purse, Step};
use crate::id::PeerId;
use crate::membership::Input as MembershipInput;
use crate::mixing::push_sum::Grant;
use crate::mixing::{Candidate, Meta, Own, Rule, mix_judged};
use crate::round::Input;
use crate::score::Fault;
use crate::time::Time;
use crate::wire::blob::{Blob, BlobError, encoded_len};
use crate::wire::{CHUNK_BYTES, Offer, Request, Response};

/// Rows that loss-based rules look at.
const JUDGED_ROWS: usize = 64;

/// A pull under way.
#[derive(Debug)]
pub(super) struct Active {
    number: u32,
    peer: PeerId,
    began: Time,
    pull: Pull,
    /// The bytes, where the pull does not keep them.
    model: Option<Arc<Vec<u8>>>,
}

/// A model that arrived.
#[derive(Debug)]
pub(super) struct Arrived {
    peer: PeerId,
    offer: Offer,
    grant: Option<Grant>,
    blob: Arc<Vec<u8>>,
}

impl Peer {
    pub(super) fn pull(&mut self, env: &Environment<'_>, peer: PeerId, deadline: Time) {
        let codec = if self.round.is_joining() { self.recipe.codec.whole() } else { self.recipe.codec };
        let limited = self.recipe.rule == Rule::AgeLimited && !self.round.is_joining();
        let order = PullOrder {
            task: super::discovery::TASK,
            codec,
            bytes: encoded_len(codec, env.model.layout()),
            least_age: if limited { self.stale.least(self.learner.age) } else { 0 },
            resumes: ExchangeConfig::default().resumes,
            packed: false,
            // A peer that has just started has a model of its own and mass with it; it only looks.
            share: match &mut self.purse {
                Some(purse) if !self.round.is_joining() => Some(purse.question(peer)),
                _ => None,
            },
            meeting: None,
        };
        let (pull, step) = Pull::new(order);
        let number = self.next_pull;
        self.next_pull += 1;
        self.pulls.push(Active { number, peer, began: self.now, pull, model: None });
        let gives_up = self.now + env.config.request_timeout;
        // At the deadline the round machine cancels what is left by itself.
        if gives_up < deadline {
            self.set_timer(gives_up, Timer::PullTimeout(number));
        }
        self.take_step(env, number, step);
    }

    pub(super) fn on_answer(&mut self, env: &Environment<'_>, from: u32, number: u32, response: Response) {
        let Some(active) = self.active(from, number) else { return };
        let step = active.pull.answered(response);
        self.take_step(env, number, step);
    }

    pub(super) fn on_chunks(&mut self, env: &Environment<'_>, from: u32, number: u32, chunks: Option<Box<Chunks>>) {
        let Some(active) = self.active(from, number) else { return };
        let Some(Chunks { model, range, is_as_offered }) = chunks.map(|chunks| *chunks) else {
            let step = active.pull.cut();
            return self.take_step(env, number, step);
        };
        let mut step = active.pull.opened();
        let is_whole = range == (0..model.len());
        for chunk in model[range].chunks(CHUNK_BYTES) {
            step = match is_as_offered && is_whole {
                true => active.pull.chunk_kept_elsewhere(chunk.len()),
                false => active.pull.chunk(chunk),
            };
        }
        if is_as_offered && is_whole {
            active.model = Some(model);
        }
        self.take_step(env, number, step);
    }

    /// The pull of this number, if it is from this peer.
    fn active(&mut self, from: u32, number: u32) -> Option<&mut Active> {
        self.pulls.iter_mut().find(|active| active.number == number && active.peer == peer_id(from))
    }

    pub(super) fn on_pull_timeout(&mut self, env: &Environment<'_>, number: u32) {
        self.end_pull(env, number, false);
    }

    fn take_step(&mut self, env: &Environment<'_>, number: u32, step: Step) {
        let Some(active) = self.pulls.iter_mut().find(|active| active.number == number) else { return };
        let (peer, to) = (active.peer, index_of(active.peer));
        match step {
            Step::Ask(request) => {
                let door = self.discovery.door(to);
                self.send(env, to, question(number, door, request));
            }
            Step::Stream(request) => self.send(env, to, Message::Stream { pull: number, request: Box::new(request) }),
            // The stream ended before the model did; its timeout will tell.
            Step::Read(_) => {}
            Step::Done(pulled) => {
                let Pulled { offer, grant, blob } = *pulled;
                let blob = active.model.take().unwrap_or_else(|| Arc::new(blob));
                let (from, bytes, took) = (to as usize, blob.len() as u64, self.now.since(active.began));
                self.record(env, Happening::Pulled { from, bytes, took });
                self.arrived.push(Arrived { peer, offer, grant, blob });
                self.end_pull(env, number, true);
            }
            Step::Failed(error) => {
                self.stale_seen += usize::from(matches!(error, PullError::Stale { .. }));
                error.fault().into_iter().for_each(|fault| self.fault(env, peer, fault));
                self.end_pull(env, number, false);
            }
        }
    }

    /// Ends all pulls under way; what they asked for goes nowhere.
    pub(super) fn fail_pulls(&mut self, env: &Environment<'_>) {
        let numbers: Vec<u32> = self.pulls.iter().map(|active| active.number).collect();
        numbers.into_iter().for_each(|number| self.end_pull(env, number, false));
    }

    fn end_pull(&mut self, env: &Environment<'_>, number: u32, arrived: bool) {
        if let Some(at) = self.pulls.iter().position(|active| active.number == number) {
            let active = self.pulls.swap_remove(at);
            self.stats.failed += u64::from(!arrived);
            self.tell_round(env, Input::PullEnded { peer: active.peer, arrived });
        }
    }

    fn fault(&mut self, env: &Environment<'_>, peer: PeerId, fault: Fault) {
        self.stats.faults += 1;
        if self.scores.fault(self.now, peer, fault) {
            self.tell_membership(env, MembershipInput::Refused { peer });
        }
    }

    /// Mixes what arrived into the own model. Answers how many models were mixed in, and how many refused.
    pub(super) fn mix_arrived(&mut self, env: &Environment<'_>) -> (usize, usize) {
        self.pulls.clear();
        let arrived = std::mem::take(&mut self.arrived);
        self.stale.round_closed(arrived.len(), std::mem::take(&mut self.stale_seen));
        let layout = env.model.layout();
        let (mut candidates, mut faults) = (Vec::with_capacity(arrived.len()), Vec::new());
        for model in &arrived {
            match Blob::parse(&model.blob, layout) {
                Ok(blob) => candidates.push(Candidate {
                    peer: model.peer,
                    meta: Meta {
                        link: self.links.get(&model.peer).copied().unwrap_or(0.0),
                        mass: model.grant.map_or(0, |grant| grant.mass),
                        ..Meta::new(model.offer.age, model.offer.samples)
                    },
                    model: blob,
                }),
                Err(BlobError::NotFinite) => faults.push((model.peer, Fault::NotFinite)),
                Err(_) => faults.push((model.peer, Fault::WrongShape)),
            }
        }
        let mut judge = self.learner.clone_for_loss(self.recipe.rule.needs_losses());
        let mut loss = |params: &[f32]| match &mut judge {
            Some(judge) => judge.loss_of(env.model, params, JUDGED_ROWS),
            None => f32::NAN,
        };
        let local = self.learner.before_mix();
        let mass = self.purse.as_mut().map_or(0, Purse::close);
        let meta = Meta { mass, ..Meta::new(self.learner.age, self.learner.rows.len() as u32) };
        let own = Own { params: &mut self.learner.params, meta, round: self.stats.rounds };
        let outcome = mix_judged(&self.recipe.rule, own, &candidates, &mut loss);
        debug_assert!(crate::invariant::finite(&self.learner.params));
        self.learner.after_mix(local, outcome.age, outcome.was_behind, outcome.mixed.is_empty());
        if let Some(purse) = &mut self.purse {
            let was_mixed = |model: &&Arrived| outcome.mixed.contains(&model.peer);
            let granted = arrived.iter().filter(was_mixed).filter_map(|model| Some((model.peer, model.grant?)));
            purse.settle(&granted.collect::<Vec<_>>());
        }
        if let Some(seen) = &mut self.seen {
            seen.mixed.clone_from(&self.learner.params);
            seen.pulled = candidates.iter().map(|candidate| whole(&candidate.model, &self.learner.params)).collect();
        }
        let (mixed, refused) = (outcome.mixed.len(), outcome.refused.len() + faults.len());
        self.stats.mixed += mixed as u64;
        self.stats.refused += refused as u64;
        faults.into_iter().for_each(|(peer, fault)| self.fault(env, peer, fault));
        (mixed, refused)
    }
}

/// A pulled model, with the own parameters where it has none.
fn whole(blob: &Blob<'_>, own: &[f32]) -> Vec<f32> {
    let mut params = vec![0.0; own.len()];
    blob.read_over(0, own, &mut params);
    params
}

fn question(pull: u32, door: Option<u32>, request: Request) -> Message {
    match request {
        Request::Newest { codec, .. } => Message::Newest { pull, door, codec },
        request => Message::Ask { pull, door, request: Box::new(request) },
    }
}
