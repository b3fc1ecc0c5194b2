//! Scripts: what may happen to a peer, told to whoever carries out its machine.
//!
//! A [`Script`] decides from a seed what comes next (peers join, announce, ask and go, pulls arrive late, broken or not
//! at all, time passes, the process is killed and starts again) and looks only at the effects of the machine for that.
//! Two interpreters that carry out the same effects are therefore told the same facts, and [`Script::run`] gives the
//! same lines for both, bit by bit; one that decides something by itself (publishes another model, mixes something
//! else, forgets a commit) gives others. Nodes and the simulator are compared with [`Reference`] in their tests.

mod others;
mod reference;
#[cfg(test)]
pub(crate) mod tests;

use std::sync::Arc;
use std::time::Duration;

use peerlearn_protocols::dataset::Dataset;
use peerlearn_protocols::exchange::{ExchangeConfig, PullFailure, PullOrder, Pulled, TransportFailure};
use peerlearn_protocols::id::{PeerId, TaskId};
use peerlearn_protocols::membership::{Contact, MembershipConfig};
use peerlearn_protocols::mixing::Rule;
use peerlearn_protocols::params::{Layout, ParamsError};
use peerlearn_protocols::peer::{Effect, Fact, PeerSettings, PullRequest, Question, Token};
use peerlearn_protocols::recipe::{Recipe, Training};
use peerlearn_protocols::round::RoundConfig;
use peerlearn_protocols::sampling::Sampling;
use peerlearn_protocols::score::Fault;
use peerlearn_protocols::time::Time;
use peerlearn_protocols::wire::{BulkRequest, Response};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

pub use reference::Reference;
#[cfg(test)]
pub(crate) use reference::machine;

use super::{Head, Initial, Mlp, Model};
use others::Others;

/// The task of every script.
pub const TASK: TaskId = TaskId([7; 32]);

/// Whoever carries out the effects of a peer's machine.
///
/// Publishing, mixing, writing to disk and writing models anew are carried out, and come back as facts before
/// [`Interpreter::told`] answers. So is training, but for its end, which the script decides. Pulls, questions, dials
/// and timers are not carried out: the script says what comes of them.
pub trait Interpreter {
    /// Starts the peer at a time: afresh, or from its last checkpoint, whatever it did before.
    ///
    /// `starts` counts the starts, 1 at the first. The machine draws from a ChaCha8 seeded with [`Script::rng_seed`].
    /// It is told that there is no address, and that it has started with contacts.
    fn start(&mut self, now: Time, starts: u32);

    /// Tells the machine a fact.
    fn tell(&mut self, now: Time, fact: Fact);

    /// The training under way ends.
    fn end_training(&mut self, now: Time);

    /// What the machine was told and what it wanted, in this order, since the last call.
    fn told(&mut self) -> Vec<(String, Vec<Effect>)>;
}

/// What happens to one peer.
#[derive(Debug, Clone)]
pub struct Script {
    /// The peer.
    pub own: PeerId,
    /// Its settings.
    pub settings: Arc<PeerSettings>,
    /// Its rows.
    pub rows: Dataset,
    /// Its model.
    pub model: Mlp,
    /// Seeds everything.
    pub seed: u64,
}

impl Script {
    /// A start counts this many bits further left, as in nodes, which count failures of a component in them.
    pub const RESTART_BITS: u32 = 8;

    /// A script for a mixing rule and a way to find others.
    ///
    /// # Errors
    /// None: the model is small.
    pub fn new(own: PeerId, rule: Rule, sampling: Sampling, seed: u64) -> Result<Self, ParamsError> {
        let model = Mlp::new(2, &[], 3, Head::Softmax, Initial::He)?;
        let rows = rows(seed);
        let training = Training { steps: 3, batch: 4, momentum: 0.5, control_variate: 0.05, ..Training::default() };
        let settings = PeerSettings {
            task: TASK,
            layout: Arc::new(model.layout().clone()),
            recipe: Arc::new(Recipe { training, rule, ..Recipe::default() }),
            round: RoundConfig { min_interval: Duration::from_millis(500), ..RoundConfig::default() },
            membership: MembershipConfig { sampling, ..MembershipConfig::default() },
            exchange: ExchangeConfig::default(),
            samples: rows.len() as u32,
            request_timeout: Duration::from_secs(5),
            estimate_every: Some(Duration::from_secs(1)),
            evaluate_every: 0,
            commit_every: Duration::from_secs(1),
        };
        Ok(Self { own, settings: Arc::new(settings), rows, model, seed })
    }

    /// Where its parameters begin.
    pub fn initial(&self) -> Vec<f32> {
        self.model.initial(self.seed)
    }

    /// Seeds the machine of a start.
    pub fn rng_seed(&self, starts: u32) -> u64 {
        self.seed.wrapping_add(u64::from(starts))
    }

    /// Lets so many things happen. Answers a line for each fact that the machine was told.
    pub fn run(&self, interpreter: &mut dyn Interpreter, steps: usize) -> Vec<String> {
        let mut director = Director::new(self);
        director.start(interpreter);
        (0..steps).for_each(|_| director.step(interpreter));
        director.lines
    }
}

/// Three kinds of points in the plane.
fn rows(seed: u64) -> Dataset {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let labels: Vec<u32> = (0..24).map(|row| row % 3).collect();
    let features = labels.iter().flat_map(|label| [*label as f32 + rng.random::<f32>(), rng.random::<f32>() - 0.5]);
    Dataset::new(vec![2], 3, features.collect(), labels.clone()).unwrap_or_else(|_| Dataset::none())
}

/// Decides what comes next.
struct Director<'a> {
    script: &'a Script,
    rng: ChaCha8Rng,
    others: Others,
    now: Time,
    starts: u32,
    wake: Option<Time>,
    is_training: bool,
    pulls: Vec<PullRequest>,
    questions: Vec<Question>,
    /// Models that the peer offered last.
    offered: Vec<BulkRequest>,
    tokens: u64,
    lines: Vec<String>,
}

impl<'a> Director<'a> {
    fn new(script: &'a Script) -> Self {
        Self {
            script,
            rng: ChaCha8Rng::seed_from_u64(script.seed),
            others: Others::new(script.seed),
            now: Time::ZERO,
            starts: 0,
            wake: None,
            is_training: false,
            pulls: Vec::new(),
            questions: Vec::new(),
            offered: Vec::new(),
            tokens: 0,
            lines: Vec::new(),
        }
    }

    fn start(&mut self, interpreter: &mut dyn Interpreter) {
        self.starts += 1;
        (self.wake, self.is_training) = (None, false);
        self.pulls.clear();
        self.questions.clear();
        interpreter.start(self.now, self.starts);
        self.take_in(interpreter);
    }

    fn step(&mut self, interpreter: &mut dyn Interpreter) {
        self.now = self.now + Duration::from_micros(self.rng.random_range(1..120_000));
        if self.wake.is_some_and(|at| at <= self.now) {
            self.wake = None;
            return self.tell(interpreter, Fact::Woke);
        }
        if self.is_training && self.rng.random_range(0..4) == 0 {
            self.is_training = false;
            interpreter.end_training(self.now);
            return self.take_in(interpreter);
        }
        let fact = match self.rng.random_range(0..100) {
            0..30 => self.end_a_pull(),
            30..42 => self.answer_a_question(),
            42..50 => Some(Fact::Connected(self.others.any(&mut self.rng))),
            50..53 => Some(Fact::Disconnected(self.others.any(&mut self.rng))),
            53..65 => Some(self.others.announces(&mut self.rng)),
            65..82 => Some(self.question()),
            82..88 => Some(self.stream()),
            88..92 => Some(self.trouble()),
            92 => return self.start(interpreter),
            _ => self.pass_time(),
        };
        fact.into_iter().for_each(|fact| self.tell(interpreter, fact));
    }

    fn tell(&mut self, interpreter: &mut dyn Interpreter, fact: Fact) {
        interpreter.tell(self.now, fact);
        self.take_in(interpreter);
    }

    /// Notes what the machine was told and what it waits for now.
    fn take_in(&mut self, interpreter: &mut dyn Interpreter) {
        for (fact, effects) in interpreter.told() {
            let at = self.now.0;
            self.lines.push(format!("{at} {fact} -> {effects:?}"));
            for effect in effects {
                match effect {
                    Effect::Train { .. } => self.is_training = true,
                    Effect::Pull(request) => self.pulls.push(*request),
                    Effect::CancelPull { pull } => self.pulls.retain(|request| request.pull != pull),
                    Effect::Ask(question) => self.questions.push(*question),
                    Effect::Answer { response, .. } => self.note_offer(&response),
                    Effect::WakeAt(at) => self.wake = Some(at),
                    _ => {}
                }
            }
        }
    }

    fn note_offer(&mut self, response: &Response) {
        if let Response::Offer { offer, .. } | Response::Share { offer, .. } | Response::Session { offer, .. } =
            response
        {
            self.offered.push(BulkRequest { root: offer.root, first: 0, count: 1 });
        }
    }

    fn token(&mut self) -> Token {
        self.tokens += 1;
        Token(self.tokens)
    }

    /// To the next time at which the machine wants to be woken.
    fn pass_time(&mut self) -> Option<Fact> {
        self.now = self.wake.take()?.max(self.now);
        Some(Fact::Woke)
    }

    fn end_a_pull(&mut self) -> Option<Fact> {
        if self.pulls.is_empty() {
            return None;
        }
        let at = self.rng.random_range(0..self.pulls.len());
        let PullRequest { pull, peer, order, .. } = self.pulls.swap_remove(at);
        // One in eight is never heard of again.
        if self.rng.random_range(0..8) == 0 {
            return None;
        }
        let result = self.result_of(peer, &order);
        Some(Fact::Pulled { pull, result: Box::new(result) })
    }

    fn result_of(&mut self, peer: PeerId, order: &PullOrder) -> Result<Pulled, PullFailure> {
        let layout: &Layout = &self.script.settings.layout;
        match self.rng.random_range(0..20) {
            0 => Err(TransportFailure::Timeout.into()),
            1 => Err(TransportFailure::Cut { reason: "cut".to_owned() }.into()),
            2 => Err(TransportFailure::Unreachable.into()),
            3 => Err(TransportFailure::Malformed.into()),
            4 => Err(PullFailure::NoModel),
            5 => self.others.broken_model(peer, order, layout, &mut self.rng).completed(order, layout),
            _ => self.others.model(peer, order, layout, &mut self.rng).completed(order, layout),
        }
    }

    fn answer_a_question(&mut self) -> Option<Fact> {
        if self.questions.is_empty() {
            return None;
        }
        let at = self.rng.random_range(0..self.questions.len());
        let Question { question, peer, request, .. } = self.questions.swap_remove(at);
        let result = match self.rng.random_range(0..10) {
            0 => Err(TransportFailure::Timeout),
            1 => Err(TransportFailure::Unreachable),
            2 => Ok(Response::Noted),
            3 => Ok(others::busy()),
            _ => Ok(self.others.answer(peer, &request, &mut self.rng)),
        };
        Some(Fact::Answered { question, result })
    }

    fn question(&mut self) -> Fact {
        let token = self.token();
        let from = self.others.any(&mut self.rng);
        let request = self.others.question(&mut self.rng);
        Fact::Asked { token, from, request }
    }

    fn stream(&mut self) -> Fact {
        let token = self.token();
        let known = self.offered.len();
        let request = match known {
            0 => BulkRequest { root: peerlearn_protocols::id::Root([0; 32]), first: 0, count: 1 },
            // One of the last ten: older ones are not held any more.
            _ => self.offered[self.rng.random_range(known.saturating_sub(10)..known)],
        };
        Fact::StreamAsked { token, request }
    }

    fn trouble(&mut self) -> Fact {
        let peer = self.others.any(&mut self.rng);
        match self.rng.random_range(0..7) {
            0 => Fact::Isolated,
            1 => Fact::DialFailed(Some(peer)),
            2 => Fact::DialFailed(None),
            3 => Fact::Foreign(peer),
            4 => Fact::Moved(vec![others::address(self.rng.random_range(0..8))]),
            5 => Fact::Contacted(Contact { peer: Some(peer), addresses: vec![others::address(9)] }),
            _ => Fact::Misbehaved(peer, Fault::Malformed),
        }
    }
}
