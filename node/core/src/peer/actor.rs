//! The actor that holds the machine.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use peerlearn_learner::{LearnerError, Trained};
use peerlearn_network::{BulkWriter, ReplyToken, VerdictToken};
use peerlearn_protocols::id::PeerId;
use peerlearn_protocols::membership::Contact;
use peerlearn_protocols::peer::{Effect, Fact, KnownPeer, Peer, PeerSettings, PeerStatus, Restored, Token};
use peerlearn_protocols::round::Phase;
use peerlearn_protocols::time::Time;
use peerlearn_protocols::wire::{Address, Announcement, BulkRequest, Request};
use peerlearn_runtime::event::NodeEvent;
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::task::AbortHandle;

use super::api::{Components, PeerStart};
use super::training::{self, Job};

/// Restarts of this component that one start of the node leaves component for in numbers that must grow from start to
/// start.
const RESTART_BITS: u32 = 8;

/// What the peer is told. Permits bound how many messages from the network wait.
pub(super) enum PeerMsg {
    /// A fact for the machine.
    Fact(Box<Fact>, Option<OwnedSemaphorePermit>),
    /// An announcement for the machine; the verdict goes back to gossip.
    Announced(PeerId, Box<Announcement>, VerdictToken, OwnedSemaphorePermit),
    /// A peer asks; the answer goes back to it.
    Asked(PeerId, Request, ReplyToken, OwnedSemaphorePermit),
    /// A peer wants chunks.
    StreamAsked(BulkRequest, BulkWriter, OwnedSemaphorePermit),
    /// Training of a round ended.
    Trained(u64, Result<Trained, LearnerError>),
    /// Answer with everyone known.
    KnownPeers(RpcReplyPort<Vec<KnownPeer>>),
    /// Answer with whom it looks for beside those known, and when next.
    Contacts(RpcReplyPort<Vec<(Contact, Time)>>),
    /// Take no more facts once no mix is under way, and answer with what a restart needs.
    Finish(RpcReplyPort<Restored>),
}

/// What a machine was told and what it wanted, in words that are equal exactly when these are.
pub(super) type Trace = Option<mpsc::Sender<(String, Vec<Effect>)>>;

#[derive(Clone)]
pub(super) struct PeerArgs {
    pub settings: Arc<PeerSettings>,
    pub start: PeerStart,
    pub components: Components,
    pub status: Arc<watch::Sender<PeerStatus>>,
    /// Where rounds and the push-sum ledger go on when this component is started again.
    pub restored: Arc<Mutex<Restored>>,
    pub restarts: Arc<AtomicU32>,
    /// For tests.
    pub trace: Trace,
    /// For tests: what the machine draws from.
    pub rng: Option<ChaCha8Rng>,
}

pub(super) struct PeerState {
    pub machine: Peer,
    pub settings: Arc<PeerSettings>,
    pub components: Components,
    pub myself: ActorRef<PeerMsg>,
    status: Arc<watch::Sender<PeerStatus>>,
    restored: Arc<Mutex<Restored>>,
    /// Facts that follow from an effect at once.
    pub facts: VecDeque<Fact>,
    /// Empty; kept for its memory.
    effects: Vec<Effect>,
    /// Jobs for the learner, done one after the other.
    pub jobs: mpsc::Sender<Job>,
    /// How the announcement being handled is judged.
    pub verdict: Option<VerdictToken>,
    /// Who waits for an answer.
    pub replies: BTreeMap<u64, ReplyToken>,
    /// Whose stream is open; taken again before the message that opened it is done with.
    pub writers: BTreeMap<u64, BulkWriter>,
    next_token: u64,
    /// Pulls under way.
    pub pulls: BTreeMap<u32, AbortHandle>,
    /// How many pulls run at a time.
    pub outbound: Arc<Semaphore>,
    /// How many models are sent at a time.
    pub inbound: Arc<Semaphore>,
    pub timer: Option<AbortHandle>,
    /// Tells of checkpoints that are on disk.
    commits: Option<AbortHandle>,
    finish: Option<RpcReplyPort<Restored>>,
    is_finished: bool,
    trace: Trace,
}

impl Drop for PeerState {
    fn drop(&mut self) {
        let tasks = std::mem::take(&mut self.pulls).into_values().chain(self.timer.take()).chain(self.commits.take());
        tasks.for_each(|task| task.abort());
        // Also when it fails: the next one goes on with the mass that this one had.
        *self.restored.lock().unwrap_or_else(PoisonError::into_inner) = self.machine.restored();
    }
}

pub(super) struct PeerActor;

impl Actor for PeerActor {
    type Msg = PeerMsg;
    type State = PeerState;
    type Arguments = PeerArgs;

    async fn pre_start(&self, myself: ActorRef<PeerMsg>, args: PeerArgs) -> Result<PeerState, ActorProcessingErr> {
        let (network, start) = (args.components.network.clone(), args.start.clone());
        let mut state = PeerState::new(args, myself);
        start.contacts.into_iter().for_each(|contact| state.tell(Fact::Contacted(contact)));
        // At the first start there are none; after a failure of this component they would not be told again.
        network.connections().await.into_iter().for_each(|peer| state.tell(Fact::Connected(peer)));
        state.tell(Fact::Moved(network.addresses().await.into_iter().map(Address).collect()));
        state.tell(Fact::Started { has_contacts: start.has_contacts });
        Ok(state)
    }

    async fn handle(
        &self,
        _: ActorRef<PeerMsg>,
        message: PeerMsg,
        state: &mut PeerState,
    ) -> Result<(), ActorProcessingErr> {
        state.on_message(message);
        Ok(())
    }
}

impl PeerState {
    pub fn new(args: PeerArgs, myself: ActorRef<PeerMsg>) -> Self {
        let PeerArgs { settings, start, components, status, restored, restarts, trace, rng } = args;
        let restarts = restarts.fetch_add(1, Ordering::Relaxed);
        let starts = start.starts.wrapping_shl(RESTART_BITS).wrapping_add(restarts);
        // Draws must not be foreseeable for others; reproducible runs live in the simulator.
        let rng = rng.unwrap_or_else(|| ChaCha8Rng::from_seed(rand::random()));
        let before = restored.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let own = components.network.local();
        let (jobs, waiting) = mpsc::channel(training::MOST_WAITING);
        tokio::spawn(training::run(waiting, components.learner.clone(), myself.clone()));
        let commits = components.registry.clone().map(|registry| {
            let (mut committed, myself) = (registry.committed_rounds(), myself.clone());
            let telling = tokio::spawn(async move {
                while committed.changed().await.is_ok() {
                    let stored = committed.borrow_and_update().map(|round| Fact::Stored { round });
                    stored.into_iter().for_each(|fact| tell(&myself, fact));
                }
            });
            telling.abort_handle()
        });
        Self {
            machine: Peer::new(own, starts, Arc::clone(&settings), before, rng),
            outbound: Arc::new(Semaphore::new(2 * settings.round.fan_out.max(1))),
            inbound: Arc::new(Semaphore::new(start.max_inbound)),
            settings,
            components,
            myself,
            status,
            restored,
            facts: VecDeque::new(),
            effects: Vec::new(),
            jobs,
            verdict: None,
            replies: BTreeMap::new(),
            writers: BTreeMap::new(),
            next_token: 0,
            pulls: BTreeMap::new(),
            timer: None,
            commits,
            finish: None,
            is_finished: false,
            trace,
        }
    }

    fn on_message(&mut self, message: PeerMsg) {
        match message {
            PeerMsg::Fact(fact, _permit) => self.tell(*fact),
            PeerMsg::Announced(author, announcement, verdict, _permit) => {
                let via = verdict.via();
                self.verdict = Some(verdict);
                self.tell(Fact::Announced { author, via, announcement });
                self.verdict = None;
            }
            PeerMsg::Asked(from, request, reply, _permit) => {
                let token = self.token();
                self.replies.insert(token.0, reply);
                self.tell(Fact::Asked { token, from, request });
            }
            PeerMsg::StreamAsked(request, writer, _permit) => {
                let token = self.token();
                self.writers.insert(token.0, writer);
                self.tell(Fact::StreamAsked { token, request });
                self.writers.remove(&token.0);
            }
            PeerMsg::Trained(round, result) => self.on_trained(round, result),
            PeerMsg::KnownPeers(reply) => {
                let _ = reply.send(self.machine.known_peers(self.components.clock.now()));
            }
            PeerMsg::Contacts(reply) => {
                let _ = reply.send(self.machine.contacts());
            }
            PeerMsg::Finish(reply) => self.finish = Some(reply),
        }
        self.finish_if_asked();
    }

    fn token(&mut self) -> Token {
        self.next_token += 1;
        Token(self.next_token)
    }

    fn on_trained(&mut self, round: u64, result: Result<Trained, LearnerError>) {
        let result = result.map(|Trained { report, wall, cpu }| {
            let (steps, loss) = (report.steps, report.loss);
            self.components.events.emit(NodeEvent::Trained { round, steps, loss, wall, cpu });
        });
        self.tell(Fact::Trained(result.map_err(|error| error.to_string())));
    }

    /// Tells the machine a fact, and carries out what follows from it.
    fn tell(&mut self, fact: Fact) {
        if self.is_finished {
            return;
        }
        self.facts.push_back(fact);
        while let Some(fact) = self.facts.pop_front() {
            if let Fact::Pulled { pull, .. } = &fact {
                self.pulls.remove(pull);
            }
            let mut effects = std::mem::take(&mut self.effects);
            let told = self.trace.as_ref().map(|_| format!("{fact:?}"));
            self.machine.handle(self.components.clock.now(), fact, &mut effects);
            if let (Some(trace), Some(told)) = (&self.trace, told) {
                let _ = trace.try_send((told, effects.clone()));
            }
            effects.drain(..).for_each(|effect| self.carry_out(effect));
            self.effects = effects;
        }
        self.status.send_replace(self.machine.status());
    }

    fn finish_if_asked(&mut self) {
        if *self.machine.phase() != Phase::Mixing
            && let Some(reply) = self.finish.take()
        {
            self.is_finished = true;
            // Whoever asked may have stopped waiting.
            let _ = reply.send(self.machine.restored());
        }
    }
}

/// Tells the actor a fact; one that is gone needs none.
pub(super) fn tell(peer: &ActorRef<PeerMsg>, fact: Fact) {
    let _ = peer.cast(PeerMsg::Fact(Box::new(fact), None));
}
