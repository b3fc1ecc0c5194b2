//! The run of one seed in the simulator: virtual time, the same tables.

use std::sync::Arc;
use std::time::Duration;

use peerlearn::NodeConfig;
use peerlearn_protocols::dataset::Dataset;
use peerlearn_protocols::recipe::{Recipe, measure_every};
use peerlearn_protocols::round::RoundConfig;
use peerlearn_protocols::time::Time;
use peerlearn_sim::world::{Change, Link, PeerStart, Recorded, SimEvent, World, WorldConfig};
use peerlearn_sim::{Model, disagreement, measure};
use tokio::sync::watch;

use super::links::LinkBook;
use super::{Ending, RunError};
use crate::record::{FaultRow, LinkRow, MixRow, PeerRow, RoundRow, Row, SeedWriter};
use crate::scenario::{Act, LinkSetup, Partitioned, PeerPlan, Plan, Step};
use crate::simulation;

/// How often the whole network is looked at, in virtual time.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Everybody is there within this time, as nodes are when the clock of a real run starts.
const START_WITHIN: Duration = Duration::from_millis(10);
/// Delay and uplink where the scenario says nothing: loopback.
const LOOPBACK: (Duration, Duration) = (Duration::from_micros(200), Duration::from_micros(500));
const UPLINK: f64 = 1e9;

/// Runs a plan in the simulator until it is over, or `stop` becomes true. `watch` sees every row.
///
/// # Errors
/// The scenario asks for what cannot be simulated, or nothing can be written any more.
pub fn run_simulated(
    plan: &Plan,
    partitioned: &Partitioned,
    writer: &mut SeedWriter,
    stop: &watch::Receiver<bool>,
    watch: &mut dyn FnMut(&Row),
) -> Result<Ending, RunError> {
    check(plan)?;
    let model = model(plan, partitioned)?;
    let links = LinkBook::new(plan);
    let initial = model.initial(plan.seed);
    let peers = plan.peers.iter().zip(&partitioned.parts).zip(recipes(plan));
    let starts = peers.enumerate().map(|(index, ((peer, rows), recipe))| PeerStart {
        recipe: Some(recipe),
        // Who is slow trains longer; the pauses are those of all.
        round: Some(RoundConfig { min_interval: plan.scenario.pace.0, ..peer.config.round.machine() }),
        attack: peer.attack,
        joins_at: (!peer.joins_at.is_zero()).then_some(Time::ZERO + peer.joins_at),
        train_time: Some(train_time(plan, peer)),
        link: Some(link(&links.setup(index))),
        ..simulation::peer(&peer.config, rows, initial.clone())
    });
    let mut world = World::new(&*model, world_config(plan)?, starts.collect())?;
    world.record(true);
    let tests = partitioned.parts.iter().map(|part| part.test.clone()).collect();
    let owns = partitioned.parts.iter().map(|part| part.validation.clone()).collect();
    let every = partitioned.parts.iter().zip(&plan.peers).map(|(part, peer)| {
        let measured: usize = [&part.validation, &part.test].into_iter().flatten().map(Dataset::len).sum();
        let training = &peer.config.training;
        measure_every(peer.config.round.evaluate_every, measured, u64::from(training.steps) * training.batch as u64)
    });
    let every = every.collect();
    let mut run = Run { plan, model: &*model, world, links, tests, owns, every, writer, watch };
    run.introduce(partitioned)?;
    run.through(stop)
}

struct Run<'a> {
    plan: &'a Plan,
    model: &'a dyn Model,
    world: World<'a>,
    links: LinkBook,
    tests: Vec<Option<Dataset>>,
    owns: Vec<Option<Dataset>>,
    /// Rounds from one measurement to the next.
    every: Vec<u64>,
    writer: &'a mut SeedWriter,
    watch: &'a mut dyn FnMut(&Row),
}

impl Run<'_> {
    fn through(&mut self, stop: &watch::Receiver<bool>) -> Result<Ending, RunError> {
        let (limit, mut next_look) = (Time::ZERO + self.plan.scenario.time_limit.0, Time::ZERO);
        let grain = (self.plan.scenario.pace.0 / 2).max(Duration::from_millis(5));
        let mut steps = self.plan.steps.iter().peekable();
        while self.world.now() < limit {
            if *stop.borrow() {
                return Ok(Ending::Interrupted);
            }
            let step = steps.peek().map_or(limit, |step| Time::ZERO + step.at);
            let now = (self.world.now() + grain).min(step).min(limit);
            self.world.run_until(now);
            self.take_in()?;
            while let Some(step) = steps.next_if(|step| Time::ZERO + step.at <= now) {
                self.carry_out(step)?;
            }
            if now >= next_look {
                next_look = now + LOOK_EVERY;
                self.look()?;
            }
            if steps.peek().is_none()
                && let Some(words) = self.is_over()
            {
                self.look()?;
                return Ok(Ending::Finished(words));
            }
        }
        Ok(Ending::TimedOut)
    }

    fn write(&mut self, row: Row) -> Result<(), RunError> {
        (self.watch)(&row);
        Ok(self.writer.write(row)?)
    }

    fn name(&self, peer: usize) -> String {
        self.plan.peers[peer].name.clone()
    }

    fn now_ms(&self) -> u64 {
        self.world.now().0 / 1000
    }

    fn introduce(&mut self, partitioned: &Partitioned) -> Result<(), RunError> {
        let mut late = Vec::new();
        for (index, (peer, rows)) in self.plan.peers.iter().zip(&partitioned.parts).enumerate() {
            let row = PeerRow {
                peer: peerlearn_sim::world::peer_id(index as u32).to_string(),
                name: peer.name.clone(),
                group: peer.group.clone(),
                attack: peer.attack.map(|attack| attack.to_string()),
                rows: rows.train.len() as u64,
                classes: rows.train.class_counts().into_iter().map(|count| count as u64).collect(),
            };
            self.write(Row::Peer(row))?;
            late.extend((!peer.joins_at.is_zero()).then(|| peer.name.clone()));
        }
        if !late.is_empty() {
            let words = format!("{} are not there yet", late.len());
            self.write(Row::Fault(FaultRow { t_ms: 0, kind: "absent".to_owned(), names: late, words }))?;
        }
        Ok(())
    }

    /// Writes what happened since the last time.
    fn take_in(&mut self) -> Result<(), RunError> {
        for Recorded { at, peer, what } in self.world.drain() {
            let (t_ms, name) = (at.0 / 1000, self.name(peer));
            let row = match what {
                SimEvent::Estimated(_) => continue,
                SimEvent::Pulled { from, bytes, took } => Row::Mix(MixRow {
                    t_ms,
                    name,
                    round: self.world.stats(peer).rounds,
                    from: self.name(from),
                    bytes,
                    ms: took.as_millis() as u64,
                }),
                SimEvent::Connected { other } => Row::Link(LinkRow { t_ms, name, other: self.name(other), up: true }),
                SimEvent::Disconnected { other } => {
                    Row::Link(LinkRow { t_ms, name, other: self.name(other), up: false })
                }
                SimEvent::RoundClosed { round, drawn, mixed, refused, age } => {
                    let stats = self.world.stats(peer);
                    let is_measured = round.is_multiple_of(self.every[peer]) || round >= self.plan.scenario.rounds;
                    let measured = |rows: &Option<Dataset>| {
                        let rows = rows.as_ref().filter(|_| is_measured)?;
                        Some(measure(self.model, self.world.answer(peer), rows))
                    };
                    let [own, test] = [&self.owns[peer], &self.tests[peer]].map(measured);
                    Row::Round(RoundRow {
                        t_ms,
                        name,
                        round,
                        drawn: drawn as u64,
                        mixed: mixed as u64,
                        refused: refused as u64,
                        age,
                        own_accuracy: own.map(|own| own.accuracy),
                        own_loss: None,
                        test_accuracy: test.map(|test| test.accuracy),
                        test_loss: None,
                        bytes_in: stats.bytes_in,
                        bytes_out: stats.bytes_out,
                        cpu_s: 0.0,
                        own_balanced: own.map(|own| own.balanced),
                        test_balanced: test.map(|test| test.balanced),
                    })
                }
            };
            self.write(row)?;
        }
        Ok(())
    }

    fn carry_out(&mut self, step: &Step) -> Result<(), RunError> {
        for act in &step.acts {
            self.links.take(act);
            match *act {
                // The simulator was told when it comes.
                Act::Join(_) => {}
                Act::Crash(peer) => self.world.change(peer, Change::Kill),
                Act::Leave(peer) => self.world.change(peer, Change::Leave),
                Act::Wipe(_) => {}
                Act::Return(peer) => {
                    let change = if self.was_wiped(peer, step) { Change::ReturnEmpty } else { Change::Return };
                    self.world.change(peer, change);
                }
                Act::Freeze(peer) => self.world.change(peer, Change::Freeze),
                Act::Thaw(peer) => self.world.change(peer, Change::Thaw),
                Act::Move(peer) => self.world.change(peer, Change::MoveAddress),
                // A clock that goes twice as fast takes its pauses in half the time; timeouts are not simulated by
                // peer.
                Act::Clock(peer, rate, _) => self.world.change(peer, Change::Slow(1.0 / rate)),
                Act::Disk(peer, full) => self.world.change(peer, Change::Disk { full }),
                Act::Pieces(ref pieces) => self.world.pieces(pieces.clone()),
                Act::Block(from, to, blocked) => self.world.block(from, to, blocked),
                Act::Link(peer, _) => {
                    let link = link(&self.links.setup(peer));
                    self.world.change(peer, Change::Link(Some(link)));
                }
            }
        }
        let names = step.peers.iter().map(|&peer| self.name(peer)).collect();
        let (kind, words) = (step.kind.to_owned(), step.words.clone());
        self.write(Row::Fault(FaultRow { t_ms: self.now_ms(), kind, names, words }))
    }

    /// Whether the disk of a peer that comes back now was lost since it was last there.
    fn was_wiped(&self, peer: usize, now: &Step) -> bool {
        let before = self.plan.steps.iter().take_while(|step| !std::ptr::eq(*step, now));
        let acts = before.flat_map(|step| &step.acts);
        acts.fold(false, |wiped, act| match act {
            Act::Wipe(lost) if *lost == peer => true,
            Act::Return(back) if *back == peer => false,
            _ => wiped,
        })
    }

    /// Honest peers that are there and awake.
    fn awake(&self) -> impl Iterator<Item = usize> + Clone + '_ {
        self.plan.honest().filter(|&peer| {
            let stats = self.world.stats(peer);
            stats.there && !stats.frozen
        })
    }

    fn look(&mut self) -> Result<(), RunError> {
        let mut row = self.writer.standings().network(self.now_ms());
        let models = self.awake().map(|peer| self.world.params(peer));
        row.disagreement = models.clone().next().map(|_| disagreement(models));
        self.write(Row::Network(row))
    }

    fn is_over(&self) -> Option<String> {
        if let Some(until) = self.plan.scenario.until_accuracy {
            let worst = self.writer.standings().network(0).worst;
            if worst.is_some_and(|worst| worst >= until) {
                return Some(format!("the worst peer reached {:.1} %", until * 100.0));
            }
        }
        let rounds = self.plan.scenario.rounds;
        let done = self.awake().all(|peer| self.world.stats(peer).rounds >= rounds) && self.awake().next().is_some();
        done.then(|| format!("every honest peer that is up closed {rounds} rounds"))
    }
}

/// What the simulator takes for all peers alike has to be alike, and what it has not is refused.
fn check(plan: &Plan) -> Result<(), RunError> {
    let refuse = |reason: String| Err(RunError::Driver { driver: "sim", reason });
    let shared = |config: &NodeConfig| (config.task.clone(), config.membership.clone(), config.network.request_timeout);
    let Some(first) = plan.peers.first() else { return refuse("there is nobody".to_owned()) };
    if let Some(other) = plan.peers.iter().find(|peer| shared(&peer.config) != shared(&first.config)) {
        return refuse(format!(
            "task, membership and network.request_timeout are the same for all in the simulator; {} differs from {}",
            other.name, first.name
        ));
    }
    Ok(())
}

/// The recipe of every peer, one for all that have the same.
fn recipes(plan: &Plan) -> Vec<Arc<Recipe>> {
    let mut known: Vec<Arc<Recipe>> = Vec::new();
    let mut own = |peer: &PeerPlan| {
        let recipe = peer.config.recipe();
        let number = known.iter().position(|held| **held == recipe).unwrap_or_else(|| {
            known.push(Arc::new(recipe));
            known.len() - 1
        });
        Arc::clone(&known[number])
    };
    plan.peers.iter().map(&mut own).collect()
}

fn model(plan: &Plan, partitioned: &Partitioned) -> Result<Box<dyn Model>, RunError> {
    let refuse = |reason: String| RunError::Driver { driver: "sim", reason };
    let (Some(peer), Some(part)) = (plan.peers.first(), partitioned.parts.first()) else {
        return Err(refuse("there is nobody".to_owned()));
    };
    simulation::model(&peer.config.task.model, &part.train).map_err(|error| refuse(error.to_string()))
}

/// Virtual time of a round's training: a fifth of a round, or most of it for slow peers, whose pauses are no longer.
fn train_time(plan: &Plan, peer: &PeerPlan) -> Duration {
    let pace = plan.scenario.pace.0;
    if peer.slow > 1.0 { pace.mul_f64(peer.slow) } else { (pace / 5).max(Duration::from_millis(1)) }
}

fn link(setup: &LinkSetup) -> Link {
    let delay = setup.delay.map_or(LOOPBACK, |(least, most)| (least.0, most.0));
    let delay = (delay.0.max(LOOPBACK.0), delay.1.max(LOOPBACK.1));
    Link { delay, loss: setup.loss.unwrap_or(0.0), uplink: setup.rate.map_or(UPLINK, |rate| rate.0 as f64) }
}

fn world_config(plan: &Plan) -> Result<WorldConfig, RunError> {
    let refuse = |reason: String| RunError::Driver { driver: "sim", reason };
    let first = plan.peers.first().ok_or_else(|| refuse("there is nobody".to_owned()))?;
    Ok(WorldConfig {
        link: link(&plan.scenario.links),
        start_within: START_WITHIN,
        ..simulation::world(&first.config, plan.seed).map_err(|error| refuse(error.to_string()))?
    })
}
