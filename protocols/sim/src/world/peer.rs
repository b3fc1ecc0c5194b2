//! One simulated peer: interprets its machines as a node's actors do.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use peerlearn_protocols::codec::Encoder;
use peerlearn_protocols::exchange::{ExchangeConfig, Publication, Purse, Shelf};
use peerlearn_protocols::id::PeerId;
use peerlearn_protocols::mixing::{Rule, StaleFilter};
use peerlearn_protocols::params::ParamsError;
use peerlearn_protocols::round::{Input, Output, Round};
use peerlearn_protocols::score::ScoreBoard;
use peerlearn_protocols::time::Time;
use peerlearn_protocols::wire::Request;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::alarms::Alarms;
use super::attacker::Seen;
use super::change::Frozen;
use super::discovery::{Finder, TASK};
use super::disk::Committed;
use super::event::{Alarm, Cause, Letter, Message, Timer};
use super::lie::Lie;
use super::meeting::Meetings;
use super::pulling::{Active, Arrived};
use super::recipe::Recipe;
use super::record::Happening;
use super::start::PeerStart;
use super::{Environment, peer_id};
use crate::attack::Attack;
use crate::{Digest, SimLearner, Training};

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
    /// Whether it is there; also under a closed lid.
    pub there: bool,
    /// Whether its lid is closed.
    pub frozen: bool,
}

#[derive(Debug)]
pub(super) struct Peer {
    pub index: u32,
    pub now: Time,
    pub rng: ChaCha8Rng,
    pub alarms: Alarms,
    pub outbox: Vec<Letter>,
    sent: u64,
    pub life: u32,
    pub round: Round,
    pub round_wake: Time,
    /// Empty; kept for its memory.
    round_outputs: Vec<Output>,
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
    pub next_pull: u32,
    pub arrived: Vec<Arrived>,
    /// Weights that the graph gives the links to those drawn.
    pub links: BTreeMap<PeerId, f32>,
    /// Set under push-sum.
    pub purse: Option<Purse>,
    /// Set where peers mix in pairs.
    pub meetings: Option<Box<Meetings>>,
    pub lie: Option<Lie>,
    pub attack: Option<Attack>,
    /// Set for an attacker.
    pub seen: Option<Box<Seen>>,
    train_time: Duration,
    pub slowness: f64,
    training: Option<Box<Training>>,
    /// Its own, or that of all.
    pub recipe: Arc<Recipe>,
    /// What is on its disk, once it has something else in memory.
    pub committed: Option<Box<Committed>>,
    /// Whether its disk takes nothing more.
    pub disk_is_full: bool,
    /// What it starts with, and again after it has lost its disk.
    pub initial: Arc<[f32]>,
    /// Set while its lid is closed.
    pub frozen: Option<Box<Frozen>>,
    /// Number of its address; it grows with every move.
    pub door: u32,
    pub uplink_free: Time,
    pub stats: Stats,
    pub progressed: Time,
    pub recorded: Vec<(Time, Happening)>,
    pub digest: Digest,
}

impl Peer {
    /// Peers that start with the same parameters share `initial`.
    pub fn new(env: &Environment<'_>, index: u32, start: PeerStart, initial: Arc<[f32]>) -> Result<Self, ParamsError> {
        let config = &env.config;
        env.model.layout().check(&start.params)?;
        let seed = config.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(u64::from(index));
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let rows = start.rows_learnt();
        let (fast, slow) = config.train_time;
        let drawn = fast + slow.saturating_sub(fast).mul_f64(rng.random::<f64>());
        let train_time = start.train_time.unwrap_or(drawn);
        let drawn = Time::ZERO + config.start_within.mul_f64(rng.random::<f64>());
        let first = start.joins_at.unwrap_or(drawn);
        let training = start.training.as_ref().unwrap_or(&config.training);
        let recipe = start.recipe.unwrap_or_else(|| Arc::clone(&env.recipe));
        let mut peer = Self {
            index,
            now: Time::ZERO,
            alarms: Alarms::default(),
            outbox: Vec::new(),
            sent: 0,
            life: 0,
            round: Round::new(recipe.round.clone(), 0),
            round_wake: Time::ZERO,
            round_outputs: Vec::new(),
            discovery: Finder::new(env, index, 0, &mut rng),
            discovery_wake: Time::ZERO,
            shelf: Shelf::new(TASK, ExchangeConfig::default().kept),
            encoder: Encoder::new(recipe.codec, recipe.rounding, rng.random(), &start.params),
            learner: SimLearner::new(start.params, rows, training, rng.random()),
            scores: ScoreBoard::default(),
            stale: StaleFilter::default(),
            stale_seen: 0,
            pulls: Vec::new(),
            next_pull: 0,
            arrived: Vec::new(),
            links: BTreeMap::new(),
            purse: (recipe.rule == Rule::PushSum).then(|| Purse::new(recipe.round.fan_out, 0)),
            meetings: (recipe.rule == Rule::Pair).then(|| Box::new(Meetings::new(peer_id(index), 0))),
            lie: start.lie,
            attack: start.attack,
            seen: start.attack.map(|_| Box::default()),
            train_time,
            slowness: 1.0,
            training: start.training.map(Box::new),
            recipe,
            committed: None,
            disk_is_full: false,
            initial,
            frozen: None,
            door: 0,
            uplink_free: Time::ZERO,
            stats: Stats::default(),
            progressed: first,
            recorded: Vec::new(),
            digest: Digest::default(),
            rng,
        };
        peer.schedule(first, Cause::Change { there: true });
        for (n, &at) in start.churn.changes.iter().filter(|&&at| at > first).enumerate() {
            peer.schedule(at, Cause::Change { there: n % 2 == 1 });
        }
        Ok(peer)
    }

    /// Reads a little of all that a letter or an alarm will need; see `shard.rs`.
    pub fn warm(&self) -> u64 {
        let hash = |newest: &Publication| newest.manifest.hashes().first().map_or(0, |hash| hash.0[0]);
        let offered = u64::from(self.shelf.newest().map_or(0, hash));
        let pulls = self.pulls.iter().fold(0, |all, pull| all ^ u64::from(pull.number()));
        let times = self.now.0 ^ self.alarms.next().0 ^ self.uplink_free.0 ^ self.progressed.0;
        let counts = self.sent ^ self.stats.bytes_in ^ self.stats.bytes_out ^ self.round.closed() ^ self.learner.age;
        let lists = self.outbox.len() ^ self.arrived.len() ^ self.scores.refused() as usize;
        offered ^ pulls ^ times ^ counts ^ lists as u64 ^ self.digest.value() ^ self.rng.get_word_pos() as u64
    }

    /// What it does by itself before `horizon` and before a letter of that time and sender.
    pub fn run_alarms(&mut self, env: &Environment<'_>, horizon: Time, letter: (Time, u32)) {
        let index = self.index;
        let is_due = |alarm: &Alarm| alarm.at < horizon && (alarm.at, index) <= letter;
        while let Some(alarm) = self.alarms.pop_if(is_due) {
            self.happens(alarm.at, self.index, alarm.number);
            match alarm.cause {
                _ if self.frozen.is_some() => self.hold_back(alarm),
                Cause::Change { there } => self.on_change(env, there),
                Cause::Local { life, timer } if life == self.life => self.on_timer(env, timer),
                Cause::Local { .. } => {}
            }
        }
    }

    /// A letter arrives.
    pub fn take(&mut self, env: &Environment<'_>, letter: Letter) {
        self.happens(letter.at, letter.from, letter.number);
        if self.is_awake() {
            self.on_message(env, letter.from, letter.message);
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

    /// Starts with what is on its disk.
    pub fn come(&mut self, env: &Environment<'_>) {
        self.life += 1;
        self.stats.there = true;
        (self.progressed, self.round_wake, self.discovery_wake) = (self.now, Time::ZERO, Time::ZERO);
        self.round = Round::new(self.recipe.round.clone(), self.stats.rounds);
        let (own, life) = (peer_id(self.index), self.life);
        self.meetings.iter_mut().for_each(|meetings| **meetings = Meetings::new(own, life));
        self.start_discovery(env);
        self.tell_round(env, Input::Started { has_contacts: env.peers > 1 });
        if self.knows_somebody() {
            self.peer_known(env);
        }
    }

    /// Says goodbye to those still connected, and ends. Whatever was under way belongs to the old life.
    pub fn go(&mut self, env: &Environment<'_>) {
        self.hang_up(env);
        if self.frozen.take().is_none() {
            self.note_wait();
        }
        self.life += 1;
        self.pulls.clear();
        self.arrived.clear();
        self.stats.there = false;
    }

    /// Whether it is there and its lid is open.
    pub fn is_awake(&self) -> bool {
        self.stats.there && self.frozen.is_none()
    }

    pub fn training<'a>(&'a self, env: &'a Environment<'_>) -> &'a Training {
        self.training.as_deref().unwrap_or(&env.config.training)
    }

    pub fn record(&mut self, env: &Environment<'_>, what: Happening) {
        if env.records {
            self.recorded.push((self.now, what));
        }
    }

    fn on_timer(&mut self, env: &Environment<'_>, timer: Timer) {
        match timer {
            Timer::Round => self.tell_round(env, Input::Woke),
            Timer::Discovery => self.on_discovery_timer(env),
            Timer::Trained => {
                // All the work at once, when a real learner would be done: until then the model is the last mix.
                if self.training(env).steps > 0 && !self.learner.rows.is_empty() {
                    self.keep_committed();
                }
                let training = self.training.as_deref().unwrap_or(&env.config.training);
                self.learner.train(env.model, training);
                self.publish(env);
                self.tell_round(env, Input::Trained);
            }
            Timer::PullTimeout(pull) => self.on_pull_timeout(env, pull),
            Timer::DialTimeout(target) => self.on_dial_timeout(env, target),
            Timer::NotMet { peer, met } => self.on_not_met(env, peer, met),
            Timer::GuestWaited(pull) => self.on_guest_waited(pull),
            Timer::Unsettled(question) => self.on_unsettled(question),
            Timer::AskAgain(question) => self.on_ask_again(env, question),
        }
    }

    fn on_message(&mut self, env: &Environment<'_>, from: u32, message: Message) {
        if self.scores.is_banned(self.now, &peer_id(from)) {
            return;
        }
        match message {
            // Nobody is at an old address.
            Message::Newest { door: Some(door), .. } | Message::Ask { door: Some(door), .. } if door != self.door => {
                return;
            }
            _ => self.count(&message),
        }
        match message {
            Message::Newest { pull, codec, .. } => self.on_ask(env, from, pull, &Request::Newest { task: TASK, codec }),
            Message::Ask { pull, request, .. } => self.on_ask(env, from, pull, &request),
            Message::Stream { pull, request } => self.on_stream(env, from, pull, &request),
            Message::Answer { pull, response } => self.on_answer(env, from, pull, *response),
            Message::Chunks { pull, chunks } => self.on_chunks(env, from, pull, chunks),
            message => self.on_discovery_message(env, from, message),
        }
    }

    fn count(&mut self, message: &Message) {
        match message {
            Message::Announced(_) => {
                self.stats.announcements += 1;
                // Whoever hears it passes it on.
                self.stats.bytes_out += message.bytes();
            }
            Message::Shuffle(_) | Message::Shuffled(_) => self.stats.shuffles += 1,
            _ => {}
        }
        self.stats.bytes_in += message.bytes();
    }

    pub fn peer_known(&mut self, env: &Environment<'_>) {
        self.tell_round(env, Input::PeerKnown);
    }

    pub fn tell_round(&mut self, env: &Environment<'_>, input: Input) {
        let mut outputs = std::mem::take(&mut self.round_outputs);
        self.round.handle(self.now, input, &mut outputs);
        for output in outputs.drain(..) {
            match output {
                Output::Train { .. } => {
                    let slowed = self.train_time.as_secs_f64() * self.slowness;
                    // Exactly as drawn, where nothing slows it.
                    let takes = match self.slowness == 1.0 {
                        true => self.train_time,
                        false => Duration::try_from_secs_f64(slowed).unwrap_or(Duration::MAX),
                    };
                    self.set_timer(self.now + takes, Timer::Trained);
                }
                Output::Draw { count, tried } => {
                    let peers = self.draw(env, count, &tried);
                    self.tell_round(env, Input::Drawn { peers });
                }
                Output::Pull { peers, deadline } => peers.into_iter().for_each(|peer| self.pull(env, peer, deadline)),
                Output::CancelPulls => self.cancel_pulls(),
                Output::Mix { drawn, .. } => self.mix(env, drawn),
                Output::WakeAt(at) if at != self.round_wake => {
                    self.round_wake = at;
                    self.set_timer(at, Timer::Round);
                }
                Output::WakeAt(_) => {}
            }
        }
        self.round_outputs = outputs;
    }

    fn mix(&mut self, env: &Environment<'_>, drawn: usize) {
        let joining = self.round.is_joining();
        if joining && !self.arrived.is_empty() {
            self.keep_committed();
        }
        let rounds = self.recipe.round.rounds;
        let last = !joining && rounds > 0 && self.stats.rounds + 1 >= rounds;
        let (mixed, refused) = self.mix_arrived(env, last);
        self.purse.iter_mut().for_each(Purse::open);
        if !joining && (self.purse.is_some() || self.meetings.is_some()) {
            // Mass is that of the model on the shelf, so the mix goes there before anyone is granted more; and a model that
            // has met somebody meets nobody else.
            self.publish(env);
        }
        if !joining {
            self.stats.rounds += 1;
            self.note_wait();
            self.progressed = self.now;
            self.commit();
            let (round, age) = (self.stats.rounds, self.learner.age);
            self.record(env, Happening::RoundClosed { round, drawn, mixed, refused, age });
        }
        self.tell_round(env, Input::Mixed);
    }

    pub fn note_wait(&mut self) {
        self.stats.longest_wait = self.stats.longest_wait.max(self.now.since(self.progressed));
    }

    pub fn stats(&self, now: Time) -> Stats {
        let open = if self.is_awake() { now.since(self.progressed) } else { Duration::ZERO };
        Stats { longest_wait: self.stats.longest_wait.max(open), frozen: self.frozen.is_some(), ..self.stats }
    }

    pub fn set_timer(&mut self, at: Time, timer: Timer) {
        self.schedule(at.max(self.now), Cause::Local { life: self.life, timer });
    }

    fn schedule(&mut self, at: Time, cause: Cause) {
        self.sent += 1;
        self.alarms.push(Alarm { at, number: self.sent, cause });
    }

    pub fn send(&mut self, env: &Environment<'_>, to: u32, message: Message) {
        self.stats.bytes_out += message.bytes();
        let lost = self.is_lost(env, to);
        let delay = self.delay(env, to);
        if !lost && env.reaches(self.index, to, self.now) {
            self.send_at(to, self.now + delay, message);
        }
    }

    pub fn send_at(&mut self, to: u32, at: Time, message: Message) {
        self.sent += 1;
        self.outbox.push(Letter { at, number: self.sent, from: self.index, to, message });
    }

    pub fn is_lost(&mut self, env: &Environment<'_>, to: u32) -> bool {
        let loss = env.loss(self.index, to);
        loss > 0.0 && self.rng.random_bool(loss)
    }

    pub fn delay(&mut self, env: &Environment<'_>, to: u32) -> Duration {
        let (least, most) = env.delay(self.index, to);
        let span = most.saturating_sub(least).as_micros();
        least + Duration::from_micros(((span * u128::from(self.rng.random::<u32>())) >> 32) as u64)
    }
}
