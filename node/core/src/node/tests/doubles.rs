//! Two nodes on copies of one home: both notice, and say so in status.

use std::fs;
use std::path::Path;

use peerlearn_protocols::membership::Contact;
use peerlearn_protocols::wire::Address;

use super::*;
use crate::registry::Home;

/// Starts a node in a home.
async fn in_home(home: &Path, part: usize, contacts: Vec<String>) -> Node {
    Node::builder(config(TCP, part, contacts)).home(Home::open(home).unwrap()).spawn().await.unwrap()
}

/// A home with a key, and a copy of it as people make one.
fn copies(directory: &Path) -> [std::path::PathBuf; 2] {
    let homes = ["one", "other"].map(|name| directory.join(name));
    let home = Home::open(&homes[0]).unwrap();
    home.identity().unwrap();
    home.count_start().unwrap();
    fs::create_dir(&homes[1]).unwrap();
    for name in ["identity.key", "identity.pub", "starts"] {
        fs::copy(homes[0].join(name), homes[1].join(name)).unwrap();
    }
    homes
}

/// Waits until a node has a problem with these words.
async fn problem(node: &Node, words: &str) {
    while !node.status().await.problems.iter().any(|problem| problem.contains(words)) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_that_dial_each_other_are_told_at_both_ends() {
    let directory = tempfile::tempdir().unwrap();
    let homes = copies(directory.path());
    let one = in_home(&homes[0], 0, Vec::new()).await;
    // An address without the peer at its end: as people type it.
    let address = first_address(&one).await.remove(0);
    let address = address.split("/p2p/").next().unwrap().to_owned();
    let other = in_home(&homes[1], 1, vec![address.clone()]).await;
    assert_eq!(one.peer(), other.peer());
    problem(&other, &format!("another node answers at {address} with the key of this one")).await;
    problem(&one, "another node has connected from").await;
    stop_all(&[one, other]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_dials_itself_sees_no_other() {
    let directory = tempfile::tempdir().unwrap();
    let node = in_home(directory.path(), 0, Vec::new()).await;
    let mut events = node.subscribe();
    let own = first_address(&node).await.remove(0);
    let address = own.split("/p2p/").next().unwrap().to_owned();
    node.contact(Contact { peer: None, addresses: vec![Address(address)] });
    // Its own ticket names it.
    node.contact(Contact { peer: Some(node.peer()), addresses: vec![Address(own)] });
    problem(&node, "names this very node").await;
    let bat = spawn(config(TCP, 1, first_address(&node).await)).await;
    mixed_round(&mut events, 2).await;
    let problems = node.status().await.problems;
    assert!(!problems.iter().any(|problem| problem.contains("another node")), "{problems:?}");
    stop_all(&[node, bat]).await;
}
