//! What only many nodes together show: views, estimates, mass and pairwise sessions.

use std::collections::BTreeSet;

use super::*;
use crate::protocols::sampling::{Sampling, Topology};

/// Nodes on loopback TCP, each with the address of the one before.
async fn line(count: usize, change: impl Fn(usize, &mut NodeConfig)) -> (Vec<Node>, Vec<broadcast::Receiver<Stamped>>) {
    let (mut nodes, mut streams): (Vec<Node>, Vec<_>) = (Vec::new(), Vec::new());
    for part in 0..count {
        let contacts = match nodes.last() {
            Some(node) => first_address(node).await,
            None => Vec::new(),
        };
        let mut config = config(TCP, part % 8, contacts);
        change(part, &mut config);
        let node = spawn(config).await;
        streams.push(node.subscribe());
        nodes.push(node);
    }
    (nodes, streams)
}

#[tokio::test(flavor = "multi_thread")]
async fn twelve_with_views_of_four_mix_with_more_than_they_know_at_a_time() {
    let (nodes, mut streams) = line(12, |_, config| {
        config.membership.sampling = Topology::Ready(Sampling::View { size: 4 });
        config.membership.shuffle_every = Duration::from_millis(250);
        config.round.min_interval = Duration::from_millis(100);
    })
    .await;
    let mut least = f32::INFINITY;
    for (node, events) in nodes.iter().zip(&mut streams) {
        let mut pulled_from = BTreeSet::new();
        // More than a view holds; who is in it changes with every shuffle, and the wait has no end.
        while pulled_from.len() < 6 {
            let peer = next(events, |event| match event {
                NodeEvent::Pulled { peer, .. } => Some(*peer),
                NodeEvent::PeerDiscovered { known, .. } => {
                    assert!(*known <= 4);
                    None
                }
                _ => None,
            });
            pulled_from.insert(peer.await);
            assert!(node.status().await.peers.len() <= 4);
        }
        least = least.min(mixed_round(events, 60).await);
    }
    assert!(least > 0.8, "the worst peer has {least}");
    for node in &nodes {
        let status = node.status().await;
        assert_eq!(status.refused, 0, "{:?}", status.problems);
    }
    stop_all(&nodes).await;
}

/// A key that is the same in every run, and with it the draws of size sketches.
fn key(number: usize) -> Identity {
    Identity::from_secret([number as u8 + 1; 32])
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_estimate_that_they_are_eight_and_see_their_models_come_together() {
    let (mut nodes, mut streams): (Vec<Node>, Vec<_>) = (Vec::new(), Vec::new());
    for part in 0..8 {
        let contacts = match nodes.first() {
            Some(node) => first_address(node).await,
            None => Vec::new(),
        };
        let mut config = config(MEMORY, part, contacts);
        config.round.estimate_every = Duration::ZERO;
        // Different data at first pull the models apart; then the step size falls and lets them come together.
        config.training.decay_rounds = 5.0;
        let node = Node::builder(config).identity(key(part)).spawn().await.unwrap();
        streams.push(node.subscribe());
        nodes.push(node);
    }
    for (node, events) in nodes.iter().zip(&mut streams) {
        let (mut most, mut rounds) = (0.0f64, 0);
        loop {
            let estimate = next(events, |event| match event {
                NodeEvent::Estimated { estimate } => Some(*estimate),
                _ => None,
            });
            let estimate = estimate.await;
            rounds += 1;
            let disagreement = estimate.disagreement.unwrap_or(0.0);
            most = most.max(disagreement);
            // The sketch of 64 values is 13 % off on average; three times that, once everyone has been met often.
            let counted = estimate.peers.is_some_and(|peers| (peers - 8.0).abs() < 3.0 * 0.13 * 8.0);
            if rounds > 80 && counted && disagreement < most / 2.0 {
                break;
            }
            assert!(rounds < 5000, "{estimate:?}, at most {most}");
        }
        let status = node.status().await;
        assert!(status.estimate.peers.is_some() && status.estimate.relative.is_some(), "{:?}", status.estimate);
    }
    stop_all(&nodes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mass_outlives_a_restart_and_is_neither_made_nor_lost() {
    let directory = tempfile::tempdir().unwrap();
    let push_sum = |part, contacts| {
        let mut config = config(MEMORY, part, contacts);
        config.mixing.rule = "push-sum".parse().unwrap();
        config.round.rounds = 30;
        config
    };
    let ant = spawn(push_sum(0, Vec::new())).await;
    let contact = first_address(&ant).await;
    let bat = spawn(push_sum(1, contact.clone())).await;
    let start = |contacts| {
        let home = Home::open(directory.path()).unwrap();
        Node::builder(push_sum(2, contacts)).home(home).spawn()
    };
    let cat = start(contact.clone()).await.unwrap();
    let mut nodes = vec![ant, bat, cat];
    for node in &nodes {
        finished(node).await;
    }
    let mut masses = Vec::new();
    for node in &nodes {
        masses.push(node.status().await.mass.unwrap());
    }
    let held: f64 = masses.iter().sum();
    // What is not held was granted in the last round of somebody who did not wait for it.
    assert!(held <= 3.0 && held > 1.0, "{masses:?}");
    assert!(masses.iter().any(|mass| *mass != 1.0), "{masses:?}");
    let cat = nodes.pop().unwrap();
    cat.stop().await;
    drop(cat);
    let cat = start(contact).await.unwrap();
    assert_eq!(cat.status().await.mass, Some(masses[2]));
    nodes.push(cat);
    stop_all(&nodes).await;
}

/// Learns nothing but a number of its own, once, when it is let.
struct Once {
    inner: Box<dyn Learner>,
    offset: f32,
    go: Arc<std::sync::atomic::AtomicBool>,
    done: bool,
}

impl Learner for Once {
    fn layout(&self) -> &Layout {
        self.inner.layout()
    }

    fn read(&self, out: &mut [f32]) {
        self.inner.read(out);
    }

    fn write(&mut self, params: &[f32]) -> Result<(), LearnError> {
        self.inner.write(params)
    }

    fn train(&mut self, _: &Dataset, _: &TrainPlan<'_>) -> Result<TrainReport, LearnError> {
        if self.go.load(std::sync::atomic::Ordering::SeqCst) && !std::mem::replace(&mut self.done, true) {
            let mut params = vec![0.0; self.layout().len()];
            self.read(&mut params);
            params.iter_mut().for_each(|value| *value += self.offset);
            self.write(&params)?;
        }
        Ok(TrainReport { steps: 1, samples: 10, loss: 0.0 })
    }

    fn evaluate(&mut self, data: &Dataset) -> Result<Evaluation, LearnError> {
        self.inner.evaluate(data)
    }

    fn predict(&mut self, features: &[f32]) -> Result<Vec<f32>, LearnError> {
        self.inner.predict(features)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pairs_keep_the_sum_of_all_models_and_bring_them_together() {
    let go = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let (mut nodes, mut streams): (Vec<Node>, Vec<_>) = (Vec::new(), Vec::new());
    for part in 0..4 {
        let contacts = match nodes.first() {
            Some(node) => first_address(node).await,
            None => Vec::new(),
        };
        let mut config = config(MEMORY, part, contacts);
        config.mixing.rule = "pair".parse().unwrap();
        // Whoever joins pulls the same weights that it has, but for the rounding of a coarser codec.
        config.exchange.codec = Codec::F32;
        config.training.control_variate = 0.0;
        config.round.rounds = 200;
        config.round.evaluate_every = 1000;
        config.round.min_interval = Duration::from_millis(20);
        let (family, go) = (config.task.model.clone(), Arc::clone(&go));
        let learner = move || -> Result<Box<dyn Learner>, LearnError> {
            let inner = build(&family, &[1, 8, 8], 10)?;
            Ok(Box::new(Once { inner, offset: part as f32, go: Arc::clone(&go), done: false }))
        };
        let node = Node::builder(config).learner("mlp:64,32", Arc::new(learner)).spawn().await.unwrap();
        streams.push(node.subscribe());
        nodes.push(node);
    }
    for events in &mut streams {
        next(events, |event| match event {
            NodeEvent::RoundClosed { round, mixed, .. } => (*round > 3 && *mixed > 0).then_some(()),
            _ => None,
        })
        .await;
    }
    let start = nodes[0].snapshot().params.clone();
    go.store(true, std::sync::atomic::Ordering::SeqCst);
    for node in &nodes {
        finished(node).await;
    }
    let mut models = Vec::new();
    for node in &nodes {
        models.push(node.snapshot().params.clone());
    }
    for (index, start) in start.iter().enumerate() {
        let sum: f64 = models.iter().map(|model| f64::from(model[index])).sum();
        let want = 4.0 * f64::from(*start) + 6.0;
        // A few hundred additions of numbers up to 4 in f32.
        assert!((sum - want).abs() < 1e-3, "parameter {index}: {sum}, {want} before");
    }
    let apart = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    let farthest = models.iter().map(|model| apart(&models[0], model)).fold(0.0, f32::max);
    assert!(farthest < 0.3, "they began 1 to 3 apart: {farthest}");
    stop_all(&nodes).await;
}
