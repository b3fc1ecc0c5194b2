//! The actor that interprets the round machine.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use peerlearn_protocols::estimate::{Observer, Sight, Told, VerdictConfig};
use peerlearn_protocols::id::PeerId;
use peerlearn_protocols::mixing::push_sum::Account;
use peerlearn_protocols::mixing::{Rule, StaleFilter};
use peerlearn_protocols::round::{Input, Output, Phase as MachinePhase, Round};
use peerlearn_protocols::time::Time;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::RoundSettings;
use super::api::{Rooms, RoundReport, RoundStart};
use super::closing::{self, Closed, Closing};
use crate::event::NodeEvent;
use crate::exchange::PullFailure;
use crate::learner::{LearnerError, Pulled, Trained};
use crate::status::Phase;

/// Pause after a failed training or mix, so that a persistent failure does not spin.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// What the round room tells itself.
pub(super) enum RoundMsg {
    /// A fact for the machine.
    Fact(Input),
    /// Peers were drawn, each with the weight of its link.
    Drawn(Vec<(PeerId, f32)>),
    /// Training and publishing ended.
    Trained(u64, Result<Trained, LearnerError>),
    /// A drawn peer told what it makes of the network.
    Told(PeerId, Told),
    /// A pull ended.
    PullEnded(PeerId, Duration, Result<Pulled, PullFailure>),
    /// A meeting ended.
    MeetingEnded(PeerId, Result<(), PullFailure>),
    /// Mixing, measuring and committing ended.
    Closed(Result<Closed, LearnerError>),
}

#[derive(Clone)]
pub(super) struct RoundArgs {
    pub settings: RoundSettings,
    pub start: RoundStart,
    pub rooms: Rooms,
    pub report: Arc<watch::Sender<RoundReport>>,
}

pub(super) struct RoundState {
    machine: Round,
    settings: RoundSettings,
    start: RoundStart,
    rooms: Rooms,
    report: Arc<watch::Sender<RoundReport>>,
    arrived: Vec<Pulled>,
    /// Offers of this round that were too old to be pulled.
    stale: usize,
    filter: StaleFilter,
    /// Weights that the communication graph gives those drawn in this round.
    links: BTreeMap<PeerId, f32>,
    pulls: Vec<AbortHandle>,
    timer: Option<AbortHandle>,
    committed: Option<Time>,
    /// The account whose checkpoint is on its way to the disk.
    kept: Option<(u64, Account)>,
    observer: Observer,
    /// When the last round that estimates was closed, and whether this one does.
    estimated: Option<Time>,
    estimating: bool,
    myself: ActorRef<RoundMsg>,
}

impl Drop for RoundState {
    fn drop(&mut self) {
        self.pulls.drain(..).chain(self.timer.take()).for_each(|task| task.abort());
    }
}

pub(super) struct RoundActor;

impl Actor for RoundActor {
    type Msg = RoundMsg;
    type State = RoundState;
    type Arguments = RoundArgs;

    async fn pre_start(&self, myself: ActorRef<RoundMsg>, args: RoundArgs) -> Result<RoundState, ActorProcessingErr> {
        let round = args.report.borrow().round;
        let me = args.rooms.network.local();
        let observer = Observer::new(me, args.start.uniform, VerdictConfig::default())?;
        args.rooms.exchange.tell(observer.told());
        let watching = watch_for_peers(&args.rooms, myself.clone());
        let mut state = RoundState {
            machine: Round::new(args.settings.machine(args.start.rule), round),
            settings: args.settings,
            start: args.start,
            rooms: args.rooms,
            report: args.report,
            arrived: Vec::new(),
            stale: 0,
            filter: StaleFilter::default(),
            links: BTreeMap::new(),
            pulls: vec![watching],
            timer: None,
            committed: None,
            kept: None,
            observer,
            estimated: None,
            estimating: false,
            myself,
        };
        // A node that was restarted serves what it has at once.
        state.publish_what_is_there(round).await;
        state.on_fact(Input::Started { has_contacts: args.start.has_contacts });
        Ok(state)
    }

    async fn handle(
        &self,
        _: ActorRef<RoundMsg>,
        message: RoundMsg,
        state: &mut RoundState,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            RoundMsg::Fact(input) => state.on_fact(input),
            RoundMsg::Drawn(drawn) => state.on_drawn(drawn),
            RoundMsg::Trained(round, result) => state.on_trained(round, result),
            RoundMsg::Told(peer, told) => state.on_told(peer, &told),
            RoundMsg::PullEnded(peer, wall, result) => state.on_pull_ended(peer, wall, result),
            RoundMsg::MeetingEnded(peer, result) => state.on_meeting_ended(peer, result),
            RoundMsg::Closed(result) => state.on_closed(result),
        }
        Ok(())
    }
}

/// Says that a peer is known as soon as one is.
fn watch_for_peers(rooms: &Rooms, myself: ActorRef<RoundMsg>) -> AbortHandle {
    let mut known = rooms.membership.known();
    let watching = tokio::spawn(async move {
        if known.wait_for(|known| *known > 0).await.is_ok() {
            let _ = myself.cast(RoundMsg::Fact(Input::PeerKnown));
        }
    });
    watching.abort_handle()
}

impl RoundState {
    async fn publish_what_is_there(&mut self, round: u64) {
        if round > 0
            && let Err(error) = closing::publish(&self.rooms, round, self.start, None).await
        {
            self.warn(&format!("the model could not be published: {error}"));
        }
    }

    fn on_fact(&mut self, input: Input) {
        let mut outputs = Vec::new();
        self.machine.handle(self.rooms.clock.now(), input, &mut outputs);
        outputs.into_iter().for_each(|output| self.carry_out(output));
        self.update_report();
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::Train { round } => self.train(round),
            Output::Draw { count, tried } => self.draw(count, tried),
            Output::Pull { peers, deadline } => peers.into_iter().for_each(|peer| self.pull(peer, deadline)),
            Output::CancelPulls => self.pulls.drain(..).for_each(|pull| pull.abort()),
            Output::Mix { round, drawn } => self.mix(round, drawn),
            Output::WakeAt(at) => self.set_timer(at),
        }
    }

    fn train(&mut self, round: u64) {
        let (rooms, myself) = (self.rooms.clone(), self.myself.clone());
        let (start, own) = (self.start, self.report.borrow().own);
        tokio::spawn(async move {
            let trained = rooms.learner.train(round).await;
            let result = match trained {
                Ok(trained) => closing::publish(&rooms, round, start, own).await.map(|()| trained),
                Err(error) => Err(error),
            };
            if result.is_err() {
                tokio::time::sleep(AFTER_FAILURE).await;
            }
            let _ = myself.cast(RoundMsg::Trained(round, result));
        });
    }

    fn on_trained(&mut self, round: u64, result: Result<Trained, LearnerError>) {
        match result {
            Ok(Trained { report, wall, cpu }) => {
                let (steps, loss) = (report.steps, report.loss);
                self.rooms.events.emit(NodeEvent::Trained { round, steps, loss, wall, cpu });
            }
            Err(error) => self.warn(&format!("training failed: {error}")),
        }
        self.on_fact(Input::Trained);
    }

    fn draw(&mut self, count: usize, tried: Vec<PeerId>) {
        let (membership, myself) = (self.rooms.membership.clone(), self.myself.clone());
        tokio::spawn(async move {
            let drawn = membership.draw(count, tried).await.unwrap_or_default();
            let _ = myself.cast(RoundMsg::Drawn(drawn));
        });
    }

    fn on_drawn(&mut self, drawn: Vec<(PeerId, f32)>) {
        let peers = drawn.iter().map(|(peer, _)| *peer).collect();
        self.links.extend(drawn);
        self.estimating =
            self.estimated.is_none_or(|last| self.rooms.clock.now().since(last) >= self.settings.estimate_every);
        self.on_fact(Input::Drawn { peers });
    }

    /// Asks a drawn peer for its numbers, beside the pull. An answer after the round counts in the next.
    fn ask_estimates(&mut self, peer: PeerId, deadline: Time) {
        self.observer.drew(peer);
        if !self.estimating {
            return;
        }
        let (exchange, myself) = (self.rooms.exchange.clone(), self.myself.clone());
        let limit = self.rooms.clock.until(deadline);
        let asking = tokio::spawn(async move {
            if let Some(told) = exchange.estimates(peer, limit).await {
                let _ = myself.cast(RoundMsg::Told(peer, told));
            }
        });
        self.pulls.push(asking.abort_handle());
    }

    fn on_told(&mut self, peer: PeerId, told: &Told) {
        // The wire has checked the numbers; what is left is a sketch of another length, from another version.
        if let Err(error) = self.observer.hear(peer, told) {
            tracing::debug!(%error, ?peer, "estimates not taken");
        }
    }

    /// Ends a round that estimates.
    fn estimate(&mut self, sight: Option<&Sight>) {
        let estimate = self.observer.close(sight);
        self.estimated = Some(self.rooms.clock.now());
        self.report.send_modify(|report| report.estimate = estimate);
        self.rooms.exchange.tell(self.observer.told());
        self.rooms.events.emit(NodeEvent::Estimated { estimate });
    }

    /// Offers below this age are not worth their bytes.
    fn least_age(&self) -> u64 {
        match self.start.rule {
            Rule::AgeLimited => self.filter.least(self.report.borrow().age),
            _ => 0,
        }
    }

    fn pull(&mut self, peer: PeerId, deadline: Time) {
        self.ask_estimates(peer, deadline);
        if self.start.rule == Rule::Pair && !self.machine.is_joining() {
            return self.meet(peer, deadline);
        }
        let (exchange, clock, myself) = (self.rooms.exchange.clone(), self.rooms.clock.clone(), self.myself.clone());
        // One who joins may have nothing to fill the gaps of a partial model with.
        let joining = self.machine.is_joining();
        let codec = if joining { self.start.codec.whole() } else { self.start.codec };
        let (least_age, link) = (self.least_age(), self.links.get(&peer).copied().unwrap_or(0.0));
        let pulling = tokio::spawn(async move {
            let started = clock.now();
            let result = exchange.pull(peer, codec, least_age, clock.until(deadline)).await.map(|pulled| Pulled {
                peer,
                age: pulled.offer.age,
                samples: pulled.offer.samples,
                link,
                grant: pulled.grant,
                blob: Arc::new(pulled.blob),
            });
            let _ = myself.cast(RoundMsg::PullEnded(peer, clock.now() - started, result));
        });
        self.pulls.push(pulling.abort_handle());
    }

    /// Meets a peer instead of pulling from it. The half is added with the mix, or later, if the round does not wait so long.
    fn meet(&mut self, peer: PeerId, deadline: Time) {
        let (exchange, myself) = (self.rooms.exchange.clone(), self.myself.clone());
        let limit = self.rooms.clock.until(deadline);
        let meeting = tokio::spawn(async move {
            let _ = myself.cast(RoundMsg::MeetingEnded(peer, exchange.meet(peer, limit).await));
        });
        self.pulls.push(meeting.abort_handle());
    }

    fn on_meeting_ended(&mut self, peer: PeerId, result: Result<(), PullFailure>) {
        let arrived = result.is_ok();
        if let Err(failure) = result {
            failure.fault().into_iter().for_each(|fault| self.rooms.membership.fault(peer, fault));
            self.rooms.events.emit(NodeEvent::PullFailed { peer, reason: failure.to_string() });
        }
        self.on_fact(Input::PullEnded { peer, arrived });
    }

    fn on_pull_ended(&mut self, peer: PeerId, wall: Duration, result: Result<Pulled, PullFailure>) {
        if !self.machine.awaits(&peer) {
            return;
        }
        let arrived = result.is_ok();
        match result {
            Ok(pulled) => {
                let bytes = pulled.blob.len() as u64;
                self.rooms.events.emit(NodeEvent::Pulled { peer, bytes, wall });
                self.arrived.push(pulled);
            }
            Err(failure) => {
                self.stale += usize::from(failure.is_stale());
                failure.fault().into_iter().for_each(|fault| self.rooms.membership.fault(peer, fault));
                self.rooms.events.emit(NodeEvent::PullFailed { peer, reason: failure.to_string() });
            }
        }
        self.on_fact(Input::PullEnded { peer, arrived });
    }

    fn mix(&mut self, round: u64, drawn: usize) {
        // Those that go on are late, and count in the next round.
        self.pulls.retain(|pull| !pull.is_finished());
        self.links.clear();
        self.filter.round_closed(self.arrived.len(), std::mem::take(&mut self.stale));
        let due = |last: Time| self.rooms.clock.now().since(last) >= self.settings.commit_every;
        let last = self.settings.rounds > 0 && round >= self.settings.rounds;
        let closing = Closing {
            start: self.start,
            own: self.report.borrow().own,
            round,
            drawn,
            models: std::mem::take(&mut self.arrived),
            joining: round == self.machine.closed(),
            measure: last || round.is_multiple_of(self.settings.evaluate_every.max(1)),
            commit: last || self.committed.is_none_or(due),
            observe: self.estimating,
            last,
        };
        if closing.commit {
            self.committed = Some(self.rooms.clock.now());
        }
        let (rooms, myself) = (self.rooms.clone(), self.myself.clone());
        tokio::spawn(async move {
            let result = closing::close(&rooms, closing).await;
            if result.is_err() {
                tokio::time::sleep(AFTER_FAILURE).await;
            }
            let _ = myself.cast(RoundMsg::Closed(result));
        });
    }

    fn on_closed(&mut self, result: Result<Closed, LearnerError>) {
        match result {
            Ok(closed) => {
                self.acknowledge(closed.kept);
                self.report.send_modify(|report| {
                    report.age = closed.age;
                    report.own = closed.own.or(report.own);
                    report.test = closed.test.or(report.test);
                });
                // The first pull of one who joins is no round.
                if std::mem::take(&mut self.estimating) && !self.machine.is_joining() {
                    self.estimate(closed.sight.as_ref());
                }
            }
            Err(error) => self.warn(&format!("mixing failed: {error}")),
        }
        self.on_fact(Input::Mixed);
    }

    /// Says that mass was taken once that is on disk: whoever is killed before then has taken nothing.
    fn acknowledge(&mut self, newest: Option<(u64, Account)>) {
        // The older one is waited for, or checkpoints that follow each other closely would never be acknowledged.
        self.kept = self.kept.take().or(newest);
        let on_disk = |round| self.rooms.registry.as_ref().is_none_or(|registry| registry.committed() >= Some(round));
        if let Some((_, account)) = self.kept.take_if(|(round, _)| on_disk(*round)) {
            self.rooms.exchange.acknowledge(&account);
        }
    }

    fn set_timer(&mut self, at: Time) {
        let (wait, myself) = (self.rooms.clock.until(at), self.myself.clone());
        let timer = tokio::spawn(async move {
            tokio::time::sleep(wait).await;
            let _ = myself.cast(RoundMsg::Fact(Input::Woke));
        });
        if let Some(old) = self.timer.replace(timer.abort_handle()) {
            old.abort();
        }
    }

    fn update_report(&self) {
        let now = self.rooms.clock.now();
        let (phase, waiting_for) = describe(&self.machine, now);
        self.report.send_modify(|report| {
            report.round = self.machine.closed();
            report.phase = phase;
            report.waiting_for = waiting_for;
        });
    }

    fn warn(&self, message: &str) {
        self.rooms.events.emit(NodeEvent::Warning { message: message.to_owned() });
    }
}

/// The phase in words.
fn describe(machine: &Round, now: Time) -> (Phase, String) {
    let seconds = |until: &Time| format!("{:.1} s", until.since(now).as_secs_f64());
    match machine.phase() {
        MachinePhase::Idle => (Phase::Joining, String::new()),
        MachinePhase::Joining { until } => (Phase::Joining, format!("a first peer, for {} more", seconds(until))),
        MachinePhase::Training => (Phase::Training, String::new()),
        MachinePhase::Drawing { .. } => (Phase::Gathering, "a draw of peers".to_owned()),
        MachinePhase::Gathering { deadline, pending, .. } => {
            let names: Vec<String> = pending.iter().map(PeerId::short).collect();
            (Phase::Gathering, format!("models of {}, for {} at most", names.join(", "), seconds(deadline)))
        }
        MachinePhase::Mixing => (Phase::Mixing, String::new()),
        MachinePhase::Finished => (Phase::Finished, String::new()),
        MachinePhase::Resting { until } => (Phase::Resting, format!("the next round, in {}", seconds(until))),
    }
}
