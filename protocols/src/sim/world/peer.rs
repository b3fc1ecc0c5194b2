//! One simulated peer: interprets its machines as a node's actors do.

use std::collections::{BTreeMap, BinaryHeap};
use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::config::Churn;
use super::discovery::{Finder, TASK};
use super::event::{Cause, Envelope, Message, Timer};
use super::lie::Lie;
use super::pulling::{Active, Arrived};
use super::{Environment, peer_id};
use crate::codec::Encoder;
use crate::exchange::{ExchangeConfig, Purse, Shelf};
use crate::id::PeerId;
use crate::mixing::{Rule, StaleFilter};
use crate::params::ParamsError;
use crate::round::{Input, Output, Round};
use crate::score::ScoreBoard;
use crate::sim::{Digest, Rows, SimLearner};
use crate::time::Time;

/// What a peer starts with.
#[derive(Debug, Clone)]
pub struct PeerStart {
    /// Rows it trains on.
    pub rows: Rows,
    /// Parameters, `[parameters]`.
    pub params: Vec<f32>,
    /// When it is there.
    pub churn: Churn,
    /// Set for a liar.
    pub lie: Option<Lie>,
}

/// What a peer has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Rounds closed.
    pub rounds: u64,
    /// Models mixed in.
    pub mixed: u64,
    /// Models that arrived and were refused.
    pub refused: u64,
    /// Pulls that came to nothing.
    pub failed: u64,
    /// Faults counted against others.
    pub faults: u64,
    /// Bytes of messages and models that arrived.
    pub bytes_in: u64,
    /// Announcements that arrived.
    pub announcements: u64,
    /// Shuffles of views that arrived, asked or answered.
    pub shuffles: u64,
    /// Longest time there without closing a round, up to now.
    pub longest_wait: Duration,
    /// Whether it is there.
    pub there: bool,
}

#[derive(Debug)]
pub(super) struct Peer {
    pub index: u32,
    pub now: Time,
    pub rng: ChaCha8Rng,
    queue: BinaryHeap<Envelope>,
    pub outbox: Vec<(u32, Envelope)>,
    sent: u64,
    life: u32,
    pub round: Round,
    pub round_wake: Time,
    pub discovery: Finder,
    pub discovery_wake: Time,
    pub shelf: Shelf,
    pub encoder: Encoder,
    pub learner: SimLearner,
    pub scores: ScoreBoard,
    pub stale: StaleFilter,
    pub stale_seen: usize,
    /// Few, so a list is found through faster than a tree.
    pub pulls: Vec<Active>,
    pub next_pull: u64,
    pub arrived: Vec<Arrived>,
    /// Weights that the graph gives the links to those drawn.
    pub links: BTreeMap<PeerId, f32>,
    /// Set under push-sum.
    pub purse: Option<Purse>,
    pub lie: Option<Lie>,
    train_time: Duration,
    pub uplink_free: Time,
    pub stats: Stats,
    progressed: Time,
    pub digest: Digest,
}

impl Peer {
    pub fn new(env: &Environment<'_>, index: u32, start: PeerStart) -> Result<Self, ParamsError> {
        let config = &env.config;
        env.model.layout().check(&start.params)?;
        let seed = config.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(u64::from(index));
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut rows = start.rows;
        if start.lie == Some(Lie::LabelFlip) {
            let last = rows.classes as u32 - 1;
            rows.labels = rows.labels.iter().map(|label| last - label).collect();
        }
        let (fast, slow) = config.train_time;
        let train_time = fast + slow.saturating_sub(fast).mul_f64(rng.random::<f64>());
        let first = Time::ZERO + config.start_within.mul_f64(rng.random::<f64>());
        let mut peer = Self {
            index,
            now: Time::ZERO,
            queue: BinaryHeap::new(),
            outbox: Vec::new(),
            sent: 0,
            life: 0,
            round: Round::new(config.round.clone(), 0),
            round_wake: Time::ZERO,
            discovery: Finder::new(env, index, 0, &mut rng),
            discovery_wake: Time::ZERO,
            shelf: Shelf::new(TASK, ExchangeConfig::default().kept),
            encoder: Encoder::new(config.codec, config.rounding, rng.random(), &start.params),
            learner: SimLearner::new(start.params, rows, &config.training, rng.random()),
            scores: ScoreBoard::default(),
            stale: StaleFilter::default(),
            stale_seen: 0,
            pulls: Vec::new(),
            next_pull: 0,
            arrived: Vec::new(),
            links: BTreeMap::new(),
            purse: (config.rule == Rule::PushSum).then(|| Purse::new(config.round.fan_out, 0)),
            lie: start.lie,
            train_time,
            uplink_free: Time::ZERO,
            stats: Stats::default(),
            progressed: first,
            digest: Digest::default(),
            rng,
        };
        peer.schedule(first, Cause::Change { there: true });
        for (n, &at) in start.churn.changes.iter().filter(|&&at| at > first).enumerate() {
            peer.schedule(at, Cause::Change { there: n % 2 == 1 });
        }
        Ok(peer)
    }

    pub fn next_at(&self) -> Time {
        self.queue.peek().map_or(Time(u64::MAX), |envelope| envelope.at)
    }

    pub fn deliver(&mut self, envelope: Envelope) {
        self.queue.push(envelope);
    }

    /// Everything due before `horizon`.
    pub fn run(&mut self, env: &Environment<'_>, horizon: Time) {
        while self.next_at() < horizon {
            let Some(envelope) = self.queue.pop() else { return };
            self.now = self.now.max(envelope.at);
            self.digest.push(envelope.at.0);
            self.digest.push(u64::from(envelope.from) << 32 ^ envelope.number);
            match envelope.cause {
                Cause::Change { there } => self.on_change(env, there),
                Cause::Local { life, timer } if life == self.life => self.on_timer(env, timer),
                Cause::Message { from, message } if self.stats.there => self.on_message(env, from, message),
                _ => {}
            }
        }
    }

    fn on_change(&mut self, env: &Environment<'_>, there: bool) {
        if there == self.stats.there {
            return;
        }
        if !there {
            self.hang_up(env);
            self.note_wait();
        }
        // Whatever was under way belongs to the old life.
        self.life += 1;
        self.pulls.clear();
        self.arrived.clear();
        self.stats.there = there;
        if there {
            (self.progressed, self.round_wake, self.discovery_wake) = (self.now, Time::ZERO, Time::ZERO);
            self.round = Round::new(env.config.round.clone(), self.stats.rounds);
            self.start_discovery(env);
            self.tell_round(env, Input::Started { has_contacts: env.peers > 1 });
            if self.knows_somebody() {
                self.peer_known(env);
            }
        }
    }

    fn on_timer(&mut self, env: &Environment<'_>, timer: Timer) {
        match timer {
            Timer::Round => self.tell_round(env, Input::Woke),
            Timer::Discovery => self.on_discovery_timer(env),
            Timer::Trained => {
                // All the work at once, when a real learner would be done: until then the model is the last mix.
                self.learner.train(env.model, &env.config.training);
                self.publish(env);
                self.tell_round(env, Input::Trained);
            }
            Timer::PullTimeout(pull) => self.on_pull_timeout(env, pull),
            Timer::DialTimeout(target) => self.on_dial_timeout(env, target),
        }
    }

    fn on_message(&mut self, env: &Environment<'_>, from: u32, message: Message) {
        if self.scores.is_banned(self.now, &peer_id(from)) {
            return;
        }
        match message {
            Message::Ask { pull, request } => self.on_ask(env, from, pull, &request),
            Message::Stream { pull, request } => self.on_stream(env, from, pull, &request),
            Message::Answer { pull, response } => self.on_answer(env, from, pull, *response),
            Message::Chunks { pull, chunks } => self.on_chunks(env, from, pull, chunks),
            message => {
                self.count(&message);
                self.on_discovery_message(env, from, message);
            }
        }
    }

    /// Bytes as the wire would have them: an entry of a view is an id, a prefix and an age.
    fn count(&mut self, message: &Message) {
        match message {
            Message::Announced { .. } => {
                self.stats.announcements += 1;
                self.stats.bytes_in += 400;
            }
            Message::Shuffle(entries) | Message::Shuffled(entries) => {
                self.stats.shuffles += 1;
                self.stats.bytes_in += 8 + 40 * entries.len() as u64;
            }
            _ => {}
        }
    }

    pub fn peer_known(&mut self, env: &Environment<'_>) {
        self.tell_round(env, Input::PeerKnown);
    }

    pub fn tell_round(&mut self, env: &Environment<'_>, input: Input) {
        let mut outputs = Vec::new();
        self.round.handle(self.now, input, &mut outputs);
        for output in outputs {
            match output {
                Output::Train { .. } => self.set_timer(self.now + self.train_time, Timer::Trained),
                Output::Draw { count, tried } => {
                    let peers = self.draw(env, count, &tried);
                    self.tell_round(env, Input::Drawn { peers });
                }
                Output::Pull { peers, deadline } => peers.into_iter().for_each(|peer| self.pull(env, peer, deadline)),
                Output::CancelPulls => self.pulls.clear(),
                Output::Mix { .. } => self.mix(env),
                Output::WakeAt(at) if at != self.round_wake => {
                    self.round_wake = at;
                    self.set_timer(at, Timer::Round);
                }
                Output::WakeAt(_) => {}
            }
        }
    }

    fn mix(&mut self, env: &Environment<'_>) {
        let joining = self.round.is_joining();
        self.mix_arrived(env);
        if let Some(purse) = &mut self.purse {
            // Mass is that of the model on the shelf, so the mix goes there before anyone is granted more.
            purse.open();
            if !joining {
                self.publish(env);
            }
        }
        if !joining {
            self.stats.rounds += 1;
            self.note_wait();
            self.progressed = self.now;
        }
        self.tell_round(env, Input::Mixed);
    }

    fn note_wait(&mut self) {
        self.stats.longest_wait = self.stats.longest_wait.max(self.now.since(self.progressed));
    }

    pub fn stats(&self, now: Time) -> Stats {
        let open = if self.stats.there { now.since(self.progressed) } else { Duration::ZERO };
        Stats { longest_wait: self.stats.longest_wait.max(open), ..self.stats }
    }

    pub fn set_timer(&mut self, at: Time, timer: Timer) {
        self.schedule(at.max(self.now), Cause::Local { life: self.life, timer });
    }

    fn schedule(&mut self, at: Time, cause: Cause) {
        self.sent += 1;
        self.queue.push(Envelope { at, from: self.index, number: self.sent, cause });
    }

    /// Sends a message over one hop.
    pub fn send(&mut self, env: &Environment<'_>, to: u32, message: Message) {
        self.send_over(env, to, message, 1);
    }

    pub fn send_over(&mut self, env: &Environment<'_>, to: u32, message: Message, hops: u32) {
        let lost = self.is_lost(env);
        let delay = self.delay(env) * hops;
        if !lost && self.reaches(env, to) {
            self.send_at(to, self.now + delay, message);
        }
    }

    pub fn send_at(&mut self, to: u32, at: Time, message: Message) {
        self.sent += 1;
        let cause = Cause::Message { from: self.index, message };
        self.outbox.push((to, Envelope { at, from: self.index, number: self.sent, cause }));
    }

    pub fn is_lost(&mut self, env: &Environment<'_>) -> bool {
        let loss = env.config.link.loss;
        loss > 0.0 && self.rng.random_bool(loss)
    }

    pub fn delay(&mut self, env: &Environment<'_>) -> Duration {
        let (least, most) = env.config.link.delay;
        let least = least.max(super::config::LEAST_DELAY);
        least + most.saturating_sub(least).mul_f64(self.rng.random::<f64>())
    }

    /// Whether no split is between this peer and another now.
    pub fn reaches(&self, env: &Environment<'_>, other: u32) -> bool {
        let piece = |pieces: &[u8], peer: u32| pieces.get(peer as usize).copied();
        let apart = |pieces: &[u8]| piece(pieces, self.index) != piece(pieces, other);
        !env.config.splits.iter().any(|split| split.during.contains(&self.now) && apart(&split.piece))
    }
}
