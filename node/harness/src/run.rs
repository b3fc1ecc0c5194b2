//! Runs a demo.

use std::time::Instant;

use peerlearn::network::NetworkConfig;
use peerlearn::{Node, NodeConfig, NodeEvent, Stamped};
use tokio::sync::{mpsc, watch};

use super::outcome::Facts;
use super::plan::Slices;
use super::{Board, DemoError, DemoPlan, LoadMeter, Outcome, Output, Running, baseline, name};

/// Events of all nodes that may wait; beyond that the forwarders wait, and each node's own backlog takes the rest.
const WAITING: usize = 1024;

/// How a demo ended.
#[derive(Debug)]
pub enum Ending {
    /// All rounds were closed or the accuracy was reached; the baselines are in.
    Finished {
        /// What came of it.
        outcome: Box<Outcome>,
        /// The peers as they were last, with their curves.
        board: Board,
    },
    /// It was interrupted.
    Interrupted,
}

/// What happens in a demo.
#[derive(Debug)]
pub enum Progress<'a> {
    /// The data were read: what the readers made of them, and what somebody should know, one sentence each.
    Data {
        /// The sentences.
        said: &'a [String],
    },
    /// Something happened in a node.
    Event(&'a Board, &'a Stamped),
    /// Peers are done; now the same model is trained without them, so many times.
    Baselines {
        /// Models trained: one for each peer alone, one for all rows pooled.
        models: usize,
    },
}

/// Runs a demo to its end, or until `stop` becomes true. `watch` sees what happens.
///
/// # Errors
/// Any [`DemoError`].
pub async fn run(
    plan: &DemoPlan,
    mut stop: watch::Receiver<bool>,
    mut watch: impl FnMut(Progress<'_>),
) -> Result<Ending, DemoError> {
    let slices = plan.slices()?;
    let said = [slices.pooled.understood.as_slice(), &slices.pooled.notes].concat();
    watch(Progress::Data { said: &said });
    let mut output = plan.out.as_deref().map(Output::create).transpose()?;
    let (wall, cpu) = (Instant::now(), LoadMeter::start());
    let (sender, mut events) = mpsc::channel::<(usize, Stamped)>(WAITING);
    let mut nodes: Vec<Running> = Vec::with_capacity(plan.peers);
    let mut board = Board::default();
    for (index, slice) in slices.each.iter().enumerate() {
        let contact = match nodes.last() {
            Some(running) => running.node().addresses().await.into_iter().take(1).collect(),
            None => Vec::new(),
        };
        let config = node_config(plan, contact, index);
        let running = Running::start(Node::builder(config).data(slice.clone()), index, sender.clone()).await?;
        board.add(running.node().peer(), name(index));
        nodes.push(running);
    }
    drop(sender);
    let interrupted = loop {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => break true,
            event = events.recv() => {
                let Some((_, stamped)) = event else { break true };
                board.fold(&stamped);
                output.iter_mut().try_for_each(|output| output.event(&stamped))?;
                watch(Progress::Event(&board, &stamped));
                if matches!(stamped.event, NodeEvent::RoundClosed { .. }) && is_done(plan, &board) {
                    break false;
                }
            }
        }
    };
    let (seconds, cpu_seconds) = (wall.elapsed().as_secs_f64(), cpu.load().cpu_s);
    let ids: Vec<String> = nodes.iter().map(|running| running.node().peer().to_string()).collect();
    futures::future::join_all(nodes.iter().map(Running::stop)).await;
    if interrupted {
        return Ok(Ending::Interrupted);
    }
    watch(Progress::Baselines { models: slices.each.len() + 1 });
    let outcome = finish(plan, slices, &board, ids, seconds, cpu_seconds).await?;
    output.map(|output| output.finish(&board, &outcome)).transpose()?;
    Ok(Ending::Finished { outcome: Box::new(outcome), board })
}

/// The settings of one node: on loopback, without mDNS, knowing one contact at most.
fn node_config(plan: &DemoPlan, contacts: Vec<String>, index: usize) -> NodeConfig {
    let mut config = plan.config.clone();
    config.network.listen = NetworkConfig::any_port("127.0.0.1");
    config.network.contacts = contacts;
    config.network.mdns = false;
    config.round.rounds = plan.rounds;
    config.training.seed = plan.seed.wrapping_mul(1_000_003).wrapping_add(index as u64);
    config
}

fn is_done(plan: &DemoPlan, board: &Board) -> bool {
    let reached = plan.until_accuracy.is_some_and(|least| board.worst().is_some_and(|worst| worst >= least));
    reached || board.least_round() >= plan.rounds
}

async fn finish(
    plan: &DemoPlan,
    slices: Slices,
    board: &Board,
    ids: Vec<String>,
    seconds: f64,
    cpu_seconds: f64,
) -> Result<Outcome, DemoError> {
    let rounds = board.least_round();
    let about = slices.each.iter().zip(ids).map(|(slice, id)| {
        let classes = slice.train.class_counts().into_iter().filter(|count| *count > 0).count();
        (id, slice.train.len(), classes)
    });
    let mut facts = Facts {
        seconds,
        cpu_seconds,
        baseline_seconds: 0.0,
        test_rows: slices.pooled.test.as_ref().map_or(0, peerlearn::data::Dataset::len),
        model: plan.config.task.model.to_string(),
        partition: plan.partition.to_string(),
        seed: plan.seed,
        peers: about.collect(),
    };
    let (config, wall) = (plan.config.clone(), Instant::now());
    let work = tokio::task::spawn_blocking(move || baseline::of_slices(&config, &slices, rounds));
    let baselines = match work.await {
        Ok(baselines) => baselines?,
        Err(error) => return Err(DemoError::Failed { name: "baseline".to_owned(), reason: error.to_string() }),
    };
    facts.baseline_seconds = wall.elapsed().as_secs_f64();
    Ok(Outcome::new(board, &baselines, facts))
}
