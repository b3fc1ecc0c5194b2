//! Every parser of settings and names: what it takes, it prints so that it reads the same again.
#![no_main]

use std::fmt::{Debug, Display};
use std::str::FromStr;

use libfuzzer_sys::fuzz_target;
use peerlearn_protocols::codec::Codec;
use peerlearn_protocols::id::PeerId;
use peerlearn_protocols::mixing::Rule;
use peerlearn_protocols::sampling::{EdgeList, Graph, Prefix, Sampling, Topology};

fuzz_target!(|text: &str| {
    again::<Rule>(text);
    again::<Codec>(text);
    again::<PeerId>(text);
    again::<Sampling>(text);
    again::<Topology>(text);
    if let Some(graph) = again::<Graph>(text) {
        walk(&graph);
    }
    if let Ok(edges) = EdgeList::parse("edges", text) {
        walk(&Graph::Edges(edges));
    }
    let prefix = Prefix::of_multiaddr(text);
    assert_eq!(prefix.is_public(), prefix != Prefix::Local);
});

fn again<T: FromStr + Display + Debug + PartialEq>(text: &str) -> Option<T> {
    let value: T = text.parse().ok()?;
    let printed = value.to_string();
    assert_eq!(printed.parse().ok().as_ref(), Some(&value), "{text:?} printed as {printed:?}");
    Some(value)
}

/// Neighbours are ranks of the network, and no own weight is negative.
fn walk(graph: &Graph) {
    for n in [0, 1, 2, 5, 12] {
        for (rank, round) in [(0, 0), (1, 1), (n / 2, 3), (n, u64::MAX)] {
            let neighbours = graph.neighbours(rank, n, round);
            assert!(neighbours.iter().all(|&other| other < n && other != rank), "{graph}: {neighbours:?}");
            let weights: f64 = graph.weights(rank, n, round).iter().map(|(_, weight)| weight).sum();
            assert!((0.0..=1.0 + 1e-9).contains(&weights), "{graph}: {weights}");
        }
    }
}
