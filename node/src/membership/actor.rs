//! The actor that interprets the membership machine.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use peerlearn_protocols::id::{PeerId, TaskId};
use peerlearn_protocols::membership::{Contact, Input, Membership, MembershipConfig, Output, Verdict};
use peerlearn_protocols::score::{Fault, ScoreBoard};
use peerlearn_protocols::time::Time;
use peerlearn_protocols::wire::{Address, Announcement, Descriptor, Refusal, Request, Response};
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::task::AbortHandle;

use super::PeerReport;
use crate::clock::Clock;
use crate::event::{EventBus, NodeEvent};
use crate::network::{NetworkHandle, ReplyToken, VerdictToken};

/// Restarts of this room that one start of the node leaves room for in announcement sequences.
const RESTART_BITS: u32 = 8;

/// What membership is told. Permits bound how many messages from the network wait.
pub(super) enum MembershipMsg {
    /// A fact for the machine.
    Fact(Input, Option<OwnedSemaphorePermit>),
    /// An announcement for the machine; the verdict goes back to gossip.
    Announced(PeerId, Box<Announcement>, VerdictToken, OwnedSemaphorePermit),
    /// A peer asks for a shuffle; the answer goes back to it.
    ShuffleAsked(PeerId, TaskId, Vec<Descriptor>, ReplyToken, OwnedSemaphorePermit),
    /// Count this fault.
    Fault(PeerId, Fault),
    /// Count this model.
    Mixed(PeerId),
    /// Answer with drawn peers and the weights of their links.
    Draw(usize, Vec<PeerId>, RpcReplyPort<Vec<(PeerId, f32)>>),
    /// Answer with everyone known.
    Report(RpcReplyPort<(Vec<PeerReport>, u64)>),
    /// The machine's timer is due.
    Wake,
}

#[derive(Clone)]
pub(super) struct MembershipArgs {
    pub task: TaskId,
    pub starts: u32,
    pub config: MembershipConfig,
    pub contacts: Vec<Contact>,
    pub network: NetworkHandle,
    pub clock: Clock,
    pub events: EventBus,
    pub known: Arc<watch::Sender<usize>>,
    pub restarts: Arc<AtomicU32>,
}

pub(super) struct MembershipState {
    task: TaskId,
    machine: Membership,
    scores: ScoreBoard,
    mixed: BTreeMap<PeerId, u64>,
    network: NetworkHandle,
    clock: Clock,
    events: EventBus,
    known: Arc<watch::Sender<usize>>,
    timer: Option<AbortHandle>,
    myself: ActorRef<MembershipMsg>,
}

impl Drop for MembershipState {
    fn drop(&mut self) {
        self.timer.take().into_iter().for_each(|timer| timer.abort());
    }
}

/// How whoever brought a fact is answered.
#[derive(Default)]
struct Tokens {
    verdict: Option<VerdictToken>,
    reply: Option<ReplyToken>,
}

pub(super) struct MembershipActor;

impl Actor for MembershipActor {
    type Msg = MembershipMsg;
    type State = MembershipState;
    type Arguments = MembershipArgs;

    async fn pre_start(
        &self,
        myself: ActorRef<MembershipMsg>,
        args: MembershipArgs,
    ) -> Result<MembershipState, ActorProcessingErr> {
        let restarts = args.restarts.fetch_add(1, Ordering::Relaxed);
        let starts = args.starts.wrapping_shl(RESTART_BITS).wrapping_add(restarts);
        // Draws must not be foreseeable for others; reproducible runs live in the simulator.
        let rng = ChaCha8Rng::from_seed(rand::random());
        let machine = Membership::new(args.network.local(), args.task, starts, args.config, rng);
        let mut state = MembershipState {
            task: args.task,
            machine,
            scores: ScoreBoard::default(),
            mixed: BTreeMap::new(),
            network: args.network,
            clock: args.clock,
            events: args.events,
            known: args.known,
            timer: None,
            myself,
        };
        args.contacts.into_iter().for_each(|contact| state.on_fact(Input::Contacted(contact)));
        // At the first start there are none; after a failure of this room they would not be told again.
        let connections = state.network.connections().await;
        connections.into_iter().for_each(|peer| state.on_fact(Input::Connected { peer }));
        let addresses = state.network.addresses().await;
        state.on_fact(Input::Moved { addresses: addresses.into_iter().map(Address).collect() });
        Ok(state)
    }

    async fn handle(
        &self,
        _: ActorRef<MembershipMsg>,
        message: MembershipMsg,
        state: &mut MembershipState,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            MembershipMsg::Fact(input, _permit) => state.on_fact(input),
            MembershipMsg::Announced(author, announcement, verdict, _permit) => {
                state.on_announced(author, *announcement, verdict);
            }
            MembershipMsg::ShuffleAsked(peer, task, descriptors, reply, _permit) => {
                state.on_shuffle_asked(peer, task, descriptors, reply);
            }
            MembershipMsg::Fault(peer, fault) => state.on_fault(peer, fault),
            MembershipMsg::Mixed(peer) => state.on_mixed(peer),
            MembershipMsg::Draw(count, tried, reply) => state.on_draw(count, &tried, reply),
            MembershipMsg::Report(reply) => state.on_report(reply),
            MembershipMsg::Wake => state.on_fact(Input::Woke),
        }
        Ok(())
    }
}

impl MembershipState {
    fn on_fact(&mut self, input: Input) {
        if let Input::Connected { peer } = &input
            && self.scores.is_banned(self.clock.now(), peer)
        {
            return self.network.disconnect(*peer);
        }
        let mut outputs = Vec::new();
        self.machine.handle(self.clock.now(), input, &mut outputs);
        self.carry_out(outputs, Tokens::default());
    }

    fn on_announced(&mut self, author: PeerId, announcement: Announcement, verdict: VerdictToken) {
        let now = self.clock.now();
        if self.scores.is_banned(now, &author) {
            return verdict.judge(Verdict::Ignore);
        }
        let mut outputs = Vec::new();
        self.machine.handle(now, Input::Announced { author, via: verdict.via(), announcement }, &mut outputs);
        self.carry_out(outputs, Tokens { verdict: Some(verdict), reply: None });
    }

    fn on_shuffle_asked(&mut self, from: PeerId, task: TaskId, descriptors: Vec<Descriptor>, reply: ReplyToken) {
        if task != self.task {
            let reason = Refusal::OtherTask { ours: self.task };
            return reply.answer(&Response::Refused { reason, retry_after_ms: 600_000 });
        }
        let mut outputs = Vec::new();
        self.machine.handle(self.clock.now(), Input::ShuffleAsked { from, descriptors }, &mut outputs);
        self.carry_out(outputs, Tokens { verdict: None, reply: Some(reply) });
    }

    fn carry_out(&mut self, outputs: Vec<Output>, mut tokens: Tokens) {
        for output in outputs {
            match output {
                Output::Judge(verdict) => tokens.verdict.take().into_iter().for_each(|token| token.judge(verdict)),
                Output::Answer(response) => tokens.reply.take().into_iter().for_each(|token| token.answer(&response)),
                Output::Shuffle { partner, addresses, descriptors } => self.shuffle(partner, addresses, descriptors),
                Output::Announce(announcement) => self.network.publish(*announcement),
                Output::Dial { peer, addresses } => {
                    self.network.dial(peer, addresses.into_iter().map(|address| address.0).collect());
                }
                Output::Discovered { peer, known } => self.events.emit(NodeEvent::PeerDiscovered { peer, known }),
                Output::Expired { peer } => self.events.emit(NodeEvent::PeerExpired { peer }),
                Output::Flooded { author } => self.on_fault(author, Fault::Flood),
                Output::WakeAt(at) => self.set_timer(at),
            }
        }
        let known = self.machine.view().len();
        self.known.send_if_modified(|was| std::mem::replace(was, known) != known);
    }

    /// Asks for a shuffle, in a task of its own that reports back. The machine starts the next one only when its time has
    /// come, and the network bounds how long a question takes.
    fn shuffle(&self, partner: PeerId, addresses: Vec<Address>, descriptors: Vec<Descriptor>) {
        let (network, myself, task) = (self.network.clone(), self.myself.clone(), self.task);
        tokio::spawn(async move {
            if !addresses.is_empty() {
                network.dial(Some(partner), addresses.into_iter().map(|address| address.0).collect());
            }
            let input = match network.request(partner, Request::Shuffle { task, descriptors }).await {
                Ok(Response::Shuffled { descriptors }) => Input::ShuffleAnswered { from: partner, descriptors },
                // Busy, or one that has no view: it is there, and says nothing.
                Ok(_) => Input::ShuffleAnswered { from: partner, descriptors: Vec::new() },
                Err(_) => Input::ShuffleFailed { peer: partner },
            };
            let _ = myself.cast(MembershipMsg::Fact(input, None));
        });
    }

    fn set_timer(&mut self, at: Time) {
        let (wait, myself) = (self.clock.until(at), self.myself.clone());
        let timer = tokio::spawn(async move {
            tokio::time::sleep(wait).await;
            let _ = myself.cast(MembershipMsg::Wake);
        });
        if let Some(old) = self.timer.replace(timer.abort_handle()) {
            old.abort();
        }
    }

    fn on_fault(&mut self, peer: PeerId, fault: Fault) {
        let banned = self.scores.fault(self.clock.now(), peer, fault);
        if fault != Fault::Slow {
            self.events.emit(NodeEvent::Misbehaved { peer, reason: fault.to_string(), banned });
        }
        if banned {
            self.network.ban(peer);
            self.on_fact(Input::Refused { peer });
        }
    }

    fn on_mixed(&mut self, peer: PeerId) {
        // Only peers in the view are counted, so the table is as bounded as the view.
        if self.machine.view().contains_key(&peer) {
            *self.mixed.entry(peer).or_insert(0) += 1;
        }
        if self.mixed.len() > 2 * self.machine.view().len() + 16 {
            let view = self.machine.view();
            self.mixed.retain(|peer, _| view.contains_key(peer));
        }
    }

    fn on_draw(&mut self, count: usize, tried: &[PeerId], reply: RpcReplyPort<Vec<(PeerId, f32)>>) {
        let mut outputs = Vec::new();
        let drawn = self.machine.draw(self.clock.now(), count, tried, &mut outputs);
        self.carry_out(outputs, Tokens::default());
        // Whoever asked may have stopped waiting.
        let _ = reply.send(self.machine.links(&drawn));
    }

    fn on_report(&self, reply: RpcReplyPort<(Vec<PeerReport>, u64)>) {
        let now = self.clock.now();
        let mut peers: Vec<PeerReport> = self
            .machine
            .view()
            .iter()
            .map(|(peer, known)| PeerReport {
                peer: *peer,
                addresses: known.addresses.iter().map(|address| address.0.clone()).collect(),
                connected: known.connected,
                round: known.round,
                age: known.offer.map_or(0, |offer| offer.age),
                samples: known.samples,
                heard: known.heard,
                score: self.scores.score(now, peer),
                mixed: self.mixed.get(peer).copied().unwrap_or(0),
            })
            .collect();
        peers.sort_by_key(|report| (std::cmp::Reverse(report.heard), report.peer));
        let _ = reply.send((peers, self.scores.refused()));
    }
}
