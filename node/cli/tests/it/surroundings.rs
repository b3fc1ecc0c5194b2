//! What surrounds a program: variables that are no text, a terminal that is closed, commands typed too early, a copied home.

use std::ffi::OsStr;
use std::fs;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::process::Stdio;

use super::process::{QUICK, Running, fail, peerlearn, status, succeed, ticket};

#[test]
fn variables_of_others_may_hold_anything_and_own_ones_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let no_text = OsStr::from_bytes(b"\xff\xfe");
    let mut command = peerlearn(directory.path());
    let evaluated = command.args(["eval", "--home", "ant"]).env("SOMEBODY_ELSES", no_text).output().unwrap();
    let errors = String::from_utf8_lossy(&evaluated.stderr).into_owned();
    assert!(!errors.contains("panicked") && errors.contains("ant"), "{errors}");
    let mut command = peerlearn(directory.path());
    let evaluated = command.arg("eval").env("PEERLEARN_TRAINING__STEPS", no_text).output().unwrap();
    let errors = String::from_utf8_lossy(&evaluated.stderr).into_owned();
    assert_eq!(evaluated.status.code(), Some(3), "{errors}");
    assert!(errors.contains("PEERLEARN_TRAINING__STEPS") && errors.contains("UTF-8"), "{errors}");
}

/// Whoever read standard error goes away, as when a terminal is closed; the node goes on.
#[test]
fn a_node_outlives_the_reader_of_its_words() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let mut command = peerlearn(path);
    command.args(["run", "--home", "ant"]).args(QUICK);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = [0; 1];
    child.stderr.as_mut().unwrap().read_exact(&mut first).unwrap();
    drop(child.stderr.take());
    let before = status(path, "ant")["round"].as_u64().unwrap();
    while status(path, "ant")["round"].as_u64().unwrap() < before + 5 {
        assert!(child.try_wait().unwrap().is_none(), "it ended with its reader");
    }
    succeed(path, &["stop", "--home", "ant"]);
    assert!(child.wait().unwrap().success());
}

/// `run &` and `ticket` as they are typed, one after the other; and `stop` answers when the node has ended.
#[test]
fn a_ticket_waits_for_its_node_and_stop_for_its_end() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let mut ant = Running::node(path, "ant", &[]);
    let invitation = ticket(path, "ant");
    assert!(invitation.starts_with("peerlearn2"), "{invitation}");
    succeed(path, &["stop", "--home", "ant"]);
    assert!(fail(path, &["status", "--home", "ant"], 7).contains("no node is running"));
    assert!(ant.wait().success());
    let error = fail(path, &["ticket", "--home", "ant"], 7);
    assert!(error.contains("no node runs in ant yet"), "{error}");
}

#[test]
fn an_empty_ticket_is_none_and_an_address_of_nobody_is_said() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    assert!(fail(path, &["join", "", "--home", "ant"], 5).contains("neither a ticket"));
    let mut command = peerlearn(path);
    command.args(["join", "/ip4/127.0.0.1/tcp/1", "--home", "ant"]).args(QUICK);
    let mut ant = Running::start(command);
    // An address alone says nothing of what is learnt there, so the node waits until somebody tells.
    ant.wait_for("cannot reach /ip4/127.0.0.1/tcp/1 yet");
    ant.kill();
    let mut command = peerlearn(path);
    command.args(["join", "/ip4/127.0.0.1/tcp/1", "--home", "ant", "--task", "digits"]).args(QUICK);
    let mut ant = Running::start(command);
    ant.wait_for("nobody can be reached yet: /ip4/127.0.0.1/tcp/1");
    let shown = succeed(path, &["status", "--home", "ant"]);
    assert!(shown.contains("nobody can be reached yet"), "{shown}");
}

/// A home that was copied: both copies are one peer to all others, which nobody wants.
#[test]
fn a_copied_home_is_noticed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let mut ant = Running::node(path, "ant", &["--task", "digits"]);
    ant.wait_for("round 1:");
    succeed(path, &["stop", "--home", "ant"]);
    ant.wait();
    fs::create_dir(path.join("copy")).unwrap();
    for entry in fs::read_dir(path.join("ant")).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            fs::copy(entry.path(), path.join("copy").join(entry.file_name())).unwrap();
        }
    }
    // Two others: what one of them hears from a copy, the other passes on to the first.
    let mut bat = Running::node(path, "bat", &["--task", "digits"]);
    bat.wait_for("others join with");
    let invitation = ticket(path, "bat");
    let join = |home: &str| {
        let mut command = peerlearn(path);
        command.args(["join", &invitation, "--home", home]).args(QUICK).args(["--set", "membership.announce_every=1s"]);
        let mut node = Running::start(command);
        node.wait_for("others join with");
        node
    };
    let _others = [join("cat"), join("dog"), join("ant"), join("copy")];
    let heard = |home: &str| {
        let status = status(path, home);
        let problems = status["problems"].as_array().unwrap();
        problems.iter().any(|problem| problem.as_str().unwrap().contains("another node speaks under this identity"))
    };
    // Every question is a process of its own, so this does not spin.
    while !heard("ant") && !heard("copy") {}
}
