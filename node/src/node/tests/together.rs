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
