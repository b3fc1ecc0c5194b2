//! What `doctor` and `peers` say: without a node, with two of them, and with contacts that cannot be reached.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::Value;

use super::process::{Running, fail, output, peerlearn, status, succeed, ticket};

/// What `doctor --json` found, and its exit code.
fn doctor(directory: &Path, home: &str) -> (Value, i32) {
    let output = output(directory, &["doctor", "--json", "--home", home]);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    let found = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {errors}"));
    (found, output.status.code().unwrap())
}

/// The findings of this kind about something.
fn about<'a>(found: &'a Value, severity: &str, about: &str) -> Vec<&'a str> {
    let all = found["findings"].as_array().unwrap().iter();
    let wanted = all.filter(|finding| finding["severity"] == severity && finding["about"] == about);
    wanted.map(|finding| finding["found"].as_str().unwrap()).collect()
}

#[test]
fn without_a_node_the_machine_the_home_and_the_settings_are_looked_at() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let (found, code) = doctor(path, "ant");
    assert_eq!((found["running"].clone(), found["faults"].clone(), code), (false.into(), 0.into(), 0), "{found}");
    assert!(about(&found, "note", "node")[0].contains("no node runs in ant"), "{found}");
    assert!(about(&found, "note", "home")[0].contains("no ant yet"), "{found}");
    assert!(!path.join("ant").exists(), "looking makes nothing");
    let page = succeed(path, &["doctor", "--home", "ant"]);
    for word in ["node", "home", "disk", "memory", "files", "clock", "settings", "0 faults"] {
        assert!(page.contains(word), "{page}");
    }
    fail(path, &["peers", "--home", "ant"], 7);
    // A wrong setting, a name that nobody has, and a key that is none.
    fs::write(path.join("peerlearn.toml"), "[network]\ncontacts = [\"/dns4/no-such-name.invalid/tcp/1\"]\n").unwrap();
    fs::create_dir(path.join("ant")).unwrap();
    fs::write(path.join("ant/identity.key"), "short").unwrap();
    fs::set_permissions(path.join("ant/identity.key"), PermissionsExt::from_mode(0o600)).unwrap();
    let (found, code) = doctor(path, "ant");
    assert_eq!(code, 1, "{found}");
    assert!(about(&found, "fault", "contact")[0].contains("no-such-name.invalid"), "{found}");
    assert!(about(&found, "fault", "identity")[0].contains("identity.key"), "{found}");
    fs::write(path.join("peerlearn.toml"), "[network]\nmax_connections = 1\n").unwrap();
    let (found, _) = doctor(path, "ant");
    assert!(about(&found, "fault", "settings")[0].contains("network.max_connections"), "{found}");
}

#[test]
fn two_nodes_tell_of_each_other_and_nothing_is_at_fault() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let mut ant = Running::node(path, "ant", &["--task", "digits"]);
    ant.wait_for("others join with");
    let mut command = peerlearn(path);
    command.args(["join", &ticket(path, "ant"), "--home", "bat"]).args(super::process::QUICK);
    let mut bat = Running::start(command);
    loop {
        bat.wait_for("round ");
        let peers: Value = serde_json::from_str(&succeed(path, &["peers", "--json", "--home", "bat"])).unwrap();
        if peers[0]["mixed"].as_u64() > Some(0) && peers[0]["path"]["round_trip_ms"].as_f64().is_some() {
            assert!(peers[0]["bytes_in"].as_u64() > Some(0) && peers[0]["model_ms"].as_u64().is_some(), "{peers}");
            assert_eq!(peers[0]["peer"], status(path, "ant")["peer"]);
            break;
        }
    }
    let page = succeed(path, &["peers", "--home", "bat"]);
    for word in ["1 connected", "direct over tcp, /ip4/127.0.0.1/tcp/", "this node dialled", "traffic", "mixed"] {
        assert!(page.contains(word), "{page}");
    }
    assert!(succeed(path, &["peers", "--home", "ant"]).contains("it dialled"));
    let (found, code) = doctor(path, "bat");
    assert_eq!((found["running"].clone(), code), (true.into(), 0), "{found}");
    assert!(about(&found, "ok", "peers")[0].starts_with("connected directly: 1,"), "{found}");
    assert!(about(&found, "ok", "contact")[0].contains("is connected"), "{found}");
    assert!(about(&found, "ok", "versions")[0].contains("peerlearn/"), "{found}");
    assert!(about(&found, "warning", "listening")[0].contains("this machine only"), "{found}");
    // Whoever was connected and is gone is said to be, with the reason.
    ant.kill();
    loop {
        bat.wait_for("round ");
        let page = succeed(path, &["peers", "--home", "bat"]);
        if page.contains("not connected: last dial") && page.contains("refused") {
            break;
        }
    }
    let (found, code) = doctor(path, "bat");
    assert_eq!(code, 1, "{found}");
    assert!(!about(&found, "fault", "peers").is_empty() && !about(&found, "note", "peers").is_empty(), "{found}");
}

#[test]
fn contacts_that_cannot_be_reached_are_named_with_the_reason_and_the_next_try() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let contacts = "network.contacts=[\"/ip4/127.0.0.1/tcp/1\", \"/dns4/no-such-name.invalid/tcp/1\"]";
    let mut ant = Running::node(path, "ant", &["--task", "digits", "--set", contacts]);
    let problems = loop {
        ant.wait_for("round ");
        let said = status(path, "ant")["problems"].to_string();
        if said.matches("cannot be reached").count() == 2 {
            break said;
        }
    };
    assert!(problems.contains("/ip4/127.0.0.1/tcp/1 cannot be reached") && problems.contains("refused"), "{problems}");
    assert!(problems.contains("no-such-name.invalid") && problems.contains("tried"), "{problems}");
    let (found, code) = doctor(path, "ant");
    assert_eq!((about(&found, "fault", "contact").len(), code), (2, 1), "{found}");
}
