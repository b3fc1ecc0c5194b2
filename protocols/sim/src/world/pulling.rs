//! Pulling models.

use std::sync::Arc;

use peerlearn_protocols::exchange::{ExchangeConfig, Pull, PullError, PullOrder, Pulled, Step};
use peerlearn_protocols::id::PeerId;
use peerlearn_protocols::membership::Input as MembershipInput;
use peerlearn_protocols::mixing::Rule;
use peerlearn_protocols::mixing::push_sum::Grant;
use peerlearn_protocols::round::Input;
use peerlearn_protocols::score::Fault;
use peerlearn_protocols::time::Time;
use peerlearn_protocols::wire::blob::encoded_len;
use peerlearn_protocols::wire::{CHUNK_BYTES, Offer, Request, Response};

use super::event::{Chunks, Message, Timer};
use super::meeting::{self, Party};
use super::peer::Peer;
use super::record::Happening;
use super::{Environment, index_of, peer_id};

/// When a pull is given up that something else ends.
const NEVER: Time = Time(u64::MAX);

/// A pull under way.
#[derive(Debug)]
pub(super) struct Active {
    number: u32,
    peer: PeerId,
    began: Time,
    pull: Pull,
    /// Weight of the link, under a graph.
    link: f32,
    /// Whether something ends it but the deadline of its round.
    is_timed: bool,
    /// Its meeting, if it belongs to one.
    party: Option<Box<Party>>,
    /// The bytes, where the pull does not keep them.
    model: Option<Arc<Vec<u8>>>,
}

impl Active {
    pub fn number(&self) -> u32 {
        self.number
    }

    pub fn peer(&self) -> PeerId {
        self.peer
    }
}

/// A model that arrived.
#[derive(Debug)]
pub(super) struct Arrived {
    pub peer: PeerId,
    pub offer: Offer,
    pub link: f32,
    pub grant: Option<Grant>,
    pub blob: Arc<Vec<u8>>,
}

impl Peer {
    pub(super) fn pull(&mut self, env: &Environment<'_>, peer: PeerId, deadline: Time) {
        if self.meetings.is_some() && !self.round.is_joining() {
            return self.meet(env, peer, deadline);
        }
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
        let gives_up = self.now + env.config.request_timeout;
        // At the deadline the round machine cancels what is left by itself.
        self.start_pull(env, peer, order, None, if gives_up < deadline { gives_up } else { NEVER });
    }

    /// Starts a pull that is given up at some time; answers its number.
    pub(super) fn start_pull(
        &mut self,
        env: &Environment<'_>,
        peer: PeerId,
        order: PullOrder,
        party: Option<Box<Party>>,
        gives_up: Time,
    ) -> u32 {
        let (pull, step) = Pull::new(order);
        let number = self.next_number();
        let (is_timed, link) = (gives_up < NEVER, self.links.get(&peer).copied().unwrap_or(0.0));
        self.pulls.push(Active { number, peer, began: self.now, pull, link, is_timed, party, model: None });
        if is_timed {
            self.set_timer(gives_up, Timer::PullTimeout(number));
        }
        self.take_step(env, number, step);
        number
    }

    pub(super) fn next_number(&mut self) -> u32 {
        let number = self.next_pull;
        self.next_pull += 1;
        number
    }

    pub(super) fn on_answer(&mut self, env: &Environment<'_>, from: u32, number: u32, response: Response) {
        if self.on_settle_answer(env, from, number, &response) {
            return;
        }
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
                let link = active.link;
                let (from, bytes, took) = (to as usize, blob.len() as u64, self.now.since(active.began));
                self.record(env, Happening::Pulled { from, bytes, took });
                if let Some((active, party)) = self.take_party(number) {
                    return self.meeting_pulled(env, active, party, Some(meeting::Model { blob, age: offer.age }));
                }
                if self.round.awaits(&peer) {
                    self.arrived.push(Arrived { peer, offer, link, grant, blob });
                }
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

    /// The pull of this number, off the list, if it belongs to a meeting.
    fn take_party(&mut self, number: u32) -> Option<(Active, Party)> {
        let at = self.pulls.iter().position(|active| active.number == number && active.party.is_some())?;
        let mut active = self.pulls.swap_remove(at);
        active.party.take().map(|party| (active, *party))
    }

    /// Pulls of a round that did not wait for them go on, but not for ever.
    pub(super) fn let_pulls_be_late(&mut self, env: &Environment<'_>) {
        for at in 0..self.pulls.len() {
            let active = &mut self.pulls[at];
            if !std::mem::replace(&mut active.is_timed, true) {
                let (number, until) = (active.number, active.began + env.config.request_timeout);
                self.set_timer(until, Timer::PullTimeout(number));
            }
        }
    }

    /// Ends the pulls of a round that is over. Meetings go on, so that both sides end alike.
    pub(super) fn cancel_pulls(&mut self) {
        self.pulls.retain(|active| active.party.is_some());
    }

    fn end_pull(&mut self, env: &Environment<'_>, number: u32, arrived: bool) {
        if let Some((active, party)) = self.take_party(number) {
            return self.meeting_pulled(env, active, party, None);
        }
        if let Some(at) = self.pulls.iter().position(|active| active.number == number) {
            let active = self.pulls.swap_remove(at);
            self.stats.failed += u64::from(!arrived);
            self.tell_round(env, Input::PullEnded { peer: active.peer, arrived });
        }
    }

    pub(super) fn fault(&mut self, env: &Environment<'_>, peer: PeerId, fault: Fault) {
        self.stats.faults += 1;
        if self.scores.fault(self.now, peer, fault) {
            self.tell_membership(env, MembershipInput::Refused { peer });
        }
    }
}

fn question(pull: u32, door: Option<u32>, request: Request) -> Message {
    match request {
        Request::Newest { codec, .. } => Message::Newest { pull, door, codec },
        request => Message::Ask { pull, door, request: Box::new(request) },
    }
}
