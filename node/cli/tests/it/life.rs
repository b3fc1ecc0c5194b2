//! Nodes as processes: they find each other, die, return, are asked and stopped.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::process::{Running, peerlearn, status, succeed, ticket};

const PART: [&str; 2] = ["--set", "data.partition=dirichlet:0.5"];

fn join(directory: &Path, home: &str, ticket: &str, part: &str) -> Running {
    let mut command = peerlearn(directory);
    command.args(["join", ticket, "--home", home]).args(super::process::QUICK).args(PART).args(["--set", part]);
    Running::start(command)
}

/// Asks for the status until `wanted` holds. Every question waits for a round that was closed after the last.
fn until(node: &mut Running, directory: &Path, home: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    loop {
        node.wait_for("round ");
        let status = status(directory, home);
        if wanted(&status) {
            return status;
        }
    }
}

fn known(status: &Value) -> usize {
    status["peers"].as_array().unwrap().len()
}

fn mixed(status: &Value) -> u64 {
    status["peers"].as_array().unwrap().iter().map(|peer| peer["mixed"].as_u64().unwrap()).sum()
}

#[test]
fn three_nodes_learn_together_one_dies_a_fourth_comes_and_the_first_goes_for_good() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let mut ant = Running::node(path, "ant", &[PART.as_slice(), &["--set", "data.part=0"]].concat());
    ant.wait_for("others join with");
    let invitation = ticket(path, "ant");
    let mut bat = join(path, "bat", &invitation, "data.part=1");
    let mut cat = join(path, "cat", &invitation, "data.part=2");
    for (node, home) in [(&mut ant, "ant"), (&mut bat, "bat"), (&mut cat, "cat")] {
        // One who joins mixes before its first round.
        let is_learning =
            |status: &Value| known(status) == 2 && mixed(status) > 0 && status["round"].as_u64() > Some(0);
        let status = until(node, path, home, is_learning);
        assert!(status["bytes_in"].as_u64() > Some(0), "{status}");
    }
    // Whoever dies before its address book is on disk needs its ticket again.
    let book = path.join("bat/book.json");
    let in_book = || fs::read_to_string(&book).map_or(0, |text| text.matches("\"peer\"").count());
    let before = until(&mut bat, path, "bat", |_| in_book() == 2);
    bat.kill();
    let mut bat = Running::node(path, "bat", &[PART.as_slice(), &["--set", "data.part=1"]].concat());
    // Started without a ticket: the address book leads back.
    let after = until(&mut bat, path, "bat", |status| known(status) == 2 && mixed(status) > 0);
    assert_eq!(after["peer"], before["peer"]);
    assert!(after["round"].as_u64() >= before["committed_round"].as_u64(), "{before} {after}");
    let mut dog = join(path, "dog", &ticket(path, "cat"), "data.part=3");
    until(&mut dog, path, "dog", |status| known(status) == 3 && mixed(status) > 0);
    let gone = status(path, "ant")["peer"].clone();
    succeed(path, &["stop", "--home", "ant"]);
    assert!(ant.wait().success());
    let left = until(&mut dog, path, "dog", |status| {
        status["peers"].as_array().unwrap().iter().all(|peer| peer["peer"] != gone || peer["connected"] == false)
    });
    let round = left["round"].as_u64().unwrap();
    until(&mut dog, path, "dog", |status| status["round"].as_u64() > Some(round + 3) && mixed(status) > mixed(&left));
    // A node that runs takes a ticket, too.
    succeed(path, &["join", &ticket(path, "cat"), "--home", "dog"]);
    for (node, home) in [(&mut bat, "bat"), (&mut cat, "cat"), (&mut dog, "dog")] {
        node.signal("-INT");
        assert!(node.wait().success(), "{home}: {}", node.drain().join("\n"));
    }
}

#[test]
fn what_was_learnt_can_be_measured_and_taken_elsewhere() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let mut node = Running::node(path, "ant", &["--set", "round.rounds=20"]);
    node.wait_for("round 20:");
    let page = succeed(path, &["status", "--home", "ant"]);
    for word in ["peer", "task", "round", "accuracy", "traffic", "peers"] {
        assert!(page.contains(word), "{page}");
    }
    let code = succeed(path, &["ticket", "--qr", "--home", "ant"]);
    assert!(code.lines().count() > 20 && code.contains('█'), "{code}");
    node.signal("-TERM");
    assert!(node.wait().success());
    let measured: Value = serde_json::from_str(&succeed(path, &["eval", "--json", "--home", "ant"])).unwrap();
    assert_eq!(measured["round"], 20);
    let accuracy = measured["test"]["accuracy"].as_f64().unwrap();
    assert!(accuracy > 0.7, "{measured}");
    assert!(succeed(path, &["eval", "--home", "ant"]).contains("shared test"));
    succeed(path, &["export", "model", "--home", "ant"]);
    let manifest: Value = serde_json::from_str(&fs::read_to_string(path.join("model/manifest.json")).unwrap()).unwrap();
    assert_eq!(manifest["round"], 20);
    assert!((manifest["accuracy"].as_f64().unwrap() - accuracy).abs() < 1e-6, "{manifest}");
    let bytes = fs::read(path.join("model/model.safetensors")).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let parameters: usize = tensors.tensors().iter().map(|(_, tensor)| tensor.shape().iter().product::<usize>()).sum();
    assert_eq!(parameters, 64 * 64 + 64 + 64 * 32 + 32 + 32 * 10 + 10);
}

#[test]
fn a_disk_that_takes_nothing_more_is_told_and_training_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    // No file may grow beyond 4 KiB: an identity fits, a checkpoint does not. The system answers as on a full disk,
    // with another word.
    let mut command = Command::new("sh");
    let script = "trap '' XFSZ; ulimit -f 8; exec \"$0\" \"$@\"";
    command.args(["-c", script, super::process::BINARY, "run", "--home", "ant"]).args(super::process::QUICK);
    command.current_dir(path);
    let mut node = Running::start(command);
    let line = node.wait_for("state not written");
    assert!(line.contains("checkpoint.safetensors") && line.contains("memory"), "{line}");
    node.wait_for("round 5:");
    let status = status(path, "ant");
    assert!(status["problems"][0].as_str().unwrap().contains("checkpoint"), "{status}");
    assert_eq!(status["committed_round"], Value::Null);
    node.signal("-INT");
    assert!(node.wait().success());
}

#[test]
fn a_data_file_that_changes_is_told_and_the_rows_stay() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let mut text = String::from("a,b,label\n");
    (0..40).for_each(|n| text.push_str(&format!("{},{},{}\n", n, 40 - n, n % 2)));
    fs::write(path.join("rows.csv"), &text).unwrap();
    let mut node = Running::node(path, "ant", &["--set", "data.source=rows.csv", "--set", "task.model=linear"]);
    node.wait_for("round 1:");
    fs::write(path.join("rows.csv"), text + "1,2,0\n").unwrap();
    let line = node.wait_for("warning:");
    assert!(line.contains("rows.csv") && line.contains("goes on"), "{line}");
    node.wait_for("round ");
}

#[test]
fn a_node_whose_control_socket_cannot_be_opened_says_so_and_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let home = "a".repeat(120);
    // Not the node's to remove.
    fs::create_dir_all(path.join(&home).join("control.sock/taken")).unwrap();
    let mut node = Running::node(path, &home, &[]);
    let line = node.wait_for("control socket");
    assert!(line.contains(&home) && !line.contains('\u{1b}'), "{line}");
    node.wait_for("round 5:");
    node.signal("-INT");
    assert!(node.wait().success());
}
