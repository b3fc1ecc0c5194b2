//! Who may join: invitations, consent, and those who have neither.

use std::path::Path;

use serde_json::Value;

use super::process::{QUICK, Running, fail, output, peerlearn, status, succeed, ticket};

/// A task for the built-in digits, and its owner's node.
fn owner(path: &Path, join: &str) -> Running {
    succeed(path, &["new", "--join", join, "--name", "ward", "--home", "ant"]);
    let mut ant = Running::node(path, "ant", &["--task", "task.toml", "--name", "geneva"]);
    ant.wait_for("others join with");
    ant
}

fn join(path: &Path, home: &str, ticket: &str) -> Running {
    let mut command = peerlearn(path);
    command.args(["join", ticket, "--home", home, "--name", home, "--yes"]).args(QUICK);
    Running::start(command)
}

fn members(path: &Path, home: &str) -> Value {
    serde_json::from_str(&succeed(path, &["members", "--json", "--home", home])).unwrap()
}

fn names(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|seen| seen["name"].as_str().unwrap()).collect()
}

#[test]
fn an_invitation_lets_one_in_and_others_are_told_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let mut ant = owner(path, "invited");
    let told = output(path, &["ticket", "--home", "ant"]);
    let told = String::from_utf8(told.stderr).unwrap();
    assert!(told.contains("by invitation") && told.contains("peerlearn invite"), "{told}");
    let invitation = succeed(path, &["invite", "--name", "Basel", "--home", "ant"]).trim().to_owned();
    let mut basel = join(path, "basel", &invitation);
    basel.wait_for("joins as basel (");
    basel.wait_for("found peer geneva (");
    basel.wait_for("mixed 1 of 1");
    let own = status(path, "basel");
    assert_eq!(own["peers"][0]["name"], "geneva", "{own}");
    assert!(succeed(path, &["status", "--home", "ant"]).contains("basel  connected"));

    // A plain ticket, and an invitation that somebody has used.
    for (home, ticket, words) in
        [("eve", ticket(path, "ant"), "no membership was shown"), ("mallory", invitation, "is used up, by basel (")]
    {
        let mut stranger = join(path, home, &ticket);
        let line = stranger.wait_for("not let in: ");
        assert!(line.contains(words) && line.contains("peerlearn invite"), "{line}");
        assert!(ant.wait_for("refused peer ").contains(words));
        stranger.wait_for("round ");
        assert_eq!(status(path, home)["peers"], Value::Array(Vec::new()));
        // One that runs already takes an invitation, too.
        if home == "eve" {
            let invitation = succeed(path, &["invite", "--name", "Eve", "--home", "ant"]).trim().to_owned();
            succeed(path, &["join", &invitation, "--home", "eve"]);
            stranger.wait_for("found peer geneva (");
        }
    }
    let seen = members(path, "ant");
    assert_eq!((names(&seen["members"]), names(&seen["refused"])), (vec!["basel", "eve"], vec!["mallory"]), "{seen}");
    let page = succeed(path, &["members", "--home", "ant"]);
    for words in ["this node is geneva (", "an owner", "invitation Basel", "members seen: 2", "refused: 1", "used up"] {
        assert!(page.contains(words), "{words}: {page}");
    }
    assert!(status(path, "ant")["problems"].to_string().contains("now by mallory ("));
    let error = fail(path, &["invite", "--home", "basel"], 5);
    assert!(error.contains("only an owner"), "{error}");
    // It goes on by what its home keeps.
    succeed(path, &["stop", "--home", "basel"]);
    assert!(basel.wait().success());
    let mut basel = Running::node(path, "basel", &[]);
    basel.wait_for("mixed 1 of ");
}

#[test]
fn a_newcomer_waits_until_an_owner_lets_it_in() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let mut ant = owner(path, "approved");
    let mut bern = join(path, "bern", &ticket(path, "ant"));
    bern.wait_for("asks to be let in as bern (");
    let line = ant.wait_for("asks to be let in");
    assert!(line.starts_with("bern (") && line.contains("peerlearn members allow "), "{line}");
    assert!(bern.wait_for("not let in: ").contains("asks again"));
    assert_eq!(names(&members(path, "ant")["pending"]), ["bern"]);
    assert!(fail(path, &["members", "allow", "nobody", "--home", "ant"], 5).contains("nobody called"));
    assert!(fail(path, &["members", "allow", "bern", "--home", "bern"], 5).contains("only an owner"));
    succeed(path, &["members", "allow", "bern", "--home", "ant"]);
    bern.wait_for("mixed 1 of 1");
    assert_eq!(names(&members(path, "ant")["members"]), ["bern"]);
}

#[test]
fn an_open_task_asks_nobody() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let _ant = owner(path, "open");
    assert!(fail(path, &["invite", "--home", "ant"], 5).contains("ticket is enough"));
    assert!(succeed(path, &["members", "--home", "ant"]).contains("this task is open"));
    assert_eq!(output(path, &["ticket", "--home", "ant"]).stderr, b"");
    for wrong in [["--for", "soon"], ["--for", "0d"], ["--uses", "many"]] {
        fail(path, &[&["invite", "--home", "ant"], wrong.as_slice()].concat(), 2);
    }
}
