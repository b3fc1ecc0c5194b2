//! The run of one seed with real nodes.

use std::collections::BTreeSet;
use std::time::Duration;

use peerlearn::event::{NodeEvent, Stamped};
use peerlearn_protocols::id::PeerId;
use rand::SeedableRng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::links::LinkBook;
use super::{Ending, RunError};
use crate::fleet::{Fleet, key};
use crate::member::{MemberCommand, MemberReport, MemberSpec, Sketch, disagreement, peer_of};
use crate::record::{EventFold, FaultRow, PeerRow, Row, SeedWriter};
use crate::scenario::{Act, Partitioned, Plan, Step};

/// How often the whole network is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Longest wait for one more node to say that it is up. Containers on a busy machine take their time.
const HELLO: Duration = Duration::from_secs(60);
/// Most nodes that start at a time: beyond that they only wait for each other.
const STARTING: usize = 8;
/// After the last round: time for models that are on their way, and for the last sketches.
const SETTLE: Duration = Duration::from_millis(600);

/// Things that nodes tell that may wait.
pub const TOLD: usize = 4096;

/// A peer as the runner sees it.
struct Standing {
    id: PeerId,
    life: u32,
    wiped: bool,
    up: bool,
    frozen: bool,
    addresses: Vec<String>,
    sketch: Option<Sketch>,
    rounds: u64,
}

/// Runs a plan with the nodes of a fleet until it is over, or `stop` becomes true. `watch` sees every row.
///
/// # Errors
/// A node could not be started or handled, or nothing can be written any more. All nodes have ended then.
pub async fn run_real<F: Fleet>(
    plan: &Plan,
    partitioned: &Partitioned,
    fleet: &mut F,
    told: mpsc::Receiver<(usize, MemberReport)>,
    writer: &mut SeedWriter,
    stop: watch::Receiver<bool>,
    watch: &mut dyn FnMut(&Row),
) -> Result<Ending, RunError> {
    let mut run = Run::new(plan, fleet, writer, watch);
    let ending = run.through(partitioned, told, stop).await;
    run.fleet.end().await;
    ending
}

struct Run<'a, F> {
    plan: &'a Plan,
    fleet: &'a mut F,
    writer: &'a mut SeedWriter,
    watch: &'a mut dyn FnMut(&Row),
    began: Instant,
    peers: Vec<Standing>,
    links: LinkBook,
    fold: EventFold,
    rng: ChaCha8Rng,
    failed: Option<String>,
    /// Whether everybody is there and trains.
    has_begun: bool,
}

impl<'a, F: Fleet> Run<'a, F> {
    fn new(plan: &'a Plan, fleet: &'a mut F, writer: &'a mut SeedWriter, watch: &'a mut dyn FnMut(&Row)) -> Self {
        let standing = |peer: &crate::scenario::PeerPlan| Standing {
            id: peer_of(&key(plan.seed, &peer.name, 0)),
            life: 0,
            wiped: false,
            up: false,
            frozen: false,
            addresses: Vec::new(),
            sketch: None,
            rounds: 0,
        };
        let peers: Vec<Standing> = plan.peers.iter().map(standing).collect();
        let names = peers.iter().zip(&plan.peers).map(|(standing, peer)| (standing.id, peer.name.clone())).collect();
        Self {
            plan,
            fleet,
            writer,
            watch,
            began: Instant::now(),
            peers,
            links: LinkBook::new(plan),
            fold: EventFold::new(names),
            rng: ChaCha8Rng::seed_from_u64(plan.seed),
            failed: None,
            has_begun: false,
        }
    }

    async fn through(
        &mut self,
        partitioned: &Partitioned,
        mut told: mpsc::Receiver<(usize, MemberReport)>,
        mut stop: watch::Receiver<bool>,
    ) -> Result<Ending, RunError> {
        self.introduce(partitioned)?;
        if !self.gather(&mut told, &mut stop).await? {
            return Ok(Ending::Interrupted);
        }
        let mut steps = self.plan.steps.iter().peekable();
        let mut looks = tokio::time::interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let limit = self.began + self.plan.scenario.time_limit.0;
        let mut over: Option<(Instant, String)> = None;
        loop {
            let next = steps.peek().map_or(limit, |step| (self.began + step.at).min(limit));
            tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => return Ok(Ending::Interrupted),
                () = tokio::time::sleep_until(next) => match steps.next_if(|step| self.began + step.at <= Instant::now()) {
                    Some(step) => self.carry_out(step).await?,
                    None => return Ok(Ending::TimedOut),
                },
                _ = looks.tick() => {
                    self.look()?;
                    if let Some((since, words)) = &over && since.elapsed() >= SETTLE {
                        return Ok(Ending::Finished(words.clone()));
                    }
                    if over.is_none() && steps.peek().is_none() {
                        over = self.is_over().map(|words| (Instant::now(), words));
                    }
                }
                news = told.recv() => match news {
                    Some((peer, news)) => self.take(peer, news)?,
                    None => return Ok(Ending::Interrupted),
                },
            }
            if let Some(reason) = self.failed.take() {
                return Err(RunError::Driver { driver: "of real nodes", reason });
            }
        }
    }

    /// Starts everybody who is there from the start: one first, then twice as many each time, so that all but the first
    /// have somebody to dial. They train when the last one is up: a container takes a second or more to start, a round
    /// less. False when somebody stopped the run.
    async fn gather(
        &mut self,
        told: &mut mpsc::Receiver<(usize, MemberReport)>,
        stop: &mut watch::Receiver<bool>,
    ) -> Result<bool, RunError> {
        let first: Vec<usize> = (0..self.peers.len()).filter(|&peer| !self.is_late(peer)).collect();
        let (mut rest, mut size) = (&first[..], 1);
        while !rest.is_empty() {
            let (wave, later) = rest.split_at(rest.len().min(size));
            for &peer in wave {
                self.start(peer).await?;
            }
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return Ok(false),
                heard = self.hear_hello(wave, told) => heard?,
            }
            (rest, size) = (later, (2 * size).min(STARTING));
        }
        // The time starts when everybody is there, as in the simulator.
        self.began = Instant::now();
        self.has_begun = true;
        for peer in first {
            self.fleet.order(peer, MemberCommand::Begin).await;
        }
        Ok(true)
    }

    fn write(&mut self, row: Row) -> Result<(), RunError> {
        (self.watch)(&row);
        Ok(self.writer.write(row)?)
    }

    fn now_ms(&self) -> u64 {
        self.began.elapsed().as_millis() as u64
    }

    fn introduce(&mut self, partitioned: &Partitioned) -> Result<(), RunError> {
        for (index, (peer, rows)) in self.plan.peers.iter().zip(&partitioned.parts).enumerate() {
            let row = PeerRow {
                peer: self.peers[index].id.to_string(),
                name: peer.name.clone(),
                group: peer.group.clone(),
                attack: peer.attack.map(|attack| attack.to_string()),
                rows: rows.train.len() as u64,
                classes: rows.train.class_counts().into_iter().map(|count| count as u64).collect(),
            };
            self.write(Row::Peer(row))?;
        }
        let late = (0..self.peers.len()).filter(|&peer| self.is_late(peer));
        let late: Vec<String> = late.map(|peer| self.plan.peers[peer].name.clone()).collect();
        if !late.is_empty() {
            let words = format!("{} are not there yet", late.len());
            self.write(Row::Fault(FaultRow { t_ms: 0, kind: "absent".to_owned(), names: late, words }))?;
        }
        Ok(())
    }

    fn is_late(&self, peer: usize) -> bool {
        !self.plan.peers[peer].joins_at.is_zero()
    }

    async fn start(&mut self, peer: usize) -> Result<(), RunError> {
        let plan = &self.plan.peers[peer];
        let mut config = plan.config.clone();
        config.network.listen = self.fleet.listen();
        // A contact or two among those who are there; a peer with a disk also has its address book.
        let is_there = |other: &usize| {
            let standing = &self.peers[*other];
            standing.up && !standing.addresses.is_empty() && *other != peer
        };
        let known: Vec<usize> = (0..self.peers.len()).filter(is_there).collect();
        let chosen = known.sample(&mut self.rng, 2);
        config.network.contacts = chosen.filter_map(|&other| self.peers[other].addresses.first().cloned()).collect();
        let ids = self.ids();
        let spec = MemberSpec {
            name: plan.name.clone(),
            config,
            key: key(self.plan.seed, &plan.name, self.peers[peer].life),
            home: Some(self.fleet.home(peer)),
            rows: None,
            attack: plan.attack.map(|attack| attack.to_string()),
            links: self.links.table(peer, &ids),
            waits: !self.has_begun,
            netem: false,
        };
        self.fleet.start(peer, spec).await?;
        self.peers[peer].up = true;
        self.peers[peer].frozen = false;
        Ok(())
    }

    fn ids(&self) -> Vec<PeerId> {
        self.peers.iter().map(|peer| peer.id).collect()
    }

    /// Waits until nodes are up, so that the next ones have somebody to dial.
    async fn hear_hello(
        &mut self,
        wave: &[usize],
        told: &mut mpsc::Receiver<(usize, MemberReport)>,
    ) -> Result<(), RunError> {
        let mut missing: BTreeSet<usize> = wave.iter().copied().collect();
        let mut deadline = Instant::now() + HELLO;
        while let Some(&first) = missing.first() {
            let news = tokio::time::timeout_at(deadline, told.recv()).await;
            let Ok(Some((from, news))) = news else {
                let reason = format!("{} did not say that it is up", self.plan.peers[first].name);
                return Err(RunError::Driver { driver: "of real nodes", reason });
            };
            let is_hello = matches!(news, MemberReport::Hello { .. });
            self.take(from, news)?;
            if let Some(reason) = self.failed.take() {
                return Err(RunError::Driver { driver: "of real nodes", reason });
            }
            if is_hello && missing.remove(&from) {
                deadline = Instant::now() + HELLO;
            }
        }
        Ok(())
    }

    fn take(&mut self, peer: usize, news: MemberReport) -> Result<(), RunError> {
        let (at_ms, node) = (self.now_ms(), self.peers[peer].id);
        match news {
            MemberReport::Hello { addresses, round, .. } => {
                self.peers[peer].addresses = addresses;
                self.peers[peer].rounds = round;
            }
            MemberReport::Sampled { sketch } => self.peers[peer].sketch = Some(sketch),
            MemberReport::Failed { reason } => self.failed = Some(format!("{}: {reason}", self.plan.peers[peer].name)),
            MemberReport::Happened { event } => {
                if let NodeEvent::RoundClosed { round, .. } = &event {
                    self.peers[peer].rounds = *round;
                }
                for row in self.fold.rows(at_ms, &Stamped { at_ms, node, event }) {
                    self.write(row)?;
                }
            }
        }
        Ok(())
    }

    async fn carry_out(&mut self, step: &Step) -> Result<(), RunError> {
        let mut words = step.words.clone();
        let mut relink = false;
        for act in &step.acts {
            relink |= self.links.take(act);
            match *act {
                Act::Join(peer) | Act::Return(peer) => {
                    if std::mem::take(&mut self.peers[peer].wiped) {
                        self.begin_anew(peer);
                        relink = true;
                    }
                    self.start(peer).await?;
                }
                Act::Crash(peer) => {
                    self.is_gone(peer);
                    self.fleet.kill(peer).await?;
                }
                Act::Leave(peer) => {
                    self.is_gone(peer);
                    self.fleet.order(peer, MemberCommand::Leave).await;
                }
                Act::Wipe(peer) => self.wipe(peer)?,
                Act::Freeze(peer) | Act::Thaw(peer) => {
                    let frozen = matches!(act, Act::Freeze(_));
                    self.peers[peer].frozen = frozen;
                    self.fleet.freeze(peer, frozen).await?;
                }
                Act::Move(peer) => self.fleet.relocate(peer).await?,
                Act::Clock(peer, rate, jump) => {
                    self.fleet.order(peer, MemberCommand::Clock { rate, jump_ms: jump.as_millis() as u64 }).await;
                }
                Act::Disk(peer, full) => {
                    if !self.fleet.fill_disk(peer, full).await? {
                        words = format!("{words} (not done: it is down, or this driver has no disks of its own)");
                    }
                }
                Act::Pieces(_) | Act::Block(..) | Act::Link(..) => {}
            }
        }
        if relink {
            self.tell_links().await;
        }
        let names = step.peers.iter().map(|&peer| self.plan.peers[peer].name.clone()).collect();
        self.write(Row::Fault(FaultRow { t_ms: self.now_ms(), kind: step.kind.to_owned(), names, words }))
    }

    fn is_gone(&mut self, peer: usize) {
        let standing = &mut self.peers[peer];
        standing.up = false;
        standing.sketch = None;
        // Nobody is to be sent to a place where it is no more.
        standing.addresses.clear();
    }

    /// Who comes back with an empty disk is somebody else to the others.
    fn begin_anew(&mut self, peer: usize) {
        let standing = &mut self.peers[peer];
        standing.life += 1;
        standing.rounds = 0;
        standing.id = peer_of(&key(self.plan.seed, &self.plan.peers[peer].name, standing.life));
        self.fold.name(standing.id, self.plan.peers[peer].name.clone());
    }

    fn wipe(&mut self, peer: usize) -> Result<(), RunError> {
        let path = self.fleet.disk(peer);
        self.peers[peer].wiped = true;
        let wiped = std::fs::remove_dir_all(&path).and_then(|()| std::fs::create_dir_all(&path));
        wiped.map_err(|source| RunError::File { action: "wipe", path, source })
    }

    async fn tell_links(&mut self) {
        let ids = self.ids();
        for peer in (0..self.peers.len()).filter(|&peer| self.peers[peer].up).collect::<Vec<_>>() {
            let table = self.links.table(peer, &ids);
            self.fleet.order(peer, MemberCommand::Links { table }).await;
        }
    }

    /// Honest peers that are up and awake.
    fn awake(&self) -> impl Iterator<Item = usize> + Clone + '_ {
        let peers = self.peers.iter().enumerate().zip(&self.plan.peers);
        let counts = peers.filter(|((_, standing), plan)| standing.up && !standing.frozen && plan.attack.is_none());
        counts.map(|((index, _), _)| index)
    }

    fn look(&mut self) -> Result<(), RunError> {
        let mut row = self.writer.standings().network(self.now_ms());
        row.disagreement = disagreement(self.awake().filter_map(|peer| self.peers[peer].sketch.as_ref()));
        let load = self.fleet.load();
        (row.cpu_s, row.rss_mb) = (load.cpu_s, load.rss_mb);
        self.write(Row::Network(row))
    }

    /// Whether all that was to be done is done, in words.
    fn is_over(&self) -> Option<String> {
        if let Some(until) = self.plan.scenario.until_accuracy {
            let standings = self.writer.standings().network(0);
            let reached = standings.worst.is_some_and(|worst| worst >= until);
            if reached {
                return Some(format!("the worst peer reached {:.1} %", until * 100.0));
            }
        }
        let rounds = self.plan.scenario.rounds;
        let done = self.awake().all(|peer| self.peers[peer].rounds >= rounds) && self.awake().next().is_some();
        done.then(|| format!("every honest peer that is up closed {rounds} rounds"))
    }
}
