//! Whole nodes: two to eight over memory and loopback, Byzantine peers among them, on real data.

mod access;
mod agreed;
mod byzantine;
mod doubles;
mod numbers;
mod together;

use std::sync::Arc;
use std::time::Duration;

use peerlearn_data::{Dataset, Partition};
use peerlearn_learner::{LearnError, Learner, TrainPlan, TrainReport, build, initial_weights};
use peerlearn_network::{Identity, NetworkConfig};
use peerlearn_protocols::codec::Codec;
use peerlearn_protocols::id::PeerId;
use peerlearn_protocols::params::Layout;
use peerlearn_runtime::clock::Clock;
use peerlearn_runtime::event::EventBus;
use tokio::sync::{broadcast, mpsc};

use super::*;
use crate::ticket::Ticket;

const MEMORY: &str = "/memory/0";
const TCP: &str = "/ip4/127.0.0.1/tcp/0";

/// A quick node on part `part` of eight of the digits, that knows `contacts`.
fn config(listen: &str, part: usize, contacts: Vec<String>) -> NodeConfig {
    let mut config = NodeConfig::default();
    config.network.listen = vec![listen.to_owned()];
    config.network.contacts = contacts;
    config.network.mdns = false;
    config.round.min_interval = Duration::ZERO;
    config.round.evaluate_every = 1;
    config.round.commit_every = Duration::ZERO;
    config.training.steps = 10;
    config.training.seed = part as u64;
    config.data.partition = Some(Partition::Dirichlet(0.5));
    config.data.part = Some(part);
    config
}

async fn spawn(config: NodeConfig) -> Node {
    Node::builder(config).spawn().await.unwrap()
}

async fn first_address(node: &Node) -> Vec<String> {
    node.addresses().await.into_iter().take(1).collect()
}

/// Reads events until `pick` takes one.
async fn next<T>(events: &mut broadcast::Receiver<Stamped>, mut pick: impl FnMut(&NodeEvent) -> Option<T>) -> T {
    loop {
        match events.recv().await {
            Ok(stamped) => {
                if let Some(picked) = pick(&stamped.event) {
                    return picked;
                }
            }
            Err(broadcast::error::RecvError::Lagged(_)) => {}
            Err(broadcast::error::RecvError::Closed) => panic!("the node ended"),
        }
    }
}

/// Waits until a round from `least` on is closed with a model of another peer in it; answers the test accuracy.
async fn mixed_round(events: &mut broadcast::Receiver<Stamped>, least: u64) -> f32 {
    next(events, |event| match event {
        NodeEvent::RoundClosed { round, mixed, test: Some(test), .. } if *round >= least && *mixed > 0 => {
            Some(test.accuracy)
        }
        _ => None,
    })
    .await
}

async fn stop_all(nodes: &[Node]) {
    futures::future::join_all(nodes.iter().map(Node::stop)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_in_a_line_of_first_contacts_know_all_and_mix_with_strangers() {
    let sockets = NetworkConfig::any_port("127.0.0.1");
    for listen in [MEMORY].into_iter().chain(sockets.iter().map(String::as_str)) {
        let (mut nodes, mut streams): (Vec<Node>, Vec<_>) = (Vec::new(), Vec::new());
        for part in 0..8 {
            let contacts = match nodes.last() {
                Some(node) => first_address(node).await,
                None => Vec::new(),
            };
            let node = spawn(config(listen, part, contacts)).await;
            streams.push(node.subscribe());
            nodes.push(node);
        }
        for (index, (node, events)) in nodes.iter().zip(&mut streams).enumerate() {
            while node.status().await.peers.len() < 7 {
                next(events, |event| matches!(event, NodeEvent::PeerDiscovered { .. }).then_some(())).await;
            }
            let mut pulled_from = std::collections::BTreeSet::new();
            // Four draws of four among seven leave out the same three with probability 1/35^3; the wait has no end.
            while pulled_from.len() < 7 {
                let peer = next(events, |event| match event {
                    NodeEvent::Pulled { peer, .. } => Some(*peer),
                    _ => None,
                });
                pulled_from.insert(peer.await);
            }
            let status = node.status().await;
            assert!(status.peers.iter().any(|peer| peer.mixed > 0), "{listen}, peer {index}: {:?}", status.peers);
            assert_eq!(status.refused, 0, "{:?}", status.problems);
        }
        stop_all(&nodes).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lone_peer_trains_on_and_one_that_comes_later_finds_it() {
    let mut alone = config(MEMORY, 0, Vec::new());
    alone.round.join_wait = Duration::from_millis(10);
    let ant = spawn(alone).await;
    let mut events = ant.subscribe();
    let without_peers = next(&mut events, |event| match event {
        NodeEvent::RoundClosed { round, drawn, test, .. } if *round >= 3 => Some((*drawn, test.is_some())),
        _ => None,
    });
    assert_eq!(without_peers.await, (0, true));
    let bat = spawn(config(MEMORY, 1, first_address(&ant).await)).await;
    mixed_round(&mut events, 0).await;
    mixed_round(&mut bat.subscribe(), 1).await;
    stop_all(&[ant, bat]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_joiner_pulls_first_and_is_among_the_others_after_its_second_round() {
    let ant = spawn(config(MEMORY, 0, Vec::new())).await;
    let mut nodes = vec![ant];
    for part in 1..5 {
        nodes.push(spawn(config(MEMORY, part, first_address(&nodes[0]).await)).await);
    }
    let mut events = nodes[0].subscribe();
    let before = mixed_round(&mut events, 60).await;
    assert!(before > 0.85, "{before}");
    let late = spawn(config(MEMORY, 5, first_address(&nodes[0]).await)).await;
    let mut events = late.subscribe();
    mixed_round(&mut events, 2).await;
    let status = late.status().await;
    let age = status.age;
    let accuracy = status.test.unwrap().accuracy;
    let mut others = Vec::new();
    for node in &nodes {
        others.push(node.status().await.test.unwrap().accuracy);
    }
    let mean = others.iter().sum::<f32>() / others.len() as f32;
    assert!(accuracy > mean - 0.02, "{accuracy} of the joiner, {mean} of the others");
    assert!(age > 6400, "ten times what two rounds give: its model has the ancestry of the others: {age}");
    nodes.push(late);
    stop_all(&nodes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_returns_after_a_long_absence_catches_up_and_drags_nobody_back() {
    let directory = tempfile::tempdir().unwrap();
    let ant = spawn(config(MEMORY, 0, Vec::new())).await;
    let mut nodes = vec![ant];
    for part in 1..4 {
        nodes.push(spawn(config(MEMORY, part, first_address(&nodes[0]).await)).await);
    }
    let returning = |contacts| {
        let home = Home::open(directory.path()).unwrap();
        Node::builder(config(MEMORY, 4, contacts)).home(home).spawn()
    };
    let absent = returning(first_address(&nodes[0]).await).await.unwrap();
    let peer = absent.peer();
    mixed_round(&mut absent.subscribe(), 2).await;
    absent.stop().await;
    drop(absent);
    let mut events = nodes[0].subscribe();
    let before = mixed_round(&mut events, 80).await;
    let back = returning(first_address(&nodes[0]).await).await.unwrap();
    assert_eq!(back.peer(), peer);
    let mut back_events = back.subscribe();
    let started = next(&mut back_events, |event| match event {
        NodeEvent::RoundClosed { round, .. } => Some(*round),
        _ => None,
    });
    assert!(started.await < 60, "it counts on from where it was");
    mixed_round(&mut back_events, 0).await;
    let mine = mixed_round(&mut back_events, 0).await;
    // Ten rounds of another peer, with the returned one among those drawn.
    let from = nodes[0].status().await.round;
    let after = mixed_round(&mut events, from + 10).await;
    assert!(after > before - 0.02, "{before} before, {after} after");
    assert!(mine > after - 0.03, "{mine} of the returned one, {after} of the others");
    nodes.push(back);
    stop_all(&nodes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_peer_finds_the_network_with_its_first_contact_gone() {
    let directory = tempfile::tempdir().unwrap();
    let ant = spawn(config(TCP, 0, Vec::new())).await;
    let contact = first_address(&ant).await;
    let bat = spawn(config(TCP, 1, contact.clone())).await;
    let start = |contacts| {
        let home = Home::open(directory.path()).unwrap();
        Node::builder(config(TCP, 2, contacts)).home(home).spawn()
    };
    let cat = start(contact.clone()).await.unwrap();
    let mut events = cat.subscribe();
    // Known with an address, which takes bat's announcement; a connection from it alone gives none.
    while cat.status().await.peers.iter().filter(|peer| peer.address.is_some()).count() < 2 {
        next(&mut events, |_| Some(())).await;
    }
    cat.stop().await;
    drop((cat, events));
    ant.stop().await;
    drop(ant);
    let cat = start(contact).await.unwrap();
    let mut events = cat.subscribe();
    mixed_round(&mut events, 0).await;
    assert!(cat.status().await.peers.iter().any(|peer| peer.peer == bat.peer() && peer.connected));
    stop_all(&[bat, cat]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_leads_to_its_node_and_one_of_another_task_is_refused() {
    let ant = spawn(config(TCP, 0, Vec::new())).await;
    let ticket = Ticket::new(ant.peer(), &ant.addresses().await, ant.task().document()).to_string();
    let bat = spawn(config(MEMORY, 1, vec![ticket.clone()])).await;
    mixed_round(&mut bat.subscribe(), 1).await;
    let mut other = config(TCP, 1, vec![ticket]);
    other.task.network = "elsewhere".to_owned();
    let error = Node::builder(other.clone()).spawn().await.err().unwrap().to_string();
    assert!(error.contains("elsewhere") && error.contains(&ant.task().id().short()), "{error}");
    // With the bare address it is the peers that refuse each other, and say so.
    other.network.contacts = first_address(&ant).await;
    let stranger = spawn(other).await;
    let reason = next(&mut stranger.subscribe(), |event| match event {
        NodeEvent::PeerRefused { reason, .. } => Some(reason.clone()),
        _ => None,
    })
    .await;
    let (ours, theirs) = (stranger.task().id().short(), ant.task().id().short());
    assert!(reason.contains(&ours) && reason.contains(&theirs), "{reason}");
    stop_all(&[ant, bat, stranger]).await;
}

/// Trains only when let.
struct Slow {
    inner: Box<dyn Learner>,
    begun: mpsc::Sender<()>,
    go: std::sync::mpsc::Receiver<()>,
}

impl Learner for Slow {
    fn layout(&self) -> &Layout {
        self.inner.layout()
    }

    fn read(&self, out: &mut [f32]) {
        self.inner.read(out);
    }

    fn write(&mut self, params: &[f32]) -> Result<(), LearnError> {
        self.inner.write(params)
    }

    fn train(&mut self, data: &Dataset, plan: &TrainPlan<'_>) -> Result<TrainReport, LearnError> {
        self.begun.blocking_send(()).unwrap();
        self.go.recv().unwrap();
        self.inner.train(data, plan)
    }

    fn evaluate(&mut self, data: &Dataset) -> Result<Evaluation, LearnError> {
        self.inner.evaluate(data)
    }

    fn predict(&mut self, features: &[f32]) -> Result<Vec<f32>, LearnError> {
        self.inner.predict(features)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn status_is_answered_while_the_learner_trains_and_the_old_model_is_served() {
    let (begun, mut started) = mpsc::channel(1);
    let (go, gate) = std::sync::mpsc::sync_channel(1);
    let gate = std::sync::Mutex::new(Some(gate));
    let mut slow = config(MEMORY, 0, Vec::new());
    slow.round.join_wait = Duration::from_millis(1);
    let family = slow.task.model.clone();
    let learner = move || -> Result<Box<dyn Learner>, LearnError> {
        let inner = build(&family, &[1, 8, 8], 10)?;
        // The first one built only tells its layout.
        static BUILT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        if BUILT.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 0 {
            return Ok(inner);
        }
        let go = gate.lock().unwrap().take().unwrap();
        Ok(Box::new(Slow { inner, begun: begun.clone(), go }))
    };
    let node = Node::builder(slow).learner("mlp:64,32", Arc::new(learner)).spawn().await.unwrap();
    started.recv().await.unwrap();
    // The learner may begin a moment before the status says so.
    while node.status().await.phase != Phase::Training {
        tokio::task::yield_now().await;
    }
    go.send(()).unwrap();
    started.recv().await.unwrap();
    let bat = spawn(config(MEMORY, 1, first_address(&node).await)).await;
    // The slow node is in its second training and stays there; the other one pulls what the first gave.
    mixed_round(&mut bat.subscribe(), 1).await;
    assert_eq!(node.status().await.round, 1);
    drop(go);
    stop_all(&[node, bat]).await;
}

/// Waits for the end of the last round. No event says it: the last one comes before.
async fn finished(node: &Node) {
    while node.status().await.phase != Phase::Finished {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_goes_on_from_the_committed_round_and_another_task_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let home = || Home::open(directory.path()).unwrap();
    let mut alone = config(MEMORY, 0, Vec::new());
    alone.round.join_wait = Duration::from_millis(1);
    alone.round.rounds = 5;
    let node = Node::builder(alone.clone()).home(home()).spawn().await.unwrap();
    finished(&node).await;
    let before = node.snapshot();
    node.stop().await;
    drop(node);
    let node = Node::builder(alone.clone()).home(home()).spawn().await.unwrap();
    let status = node.status().await;
    assert_eq!((status.round, status.committed_round, status.age), (5, Some(5), before.age));
    assert_eq!(node.snapshot(), before);
    node.stop().await;
    drop(node);
    alone.task.network = "elsewhere".to_owned();
    let error = Node::builder(alone).home(home()).spawn().await.err().unwrap().to_string();
    assert!(error.contains("--home"), "{error}");
}

#[tokio::test]
async fn edges_come_from_a_file_or_the_node_says_what_is_wrong_with_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("edges.txt");
    let node = |path: &std::path::Path| {
        let mut config = config(MEMORY, 0, Vec::new());
        config.membership.sampling = format!("edges:{}", path.display()).parse().unwrap();
        Node::builder(config).spawn()
    };
    let error = node(&path).await.err().unwrap().to_string();
    assert!(error.contains("membership.sampling") && error.contains("edges.txt"), "{error}");
    std::fs::write(&path, "0 1\n1 one\n").unwrap();
    let error = node(&path).await.err().unwrap().to_string();
    assert!(error.contains("edges.txt, line 2") && error.contains("one"), "{error}");
    std::fs::write(&path, "0 1\n1 2\n").unwrap();
    node(&path).await.unwrap().stop().await;
}
