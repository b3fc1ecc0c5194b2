//! What only many nodes together show: views, estimates, mass and meetings.

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
fn key(number: usize) -> Keypair {
    Keypair::ed25519_from_bytes([number as u8 + 1; 32]).unwrap()
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
        let mut events = node.subscribe();
        while node.status().await.phase != crate::status::Phase::Finished {
            next(&mut events, |_| Some(())).await;
        }
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
