//! Pulls and questions under way, whatever they are for, and the actions of the exchange mode.

use super::{Effect, Peer, PeerEvent, PullRequest, Question};
use crate::exchange::mode::ExchangeMode;
use crate::exchange::{Action, PullFailure, PullOrder, Pulled, TransportFailure};
use crate::id::PeerId;
use crate::invariant::Invariant;
use crate::membership;
use crate::recipe::PulledModel;
use crate::round;
use crate::time::Time;
use crate::wire::Response;

/// What a conversation is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A pull for the mixing rule.
    Round,
    /// One of the exchange mode, with its key.
    Mode(u64),
    /// A question for estimates.
    Estimates,
    /// A question for a shuffle.
    Shuffle,
}

/// A pull or a question under way.
#[derive(Debug, Clone, Copy)]
struct Open {
    number: u32,
    peer: PeerId,
    purpose: Purpose,
    began: Time,
    until: Time,
}

/// All pulls and questions under way. Few: twice the fan-out and a handful of the mode's, so lists are found through
/// faster than trees.
#[derive(Debug, Default)]
pub(super) struct Conversations {
    pulls: Vec<Open>,
    questions: Vec<Open>,
    next: u32,
}

impl Conversations {
    /// When the first is overdue.
    pub fn wake(&self) -> Option<Time> {
        self.pulls.iter().chain(&self.questions).map(|open| open.until).min()
    }

    /// Pulls and questions under way.
    pub fn len(&self) -> usize {
        self.pulls.len() + self.questions.len()
    }

    fn begin(&mut self, peer: PeerId, purpose: Purpose, began: Time, until: Time) -> Open {
        self.next = self.next.wrapping_add(1);
        Open { number: self.next, peer, purpose, began, until }
    }
}

fn take(list: &mut Vec<Open>, number: u32) -> Option<Open> {
    let at = list.iter().position(|open| open.number == number)?;
    Some(list.swap_remove(at))
}

impl Peer {
    pub(super) fn begin_pull(
        &mut self,
        now: Time,
        peer: PeerId,
        purpose: Purpose,
        order: PullOrder,
        until: Time,
        effects: &mut Vec<Effect>,
    ) {
        let open = self.conversations.begin(peer, purpose, now, until);
        self.conversations.pulls.push(open);
        let addresses = self.membership.addresses_to_dial(&peer);
        effects.push(Effect::Pull(Box::new(PullRequest { pull: open.number, peer, addresses, order, until })));
    }

    /// Asks a peer; the number of the question is given here.
    pub(super) fn ask(&mut self, now: Time, purpose: Purpose, question: Question, effects: &mut Vec<Effect>) {
        let open = self.conversations.begin(question.peer, purpose, now, question.until);
        self.conversations.questions.push(open);
        effects.push(Effect::Ask(Box::new(Question { question: open.number, ..question })));
    }

    pub(super) fn on_pulled(
        &mut self,
        now: Time,
        pull: u32,
        result: Result<Pulled, PullFailure>,
        effects: &mut Vec<Effect>,
    ) {
        let Some(open) = take(&mut self.conversations.pulls, pull) else { return };
        if let Purpose::Mode(key) = open.purpose {
            return self.with_mode(now, effects, |mode, actions| mode.pulled(now, key, result, actions));
        }
        let peer = open.peer;
        if !self.round.awaits(&peer) {
            return;
        }
        let arrived = result.is_ok();
        match result {
            Ok(pulled) => self.arrived(now, open, pulled, effects),
            Err(failure) => {
                self.learning.stale += usize::from(failure.is_stale());
                self.failed(now, peer, &failure, effects);
            }
        }
        self.to_round.push_back(round::Input::PullEnded { peer, arrived });
    }

    fn arrived(&mut self, now: Time, open: Open, pulled: Pulled, effects: &mut Vec<Effect>) {
        let (peer, Pulled { offer, grant, blob }) = (open.peer, pulled);
        let (bytes, took) = (blob.len() as u64, now.since(open.began));
        effects.push(Effect::Event(PeerEvent::Pulled { peer, bytes, took }));
        let link = self.learning.link(&peer);
        self.learning.arrived.push(PulledModel { peer, age: offer.age, samples: offer.samples, link, grant, blob });
    }

    /// Says that an exchange failed, and counts it against whose fault it is.
    fn failed(&mut self, now: Time, peer: PeerId, failure: &PullFailure, effects: &mut Vec<Effect>) {
        if let Some(fault) = failure.fault() {
            self.fault(now, peer, fault, effects);
        }
        if *failure == PullFailure::SessionLost {
            self.broke(Invariant::MeanKept, "in a session of two", effects);
        }
        effects.push(Effect::Event(PeerEvent::PullFailed { peer, reason: failure.to_string() }));
    }

    pub(super) fn on_answered(
        &mut self,
        now: Time,
        question: u32,
        result: Result<Response, TransportFailure>,
        effects: &mut Vec<Effect>,
    ) {
        let Some(Open { peer, purpose, .. }) = take(&mut self.conversations.questions, question) else { return };
        match purpose {
            Purpose::Mode(key) => {
                self.with_mode(now, effects, |mode, actions| mode.answered(now, key, result, actions))
            }
            Purpose::Estimates => self.on_estimates(peer, result),
            Purpose::Shuffle => {
                let input = match result {
                    Ok(Response::Shuffled { descriptors }) => {
                        membership::Input::ShuffleAnswered { from: peer, descriptors }
                    }
                    // Busy, or one that has no view: it is there, and says nothing.
                    Ok(_) => membership::Input::ShuffleAnswered { from: peer, descriptors: Vec::new() },
                    Err(_) => membership::Input::ShuffleFailed { peer },
                };
                self.tell_membership(now, input, effects);
            }
            Purpose::Round => {}
        }
    }

    /// Ends what nothing came of in time.
    pub(super) fn end_overdue(&mut self, now: Time, effects: &mut Vec<Effect>) {
        while let Some(at) = self.conversations.pulls.iter().position(|open| open.until <= now) {
            let pull = self.conversations.pulls[at].number;
            effects.push(Effect::CancelPull { pull });
            self.on_pulled(now, pull, Err(PullFailure::Deadline), effects);
        }
        while let Some(at) = self.conversations.questions.iter().position(|open| open.until <= now) {
            let question = self.conversations.questions[at].number;
            self.on_answered(now, question, Err(TransportFailure::Timeout), effects);
        }
    }

    /// Ends the pulls of rounds. Sessions go on, so that both sides end alike.
    pub(super) fn cancel_pulls(&mut self, effects: &mut Vec<Effect>) {
        let gone = self.conversations.pulls.extract_if(.., |open| open.purpose == Purpose::Round);
        effects.extend(gone.map(|open| Effect::CancelPull { pull: open.number }));
    }

    /// Lets the exchange mode do something, and carries out what it wants.
    pub(super) fn with_mode<T>(
        &mut self,
        now: Time,
        effects: &mut Vec<Effect>,
        work: impl FnOnce(&mut dyn ExchangeMode, &mut Vec<Action>) -> T,
    ) -> T {
        let mut actions = std::mem::take(&mut self.actions);
        let answer = work(&mut *self.mode, &mut actions);
        for action in actions.drain(..) {
            self.carry_out_action(now, action, effects);
        }
        self.actions = actions;
        answer
    }

    fn carry_out_action(&mut self, now: Time, action: Action, effects: &mut Vec<Effect>) {
        match action {
            Action::PullForRound { peer, order, until } => {
                self.begin_pull(now, peer, Purpose::Round, order, until, effects);
            }
            Action::Pull { key, peer, order, until } => {
                self.begin_pull(now, peer, Purpose::Mode(key), order, until, effects);
            }
            Action::Ask { key, peer, request, until } => {
                let until = until.min(now + self.settings.request_timeout);
                let addresses = self.membership.addresses_to_dial(&peer);
                let question = Question { question: 0, peer, addresses, request, until };
                self.ask(now, Purpose::Mode(key), question, effects);
            }
            Action::Ended { peer, arrived } => self.to_round.push_back(round::Input::PullEnded { peer, arrived }),
            Action::Failed { peer, failure } => self.failed(now, peer, &failure, effects),
            Action::Apply => self.apply_due(effects),
        }
    }
}
