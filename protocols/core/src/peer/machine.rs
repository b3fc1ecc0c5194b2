//! The machine: what it holds, and how a fact goes through it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::conversations::Conversations;
use super::rounds::Learning;
use super::serving::Serving;
use super::{Effect, Fact, PeerEvent, PeerSettings, Restored};
use crate::estimate::{Observer, VerdictConfig};
use crate::exchange::mode::ExchangeMode;
use crate::exchange::{Action, ModelStore};
use crate::id::PeerId;
use crate::invariant::Invariant;
use crate::membership::{self, Membership};
use crate::round::{self, Round};
use crate::sampling::Sampling;
use crate::score::ScoreBoard;
use crate::time::Time;

/// One peer.
#[derive(Debug)]
pub struct Peer {
    pub(super) settings: Arc<PeerSettings>,
    pub(super) round: Round,
    pub(super) membership: Membership,
    pub(super) scores: ScoreBoard,
    /// Set where the network is estimated.
    pub(super) observer: Option<Box<Observer>>,
    pub(super) store: ModelStore,
    pub(super) mode: Box<dyn ExchangeMode>,
    pub(super) learning: Learning,
    pub(super) conversations: Conversations,
    pub(super) serving: Serving,
    /// How often each invariant did not hold.
    pub(super) broken: BTreeMap<Invariant, u64>,
    /// Facts for the machine of rounds that follow from what it just wanted.
    pub(super) to_round: VecDeque<round::Input>,
    /// When rounds and membership want to be woken.
    pub(super) round_wake: Option<Time>,
    pub(super) membership_wake: Option<Time>,
    /// What the interpreter was told last.
    told_wake: Option<Time>,
    /// Empty; kept for its memory.
    round_outputs: Vec<round::Output>,
    /// Empty; kept for its memory.
    pub(super) membership_outputs: Vec<membership::Output>,
    /// Empty; kept for its memory.
    pub(super) actions: Vec<Action>,
}

impl Peer {
    /// A peer that knows nobody.
    ///
    /// `starts` counts the starts of this peer; it must grow from start to start, or others take its announcements for
    /// replays. `rng` decides draws and jitter.
    pub fn new(own: PeerId, starts: u32, settings: Arc<PeerSettings>, restored: Restored, mut rng: ChaCha8Rng) -> Self {
        let membership_rng = ChaCha8Rng::seed_from_u64(rng.random());
        let mode = settings.mode(own, starts, restored.account);
        let uniform = matches!(settings.membership.sampling, Sampling::Uniform | Sampling::Guarded);
        let observer = settings.estimate_every.and_then(|_| {
            // The default configuration is in range, so there is one.
            Observer::new(own, uniform, VerdictConfig::default()).ok().map(Box::new)
        });
        let mut store = ModelStore::new(settings.task, settings.kept(&*mode));
        observer.iter().for_each(|observer| store.tell(observer.report()));
        Self {
            round: Round::new(settings.rounds(&*mode), restored.round),
            membership: Membership::new(own, settings.task, starts, settings.membership.clone(), membership_rng),
            scores: ScoreBoard::default(),
            observer,
            store,
            mode,
            learning: Learning::new(restored.age),
            conversations: Conversations::default(),
            serving: Serving::default(),
            broken: BTreeMap::new(),
            to_round: VecDeque::new(),
            round_wake: None,
            membership_wake: None,
            told_wake: None,
            round_outputs: Vec::new(),
            membership_outputs: Vec::new(),
            actions: Vec::new(),
            settings,
        }
    }

    /// Takes one fact and pushes what follows. A fact that does not fit what is under way is late and changes nothing.
    pub fn handle(&mut self, now: Time, fact: Fact, effects: &mut Vec<Effect>) {
        match fact {
            Fact::Started { has_contacts } => self.on_started(now, has_contacts, effects),
            Fact::Contacted(contact) => self.tell_membership(now, membership::Input::Contacted(contact), effects),
            Fact::Announced { author, via, announcement } => {
                self.on_announced(now, author, via, *announcement, effects);
            }
            Fact::Connected(peer) => self.on_connected(now, peer, effects),
            Fact::Reached(peer, scope) => {
                self.tell_membership(now, membership::Input::Reached { peer, scope }, effects)
            }
            Fact::Disconnected(peer) => self.tell_membership(now, membership::Input::Disconnected { peer }, effects),
            Fact::Isolated => self.tell_membership(now, membership::Input::Isolated, effects),
            Fact::DialFailed(peer) => self.tell_membership(now, membership::Input::DialFailed { peer }, effects),
            Fact::Foreign(peer) => self.tell_membership(now, membership::Input::Refused { peer }, effects),
            Fact::Moved(addresses) => self.tell_membership(now, membership::Input::Moved { addresses }, effects),
            Fact::Misbehaved(peer, fault) => self.fault(now, peer, fault, effects),
            Fact::Asked { token, from, request } => self.on_asked(now, token, from, request, effects),
            Fact::StreamAsked { token, request } => self.on_stream_asked(token, &request, effects),
            Fact::Answered { question, result } => self.on_answered(now, question, result, effects),
            Fact::Pulled { pull, result } => self.on_pulled(now, pull, *result, effects),
            Fact::Trained(result) => self.on_trained(now, result, effects),
            Fact::Published(result) => self.on_published(now, *result, effects),
            Fact::Mixed(result) => self.on_mixed(now, *result, effects),
            Fact::Measured { own, test } => self.on_measured(now, own, test, effects),
            Fact::Stored { round } => self.on_stored(now, round, effects),
            Fact::Recoded(publication) => self.on_recoded(now, publication, effects),
            Fact::Woke => self.on_woke(now, effects),
        }
        self.run_round(now, effects);
        self.set_wake(effects);
    }

    fn on_started(&mut self, now: Time, has_contacts: bool, effects: &mut Vec<Effect>) {
        if self.round.closed() > 0 {
            // One that was stopped serves what it has at once.
            self.publish(super::rounds::Then::Nothing, effects);
        }
        self.to_round.push_back(round::Input::Started { has_contacts });
        if self.membership.size() > 1 {
            self.to_round.push_back(round::Input::PeerKnown);
        }
        self.tell_membership(now, membership::Input::Woke, effects);
    }

    fn on_woke(&mut self, now: Time, effects: &mut Vec<Effect>) {
        self.told_wake = None;
        if self.round_wake.take_if(|at| *at <= now).is_some() {
            self.to_round.push_back(round::Input::Woke);
        }
        if self.membership_wake.take_if(|at| *at <= now).is_some() {
            self.tell_membership(now, membership::Input::Woke, effects);
        }
        self.end_overdue(now, effects);
        if self.mode.wake().is_some_and(|at| at <= now) {
            self.with_mode(now, effects, |mode, actions| mode.woke(now, actions));
        }
        self.resume(now);
    }

    /// Lets the machine of rounds take all that waits for it.
    fn run_round(&mut self, now: Time, effects: &mut Vec<Effect>) {
        while let Some(input) = self.to_round.pop_front() {
            let mut outputs = std::mem::take(&mut self.round_outputs);
            self.round.handle(now, input, &mut outputs);
            for output in outputs.drain(..) {
                self.carry_out_round(now, output, effects);
            }
            self.round_outputs = outputs;
        }
    }

    fn set_wake(&mut self, effects: &mut Vec<Effect>) {
        let times = [
            self.round_wake,
            self.membership_wake,
            self.conversations.wake(),
            self.mode.wake(),
            self.learning.resume_at(),
        ];
        let next = times.into_iter().flatten().min();
        if next != self.told_wake {
            effects.extend(next.map(Effect::WakeAt));
            self.told_wake = next;
        }
    }

    pub(super) fn warn(message: String, effects: &mut Vec<Effect>) {
        effects.push(Effect::Event(PeerEvent::Warning(message)));
    }
}
