//! Carrying out pulls, and serving those of others.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use peerlearn_protocols::exchange::{Pull, PullFailure, Pulled, Step, TransportFailure};
use peerlearn_protocols::id::PeerId;
use peerlearn_protocols::peer::{Fact, PullRequest, Token};
use peerlearn_protocols::time::Time;
use peerlearn_protocols::wire::{CHUNK_BYTES, Response};

use super::lie::Lie;
use super::message::{Chunks, Content};
use super::peer::SimPeer;
use super::{Environment, index_of, peer_id};

/// Never.
const NEVER: Time = Time(u64::MAX);

/// A pull under way.
#[derive(Debug)]
pub(super) struct Active {
    number: u32,
    peer: PeerId,
    pull: Pull,
    /// When the transport gives up waiting for what was last asked for.
    until: Time,
    /// When the machine will.
    given_up: Time,
    /// The bytes, where the pull does not keep them.
    model: Option<Arc<Vec<u8>>>,
}

impl Active {
    pub fn number(&self) -> u32 {
        self.number
    }

    pub fn until(&self) -> Time {
        self.until
    }
}

impl SimPeer {
    pub(super) fn pull(&mut self, env: &Environment<'_>, request: &PullRequest) {
        let PullRequest { pull: number, peer, ref addresses, order, until } = *request;
        let (pull, step) = Pull::new(order);
        self.pulls.push(Active { number, peer, pull, until: NEVER, given_up: until, model: None });
        match step {
            Step::Ask(request) => {
                self.wait_for(env, self.pulls.len() - 1, Duration::ZERO);
                self.ask(env, number, peer, addresses, request);
            }
            step => self.take_step(env, number, step),
        }
    }

    /// Sets how long the transport waits for what is asked for now. Where the machine gives up before, it does not.
    fn wait_for(&mut self, env: &Environment<'_>, at: usize, flows: Duration) {
        let until = self.now + env.config.request_timeout.saturating_add(flows);
        let active = &mut self.pulls[at];
        active.until = if until < active.given_up { until } else { NEVER };
    }

    /// An answer to a pull or to any other question.
    pub(super) fn on_answer(&mut self, env: &Environment<'_>, from: u32, number: u32, response: Response) {
        // Numbers of an earlier life are not those of anything now.
        let Some(number) = self.own_number(number) else { return };
        match self.active(from, number) {
            Some(active) => {
                let step = active.pull.answered(response);
                self.take_step(env, number, step);
            }
            None => self.tell(env, Fact::Answered { question: number, result: Ok(response) }),
        }
    }

    pub(super) fn on_chunks(&mut self, env: &Environment<'_>, from: u32, number: u32, chunks: Option<Box<Chunks>>) {
        let Some(number) = self.own_number(number) else { return };
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

    fn take_step(&mut self, env: &Environment<'_>, number: u32, step: Step) {
        let Some(at) = self.pulls.iter().position(|active| active.number == number) else { return };
        let peer = self.pulls[at].peer;
        match step {
            Step::Ask(request) => {
                self.wait_for(env, at, Duration::ZERO);
                self.ask(env, number, peer, &[], request);
            }
            Step::Stream(request) => {
                // A stream over which bytes come is not silent.
                let flows = self.pulls[at].pull.order().bytes as f64 / env.link(index_of(peer)).uplink.max(1.0);
                let flows = Duration::try_from_secs_f64(flows).unwrap_or(Duration::MAX);
                self.wait_for(env, at, flows);
                let number = self.wire_number(number);
                self.send(env, index_of(peer), Content::Stream { number, request: Box::new(request) });
            }
            // The stream ended before the model did; its machine will give up in time.
            Step::Read(_) => {}
            Step::Done(pulled) => {
                let Active { pull, model, .. } = self.pulls.swap_remove(at);
                let pulled = Pulled { blob: model.unwrap_or(pulled.blob), ..*pulled };
                let result = Box::new(pulled.completed(pull.order(), self.layout()));
                self.tell(env, Fact::Pulled { pull: number, result });
            }
            Step::Failed(error) => {
                self.pulls.swap_remove(at);
                self.tell(env, Fact::Pulled { pull: number, result: Box::new(Err(error.into())) });
            }
        }
    }

    /// Ends pulls under way, for a reason of the transport.
    pub(super) fn fail_pulls(
        &mut self,
        env: &Environment<'_>,
        which: impl Fn(&Active) -> bool,
        why: &TransportFailure,
    ) {
        let failed: Vec<u32> = self.pulls.extract_if(.., |active| which(active)).map(|active| active.number).collect();
        for pull in failed {
            self.tell(env, Fact::Pulled { pull, result: Box::new(Err(PullFailure::Transport(why.clone()))) });
        }
    }

    /// The chunks leave one after the other over the uplink, behind those of other pulls. Where their turn comes only
    /// after the other side will have given up, they do not leave at all.
    pub(super) fn serve(&mut self, env: &Environment<'_>, token: Token, held: Option<(Arc<Vec<u8>>, Range<usize>)>) {
        if self.uplink_free > self.now + env.config.request_timeout {
            return;
        }
        let (to, number) = ((token.0 >> 32) as u32, token.0 as u32);
        let is_as_offered = self.lie != Some(Lie::WrongHash);
        let cut = self.is_lost(env, to);
        let bytes = held.as_ref().map_or(0, |(_, range)| range.len());
        let took = Duration::from_secs_f64(bytes as f64 / env.link(self.index).uplink.max(1.0));
        self.uplink_free = self.uplink_free.max(self.now) + took;
        let at = self.uplink_free + self.delay(env, to);
        let chunks = held.filter(|_| !cut).map(|(model, range)| Box::new(Chunks { model, range, is_as_offered }));
        let content = Content::Chunks { number, chunks };
        self.stats.bytes_out += content.bytes();
        if env.reaches(self.index, to, self.now) {
            self.send_at(to, at, content);
        }
    }

    /// A number as others see it: apart from those of other lives of this peer.
    pub(super) fn wire_number(&self, number: u32) -> u32 {
        number & NUMBERS | self.life << NUMBERS.count_ones()
    }

    fn own_number(&self, number: u32) -> Option<u32> {
        (self.wire_number(number) == number).then_some(number & NUMBERS)
    }
}

/// Pulls and questions of one life are numbered up to this.
const NUMBERS: u32 = 0x00ff_ffff;
