//! One simulated peer: carries out the effects of its machine in virtual time, and tells it facts.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use peerlearn_protocols::params::ParamsError;
use peerlearn_protocols::peer::{Effect, Fact, Peer, PeerEvent, PeerSettings, Question, Restored};
use peerlearn_protocols::recipe::{ModelState, Snapshot};
use peerlearn_protocols::time::Time;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::change::Frozen;
use super::disk::Disk;
use super::lie::Lie;
use super::message::{Content, Message};
use super::network::Connections;
use super::pulling::Active;
use super::record::SimEvent;
use super::start::PeerStart;
use super::timers::{Cause, Kind, Timer, Timers};
use super::{Environment, index_of, peer_id};
use crate::{Digest, FlatTrainer};

/// What a peer has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Rounds closed; a lost disk takes them with it, and a kill those that did not fit on a full one.
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
    /// Bytes of messages and models that were sent, lost ones too. An announcement counts for everyone it reaches, as
    /// that peer passes it on.
    pub bytes_out: u64,
    /// Announcements that arrived.
    pub announcements: u64,
    /// Shuffles of views that arrived, asked or answered.
    pub shuffles: u64,
    /// Longest time there without closing a round, up to now.
    pub longest_wait: Duration,
    /// Whether it is there; also while it is suspended.
    pub there: bool,
    /// Whether it is suspended.
    pub frozen: bool,
}

/// A peer with its process, its disk and its end of the network.
#[derive(Debug)]
pub(super) struct SimPeer {
    pub index: u32,
    pub now: Time,
    pub rng: ChaCha8Rng,
    pub timers: Timers,
    pub outbox: Vec<Message>,
    sent: u64,
    /// Number of its process.
    pub life: u32,
    pub machine: Peer,
    pub settings: Arc<PeerSettings>,
    pub state: ModelState,
    pub trainer: FlatTrainer,
    pub seed: u64,
    /// Facts that wait for the machine, while it is told another.
    facts: VecDeque<Fact>,
    is_told: bool,
    /// Empty; kept for its memory.
    effects: Vec<Effect>,
    /// Few, so a list is found through faster than a tree.
    pub pulls: Vec<Active>,
    pub connections: Connections,
    pub lie: Option<Lie>,
    train_time: Duration,
    pub slowness: f64,
    pub disk: Disk,
    /// Set while it is suspended.
    pub frozen: Option<Box<Frozen>>,
    pub uplink_free: Time,
    pub stats: Stats,
    pub progressed: Time,
    pub recorded: Vec<(Time, SimEvent)>,
    pub digest: Digest,
    /// What the machine was told and what it wanted, once somebody looks.
    #[cfg(test)]
    pub trace: Option<Vec<(String, Vec<Effect>)>>,
}

impl SimPeer {
    /// Peers that start with the same parameters share `initial`.
    pub fn new(env: &Environment<'_>, index: u32, start: PeerStart, initial: Arc<[f32]>) -> Result<Self, ParamsError> {
        let config = &env.config;
        let seed = config.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(u64::from(index));
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let (fast, slow) = config.train_time;
        let drawn = fast + slow.saturating_sub(fast).mul_f64(rng.random::<f64>());
        let train_time = start.train_time.unwrap_or(drawn);
        let drawn = Time::ZERO + config.start_within.mul_f64(rng.random::<f64>());
        let first = start.joins_at.unwrap_or(drawn);
        let rows = start.rows_learnt();
        let settings = env.settings_of(&start, rows.len());
        let seed = rng.random();
        let attacker = start.attacker(rng.random());
        let trainer = FlatTrainer::new(rows, start.validation.as_ref(), &settings.recipe.training, seed);
        let state = new_state(&settings, Snapshot::fresh(start.params), seed)?;
        let mut peer = Self {
            index,
            now: Time::ZERO,
            timers: Timers::default(),
            outbox: Vec::new(),
            sent: 0,
            life: 0,
            machine: machine(index, 0, &settings, Restored::default(), &mut rng),
            state,
            trainer: trainer.with_attacker(attacker),
            settings,
            seed,
            facts: VecDeque::new(),
            is_told: false,
            effects: Vec::new(),
            pulls: Vec::new(),
            connections: Connections::default(),
            lie: start.lie,
            train_time,
            slowness: 1.0,
            disk: Disk::new(initial),
            frozen: None,
            uplink_free: Time::ZERO,
            stats: Stats::default(),
            progressed: first,
            recorded: Vec::new(),
            digest: Digest::default(),
            rng,
            #[cfg(test)]
            trace: None,
        };
        peer.schedule(first, Cause::Change { there: true });
        for (n, &at) in start.churn.changes.iter().filter(|&&at| at > first).enumerate() {
            peer.schedule(at, Cause::Change { there: n % 2 == 1 });
        }
        Ok(peer)
    }

    /// Reads a little of all that a message or a timer will need; see `shard.rs`.
    pub fn warm(&self) -> u64 {
        let pulls = self.pulls.iter().fold(0, |all, pull| all ^ u64::from(pull.number()));
        let times = self.now.0 ^ self.timers.next().0 ^ self.uplink_free.0 ^ self.progressed.0;
        let counts = self.sent ^ self.stats.bytes_in ^ self.stats.bytes_out ^ self.machine.rounds() ^ self.state.age();
        let lists = self.outbox.len() ^ self.facts.len() ^ self.effects.len() ^ self.connections.len();
        self.machine.touch() ^ pulls ^ times ^ counts ^ lists as u64 ^ self.digest.value()
    }

    /// What it does by itself before `horizon` and before a message of that time and sender.
    pub fn run_timers(&mut self, env: &Environment<'_>, horizon: Time, message: (Time, u32)) {
        let index = self.index;
        let is_due = |timer: &Timer| timer.at < horizon && (timer.at, index) <= message;
        while let Some(timer) = self.timers.pop_if(is_due) {
            self.happens(timer.at, self.index, timer.number);
            match timer.cause {
                _ if self.frozen.is_some() => self.hold_back(timer),
                Cause::Change { there } => self.on_change(env, there),
                Cause::Process { life, kind } if life == self.life => self.on_timer(env, kind),
                Cause::Process { .. } => {}
            }
        }
    }

    /// A message arrives.
    pub fn take(&mut self, env: &Environment<'_>, message: Message) {
        self.happens(message.at, message.from, message.number);
        if self.is_awake() {
            self.on_message(env, message.from, message.content);
        }
    }

    fn happens(&mut self, at: Time, from: u32, number: u64) {
        self.now = self.now.max(at);
        self.digest.push(at.0);
        self.digest.push(u64::from(from) << 32 ^ number);
    }

    fn on_change(&mut self, env: &Environment<'_>, there: bool) {
        match there {
            true if !self.stats.there => self.come(env),
            false if self.stats.there => self.leave(env),
            _ => {}
        }
    }

    /// Starts a process with what is on its disk and an address book of everyone it knew.
    pub fn come(&mut self, env: &Environment<'_>) {
        self.life += 1;
        self.stats.there = true;
        self.progressed = self.now;
        let book = self.address_book(env);
        let restored = Restored { round: self.stats.rounds, age: self.state.age(), account: self.disk.account() };
        self.machine = machine(self.index, self.life, &self.settings, restored, &mut self.rng);
        self.introduce(env, book);
        self.tell(env, Fact::Started { has_contacts: env.peers > 1 });
    }

    /// Says goodbye to those still connected, and ends. Whatever was under way belongs to the old life.
    pub fn go(&mut self, env: &Environment<'_>) {
        self.hang_up(env);
        if self.frozen.take().is_none() {
            self.note_wait();
        }
        self.life += 1;
        self.pulls.clear();
        self.facts.clear();
        self.trainer.restart();
        self.stats.there = false;
    }

    /// Knows nobody any more, as one whose disk is gone.
    pub fn forget_everyone(&mut self) {
        self.machine = machine(self.index, self.life, &self.settings, Restored::default(), &mut self.rng);
    }

    /// Whether it is there and not suspended.
    pub fn is_awake(&self) -> bool {
        self.stats.there && self.frozen.is_none()
    }

    pub fn record(&mut self, env: &Environment<'_>, what: SimEvent) {
        if env.records {
            self.recorded.push((self.now, what));
        }
    }

    fn on_timer(&mut self, env: &Environment<'_>, kind: Kind) {
        match kind {
            Kind::Wake => self.tell(env, Fact::Woke),
            Kind::NetworkTimeout => self.on_network_timeout(env),
            Kind::Trained { round } => self.on_trained(env, round),
        }
    }

    /// Tells the machine a fact, and carries out what follows from it. One that is being told takes the fact in its
    /// turn.
    pub fn tell(&mut self, env: &Environment<'_>, fact: Fact) {
        if self.is_told {
            return self.facts.push_back(fact);
        }
        self.is_told = true;
        let mut effects = std::mem::take(&mut self.effects);
        self.handle(fact, &mut effects);
        effects.drain(..).for_each(|effect| self.carry_out(env, effect));
        while let Some(fact) = self.facts.pop_front() {
            self.handle(fact, &mut effects);
            effects.drain(..).for_each(|effect| self.carry_out(env, effect));
        }
        self.effects = effects;
        self.is_told = false;
    }

    #[cfg(not(test))]
    fn handle(&mut self, fact: Fact, effects: &mut Vec<Effect>) {
        self.machine.handle(self.now, fact, effects);
    }

    #[cfg(test)]
    fn handle(&mut self, fact: Fact, effects: &mut Vec<Effect>) {
        let told = self.trace.as_ref().map(|_| format!("{fact:?}"));
        self.machine.handle(self.now, fact, effects);
        let told = told.map(|told| (told, effects.clone()));
        self.trace.iter_mut().for_each(|trace| trace.extend(told.clone()));
    }

    fn carry_out(&mut self, env: &Environment<'_>, effect: Effect) {
        match effect {
            Effect::Train { round } => self.train(round),
            Effect::Publish { round, deltas } => self.publish(env, round, deltas),
            Effect::Mix(order) => self.mix(env, &order),
            // Whoever runs the world measures.
            Effect::Measure => self.tell(env, Fact::Measured { own: None, test: None }),
            Effect::Commit { round, account } => self.commit(env, round, account.map(|account| *account)),
            Effect::Pull(request) => self.pull(env, &request),
            Effect::CancelPull { pull } => self.pulls.retain(|active| active.number() != pull),
            Effect::Ask(ask) => {
                let Question { question, peer, addresses, request, .. } = *ask;
                self.ask(env, question, peer, &addresses, request);
            }
            Effect::Answer { token, response } => {
                let (to, number) = ((token.0 >> 32) as u32, token.0 as u32);
                self.send(env, to, Content::Answer { number, response });
            }
            Effect::Serve { token, blob, range } => self.serve(env, token, Some((blob, range))),
            Effect::NotHeld { token } => self.serve(env, token, None),
            Effect::Recode { of, codec, compressed } => {
                let publication = of.recoded(codec, compressed, env.model.layout());
                self.tell(env, Fact::Recoded(publication.map(Box::new)));
            }
            // Gossip itself is not simulated.
            Effect::Judge(_) => {}
            Effect::Announce(announcement) => self.announce(env, Arc::new(*announcement)),
            Effect::Dial { peer, addresses } => self.dial(env, peer, &addresses),
            Effect::Ban { peer, .. } | Effect::HangUp { peer } => self.hang_up_on(env, index_of(peer)),
            Effect::Event(event) => self.on_event(env, event),
            Effect::WakeAt(at) => self.set_timer(at, Kind::Wake),
        }
    }

    fn on_event(&mut self, env: &Environment<'_>, event: PeerEvent) {
        match event {
            PeerEvent::Pulled { peer, bytes, took } => {
                let from = index_of(peer) as usize;
                self.record(env, SimEvent::Pulled { from, bytes, took });
            }
            PeerEvent::PullFailed { .. } => self.stats.failed += 1,
            PeerEvent::RoundClosed(closed) => {
                let (mixed, refused) = (closed.mixed.len(), closed.refused.len() + closed.faults.len());
                self.stats.rounds = closed.round;
                self.stats.mixed += mixed as u64;
                self.stats.refused += refused as u64;
                self.note_wait();
                self.progressed = self.now;
                let (round, drawn, age) = (closed.round, closed.drawn, closed.age);
                self.record(env, SimEvent::RoundClosed { round, drawn, mixed, refused, age });
            }
            PeerEvent::Misbehaved { .. } => self.stats.faults += 1,
            PeerEvent::Estimated(estimate) => self.record(env, SimEvent::Estimated(estimate)),
            PeerEvent::Discovered { .. } | PeerEvent::Expired { .. } | PeerEvent::Warning(_) => {}
        }
    }

    fn train(&mut self, round: u64) {
        let slowed = self.train_time.as_secs_f64() * self.slowness;
        // Exactly as drawn, where nothing slows it.
        let takes = match self.slowness == 1.0 {
            true => self.train_time,
            false => Duration::try_from_secs_f64(slowed).unwrap_or(Duration::MAX),
        };
        self.set_timer(self.now + takes, Kind::Trained { round });
    }

    pub fn note_wait(&mut self) {
        self.stats.longest_wait = self.stats.longest_wait.max(self.now.since(self.progressed));
    }

    pub fn stats(&self, now: Time) -> Stats {
        let open = if self.is_awake() { now.since(self.progressed) } else { Duration::ZERO };
        Stats { longest_wait: self.stats.longest_wait.max(open), frozen: self.frozen.is_some(), ..self.stats }
    }

    pub fn set_timer(&mut self, at: Time, kind: Kind) {
        self.schedule(at.max(self.now), Cause::Process { life: self.life, kind });
    }

    fn schedule(&mut self, at: Time, cause: Cause) {
        self.sent += 1;
        self.timers.push(Timer { at, number: self.sent, cause });
    }

    pub fn send_at(&mut self, to: u32, at: Time, content: Content) {
        self.sent += 1;
        self.outbox.push(Message { at, number: self.sent, from: self.index, to, content });
    }
}

/// The machine of a process.
fn machine(index: u32, life: u32, settings: &Arc<PeerSettings>, restored: Restored, rng: &mut ChaCha8Rng) -> Peer {
    let rng = ChaCha8Rng::seed_from_u64(rng.random());
    Peer::new(peer_id(index), life, Arc::clone(settings), restored, rng)
}

/// The model of a process, as of a snapshot.
pub(super) fn new_state(settings: &PeerSettings, snapshot: Snapshot, seed: u64) -> Result<ModelState, ParamsError> {
    let (layout, recipe) = (Arc::clone(&settings.layout), Arc::clone(&settings.recipe));
    ModelState::new(layout, recipe, settings.samples as usize, snapshot, seed)
}
