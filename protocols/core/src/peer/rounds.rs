//! What rounds want, and what comes of it: training, drawing, mixing, publishing, measuring, committing.

use std::time::Duration;

use super::conversations::Purpose;
use super::{Effect, Peer, PeerEvent, Question, RoundClosed};
use crate::estimate::EstimateReport;
use crate::exchange::PullOrder;
use crate::exchange::TransportFailure;
use crate::exchange::mode::Wanted;
use crate::id::PeerId;
use crate::mixing::pair::PendingDelta;
use crate::mixing::push_sum::{Account, Grant};
use crate::mixing::{Rule, StaleFilter};
use crate::recipe::{Evaluation, MixOrder, MixReport, Published, PulledModel};
use crate::round;
use crate::time::Time;
use crate::wire::blob::encoded_len;
use crate::wire::{ModelSummary, OfferSummary, Request, Response};

/// Pause after a failed training or mix, so that a failure that stays does not spin.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// What belongs to the round under way, and to the own model.
#[derive(Debug)]
pub(super) struct Learning {
    /// Models that arrived for the next mix.
    pub arrived: Vec<PulledModel>,
    /// Offers since the last mix that were too old to be pulled.
    pub stale: usize,
    filter: StaleFilter,
    /// Weights that the communication graph gives those drawn since the last mix; empty without a graph.
    links: Vec<(PeerId, f32)>,
    pub age: u64,
    pub own: Option<Evaluation>,
    pub test: Option<Evaluation>,
    /// When the last round that estimates was closed, and whether this one does.
    estimated: Option<Time>,
    estimating: bool,
    committed: Option<Time>,
    /// Books whose checkpoint is on its way to the disk.
    kept: Option<(u64, Account)>,
    /// Rounds up to this one are on disk.
    stored: Option<u64>,
    closing: Option<Closing>,
    /// Whose deltas were added since the last round was closed, before a publication.
    added: Vec<PeerId>,
    /// What comes after the publication under way.
    publishing: Vec<Then>,
    /// When to go on after a failure, and with what.
    resume: Option<(Time, round::Input)>,
}

/// The end of a round.
#[derive(Debug)]
struct Closing {
    round: u64,
    drawn: usize,
    joining: bool,
    measure: bool,
    commit: bool,
    grants: Vec<(PeerId, Grant)>,
    /// Mass of the own model before the mix, under push-sum.
    mass: u64,
    report: MixReport,
}

/// What comes after a publication.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    /// The round goes on: it was trained.
    Draw,
    /// The round ends: it was mixed.
    Close,
    /// Nothing: a start, or deltas that were added between rounds.
    Nothing,
}

impl Learning {
    pub fn new(age: u64) -> Self {
        Self {
            arrived: Vec::new(),
            stale: 0,
            filter: StaleFilter::default(),
            links: Vec::new(),
            age,
            own: None,
            test: None,
            estimated: None,
            estimating: false,
            committed: None,
            kept: None,
            stored: None,
            closing: None,
            added: Vec::new(),
            publishing: Vec::new(),
            resume: None,
        }
    }

    /// Weight of the link to a drawn peer; 0 without a graph.
    pub fn link(&self, peer: &PeerId) -> f32 {
        self.links.iter().find(|(drawn, _)| drawn == peer).map_or(0.0, |(_, weight)| *weight)
    }

    pub fn resume_at(&self) -> Option<Time> {
        self.resume.as_ref().map(|(at, _)| *at)
    }
}

impl Peer {
    pub(super) fn carry_out_round(&mut self, now: Time, output: round::Output, effects: &mut Vec<Effect>) {
        match output {
            round::Output::Train { round } => effects.push(Effect::Train { round }),
            round::Output::Draw { count, tried } => self.draw(now, count, &tried),
            round::Output::Pull { peers, deadline } => {
                peers.into_iter().for_each(|peer| self.exchange(now, peer, deadline, effects));
            }
            round::Output::CancelPulls => self.cancel_pulls(effects),
            round::Output::Mix { round, drawn } => self.mix(now, round, drawn, effects),
            round::Output::WakeAt(at) => self.round_wake = Some(at),
        }
    }

    pub(super) fn on_trained(&mut self, now: Time, result: Result<(), String>, effects: &mut Vec<Effect>) {
        match result {
            Ok(()) => self.publish(Then::Draw, effects),
            Err(reason) => {
                Self::warn(format!("training failed: {reason}"), effects);
                self.learning.resume = Some((now + AFTER_FAILURE, round::Input::Trained));
            }
        }
    }

    /// Goes on where a failure made it pause.
    pub(super) fn resume(&mut self, now: Time) {
        if let Some((_, input)) = self.learning.resume.take_if(|(at, _)| *at <= now) {
            self.to_round.push_back(input);
        }
    }

    fn draw(&mut self, now: Time, count: usize, tried: &[PeerId]) {
        let peers = self.membership.draw(now, count, tried);
        self.learning.links.extend(self.membership.links(&peers));
        let due = |every| self.learning.estimated.is_none_or(|last| now.since(last) >= every);
        self.learning.estimating = self.observer.is_some() && self.settings.estimate_every.is_some_and(due);
        self.to_round.push_back(round::Input::Drawn { peers });
    }

    fn exchange(&mut self, now: Time, peer: PeerId, until: Time, effects: &mut Vec<Effect>) {
        self.ask_estimates(now, peer, until, effects);
        let joining = self.round.is_joining();
        let wanted = Wanted { peer, order: self.order(joining), until, joining };
        self.with_mode(now, effects, |mode, actions| mode.exchange(now, wanted, actions));
    }

    /// What a plain exchange pulls.
    fn order(&self, joining: bool) -> PullOrder {
        let settings = &self.settings;
        // One who joins may have nothing to fill the gaps of a partial model with.
        let codec = if joining { settings.recipe.codec.whole() } else { settings.recipe.codec };
        let limited = settings.recipe.rule == Rule::AgeLimited;
        PullOrder {
            task: settings.task,
            codec,
            bytes: encoded_len(codec, &settings.layout),
            // Offers below this age would be refused by the rule after they have cost their bytes.
            least_age: if limited { self.learning.filter.least(self.learning.age) } else { 0 },
            resumes: settings.exchange.resumes,
            compressed: settings.exchange.compressed,
            checked: false,
            share: None,
            session: None,
        }
    }

    /// Asks a drawn peer for its numbers, beside the pull. An answer after the round counts in the next.
    fn ask_estimates(&mut self, now: Time, peer: PeerId, until: Time, effects: &mut Vec<Effect>) {
        let Some(observer) = &mut self.observer else { return };
        observer.drew(peer);
        if self.learning.estimating {
            let until = until.min(now + self.settings.request_timeout);
            let addresses = self.membership.addresses_to_dial(&peer);
            let request = Request::Estimates { task: self.settings.task };
            let question = Question { question: 0, peer, addresses, request, until };
            self.ask(now, Purpose::Estimates, question, effects);
        }
    }

    /// One who says nothing, for whatever reason, is not missed: the next one drawn will.
    pub(super) fn on_estimates(&mut self, peer: PeerId, result: Result<Response, TransportFailure>) {
        if let (Some(observer), Ok(Response::Estimates { epoch, minima, spread })) = (&mut self.observer, result) {
            // The wire has checked the numbers; what is left is a sketch of another length, from another version.
            let _ = observer.hear(peer, &EstimateReport { epoch, minima, spread });
        }
    }

    fn mix(&mut self, now: Time, round: u64, drawn: usize, effects: &mut Vec<Effect>) {
        let learning = &mut self.learning;
        learning.links.clear();
        learning.filter.round_closed(learning.arrived.len(), std::mem::take(&mut learning.stale));
        let joining = self.round.is_joining();
        if joining && learning.arrived.is_empty() {
            // Nobody has a model yet; there is nothing to start from but the own one.
            return self.to_round.push_back(round::Input::Mixed);
        }
        let rounds = self.settings.round.rounds;
        let last = !joining && rounds > 0 && round >= rounds;
        let every = self.settings.evaluate_every;
        let measure = every > 0 && (last || round.is_multiple_of(every));
        let due = |last: Time| now.since(last) >= self.settings.commit_every;
        let commit = !joining && (last || learning.committed.is_none_or(due));
        if commit {
            learning.committed = Some(now);
        }
        let mut models = std::mem::take(&mut learning.arrived);
        // A late model whose mass was asked for anew would bring mass into the mix that stays with its holder.
        let is_void = |pulled: &PulledModel| pulled.grant.is_some_and(|grant| self.mode.is_void(&pulled.peer, &grant));
        models.retain(|pulled| !is_void(pulled));
        let grants = models.iter().filter_map(|pulled| Some((pulled.peer, pulled.grant?))).collect();
        let report = MixReport::default();
        let mass = self.mode.begin_mix(last);
        learning.closing = Some(Closing { round, drawn, joining, measure, commit, grants, mass, report });
        let observe = learning.estimating;
        let deltas = self.due(effects);
        effects.push(Effect::Mix(Box::new(MixOrder { models, deltas, mass, observe })));
    }

    /// The deltas that wait to be added, and says that they came.
    fn due(&mut self, effects: &mut Vec<Effect>) -> Vec<PendingDelta> {
        let deltas = self.mode.due();
        let event = |delta: &PendingDelta| PeerEvent::Pulled {
            peer: delta.peer,
            bytes: delta.theirs.len() as u64,
            took: Duration::ZERO,
        };
        effects.extend(deltas.iter().map(event).map(Effect::Event));
        deltas
    }

    pub(super) fn on_mixed(&mut self, now: Time, result: Result<MixReport, String>, effects: &mut Vec<Effect>) {
        let Some(closing) = &mut self.learning.closing else { return };
        let closing_mass = closing.mass;
        match result {
            Ok(report) => {
                let taken: Vec<(PeerId, Grant)> =
                    closing.grants.iter().filter(|(peer, _)| report.mixed.contains(peer)).copied().collect();
                closing.report = report.clone();
                self.mode.mixed(&taken);
                self.check_mass(closing_mass, &taken, effects);
                self.take_note(now, &report, effects);
                match self.mode.publishes_mix() {
                    true => self.publish(Then::Close, effects),
                    false => self.measure(now, effects),
                }
            }
            Err(reason) => {
                self.learning.closing = None;
                Self::warn(format!("mixing failed: {reason}"), effects);
                self.learning.resume = Some((now + AFTER_FAILURE, round::Input::Mixed));
            }
        }
    }

    /// Whose models came in, and who sent none.
    fn take_note(&mut self, now: Time, report: &MixReport, effects: &mut Vec<Effect>) {
        self.learning.age = report.age;
        report.mixed.iter().for_each(|peer| self.membership.count_mixed(peer));
        report.faults.iter().for_each(|(peer, fault)| self.fault(now, *peer, *fault, effects));
        report.broken.iter().for_each(|invariant| self.broke(*invariant, "in a mix", effects));
    }

    /// Publishes the model as it is, with what is due.
    pub(super) fn publish(&mut self, then: Then, effects: &mut Vec<Effect>) {
        self.learning.publishing.push(then);
        // The model of the round that goes on; after a mix or at a start, of the one that is closed.
        let round = match then {
            Then::Draw => self.round.closed() + 1,
            Then::Close => self.learning.closing.as_ref().map_or(0, |closing| closing.round),
            Then::Nothing => self.round.closed(),
        };
        let deltas = self.due(effects);
        effects.push(Effect::Publish { round, deltas });
    }

    /// Adds what is due between rounds, and publishes the result.
    pub(super) fn apply_due(&mut self, effects: &mut Vec<Effect>) {
        self.publish(Then::Nothing, effects);
    }

    pub(super) fn on_published(
        &mut self,
        now: Time,
        result: Result<(Published, Option<MixReport>), String>,
        effects: &mut Vec<Effect>,
    ) {
        if self.learning.publishing.is_empty() {
            return;
        }
        let then = self.learning.publishing.remove(0);
        match result {
            Ok((published, report)) => {
                if let Some(report) = report {
                    self.take_note(now, &report, effects);
                    self.learning.added.extend(report.mixed);
                }
                self.keep(published);
            }
            Err(reason) => Self::warn(format!("the model could not be published: {reason}"), effects),
        }
        match then {
            Then::Draw => self.to_round.push_back(round::Input::Trained),
            Then::Close => self.measure(now, effects),
            Then::Nothing => {}
        }
    }

    /// Holds the published model ready, and says in announcements that it is there.
    fn keep(&mut self, Published { publications, norm }: Published) {
        self.serving.forget_tried();
        let mut publications = publications.into_iter();
        let Some(whole) = publications.next() else { return };
        let (offer, samples) = (whole.offer, self.settings.samples);
        self.mode.published(&whole);
        self.store.publish(whole);
        publications.for_each(|publication| self.store.add(publication));
        let finite = |value: f32| if value.is_finite() { value } else { f32::MAX };
        let validation_loss = self.learning.own.as_ref().map_or(0.0, |own| finite(own.loss));
        let summary = OfferSummary { root: offer.root, bytes: offer.bytes, age: offer.age };
        self.membership.published(offer.round, samples, summary, ModelSummary { norm, validation_loss });
    }

    fn measure(&mut self, now: Time, effects: &mut Vec<Effect>) {
        match self.learning.closing.as_ref().is_some_and(|closing| closing.measure) {
            true => effects.push(Effect::Measure),
            false => self.close(now, None, None, effects),
        }
    }

    pub(super) fn on_measured(
        &mut self,
        now: Time,
        own: Option<Evaluation>,
        test: Option<Evaluation>,
        effects: &mut Vec<Effect>,
    ) {
        // Kept as they were where nothing was measured anew.
        own.iter().for_each(|own| self.learning.own = Some(own.clone()));
        test.iter().for_each(|test| self.learning.test = Some(test.clone()));
        self.close(now, own, test, effects);
    }

    fn close(&mut self, now: Time, own: Option<Evaluation>, test: Option<Evaluation>, effects: &mut Vec<Effect>) {
        let Some(closing) = self.learning.closing.take() else { return };
        let Closing { round, drawn, joining, commit, report, .. } = closing;
        // The first pull of one who joins is no round.
        if !joining {
            if commit {
                self.commit(round, effects);
            }
            let MixReport { mut mixed, refused, faults, age, observation, .. } = report;
            mixed.append(&mut self.learning.added);
            let closed = RoundClosed { round, drawn, mixed, refused, faults, age, own, test };
            effects.push(Effect::Event(PeerEvent::RoundClosed(Box::new(closed))));
            self.check_tables(effects);
            self.acknowledge(now, effects);
            self.estimate(now, observation.as_ref(), effects);
        }
        self.learning.estimating = false;
        self.to_round.push_back(round::Input::Mixed);
    }

    fn estimate(
        &mut self,
        now: Time,
        observation: Option<&crate::estimate::RoundObservation>,
        effects: &mut Vec<Effect>,
    ) {
        let Some(observer) = self.observer.as_mut().filter(|_| self.learning.estimating) else { return };
        let estimate = observer.close(observation);
        self.learning.estimated = Some(now);
        self.store.tell(observer.report());
        effects.push(Effect::Event(PeerEvent::Estimated(estimate)));
    }

    fn commit(&mut self, round: u64, effects: &mut Vec<Effect>) {
        let account = self.mode.ledger().cloned();
        if let Some(account) = &account {
            // The older one is waited for, or checkpoints that follow each other closely would never be acknowledged.
            self.learning.kept.get_or_insert((round, account.clone()));
        }
        effects.push(Effect::Commit { round, account: account.map(Box::new) });
    }

    pub(super) fn on_stored(&mut self, now: Time, round: u64, effects: &mut Vec<Effect>) {
        self.learning.stored = self.learning.stored.max(Some(round));
        self.acknowledge(now, effects);
    }

    /// Says that mass was taken once that is on disk: whoever is killed before then has taken nothing.
    fn acknowledge(&mut self, now: Time, effects: &mut Vec<Effect>) {
        let stored = self.learning.stored;
        if let Some((_, account)) = self.learning.kept.take_if(|(round, _)| stored >= Some(*round)) {
            self.with_mode(now, effects, |mode, actions| mode.stored(now, &account, actions));
        }
    }
}
