//! What people do wrong, and what they are told.

use std::fs;

use super::process::{QUICK, Running, fail, output, succeed};

#[test]
fn settings_name_their_layer_and_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let cases = [
        ("training.rate=1", "training.learning_rate"),
        ("training.learning_rate=-0.1", "a number above 0"),
        ("training.steps=many", "training.steps"),
        ("round.fan_out=0", "from 1 to 64"),
        ("task.model=forest", "mlp"),
        ("nonsense", "section.key=value"),
    ];
    for (setting, word) in cases {
        let error = fail(path, &["run", "--set", setting], 3);
        assert!(error.contains("--set") && error.to_lowercase().contains(word), "{setting}: {error}");
    }
    fs::write(path.join("peerlearn.toml"), "[training]\nsteps = 10\n\n[round]\nfan_out = \"four\"\n").unwrap();
    let error = fail(path, &["run"], 3);
    assert!(error.contains("peerlearn.toml") && error.contains('5') && error.contains("round.fan_out"), "{error}");
    fs::write(path.join("peerlearn.toml"), "[training\n").unwrap();
    assert!(fail(path, &["run"], 3).contains("peerlearn.toml"));
    fs::remove_file(path.join("peerlearn.toml")).unwrap();
    assert!(fail(path, &["run", "--config", "absent.toml"], 3).contains("absent.toml"));
    let mut command = super::process::peerlearn(path);
    let output = command.args(["run"]).env("PEERLEARN_TRAINING__STEPS", "-1").output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{error}");
    assert!(error.contains("PEERLEARN_TRAINING__STEPS"), "{error}");
    assert!(!path.join(".peerlearn").exists(), "a wrong setting leaves nothing behind");
}

#[test]
fn data_errors_name_file_and_line() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    fs::write(path.join("rows.csv"), "a,label\n1,x\n2,y,two\n").unwrap();
    let error = fail(path, &["run", "--set", "data.source=rows.csv"], 4);
    assert!(error.contains("rows.csv, line 3") && error.contains("\"two\""), "{error}");
    assert!(fail(path, &["run", "--set", "data.source=absent.csv"], 4).contains("absent.csv"));
    fs::write(path.join("good.csv"), "a,label\n1,x\n2,y\n3,x\n").unwrap();
    assert!(fail(path, &["demo", "--data", "good.csv", "--rounds", "1"], 4).contains("--test"));
    let arguments = ["demo", "--data", "good.csv", "--test", "good.csv", "--rounds", "1", "--peers", "8"];
    assert!(fail(path, &arguments, 4).contains("cannot be partitioned among 8 peers"));
    assert!(fail(path, &["demo", "--peers", "0"], 2).contains("1 to 256"));
    let arguments = ["run", "--set", "task.model=cnn", "--set", "data.source=good.csv"];
    assert!(fail(path, &arguments, 4).contains("use linear or mlp"));
}

#[test]
fn ports_tickets_homes_and_sockets_have_their_own_codes() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let listen = format!("network.listen=[\"/ip4/127.0.0.1/tcp/{port}\"]");
    let error = fail(path, &["run", "--set", &listen], 5);
    assert!(error.contains(&port.to_string()) && error.contains("port 0"), "{error}");
    assert!(fail(path, &["join", "peerlearn1garbage"], 5).contains("ticket"));
    assert!(fail(path, &["join", "hello"], 5).contains("neither a ticket"));
    for command in ["status", "ticket", "stop"] {
        assert!(fail(path, &[command, "--home", "nowhere"], 7).contains("peerlearn run"));
    }
    assert!(fail(path, &["eval", "--home", "nowhere"], 6).contains("no checkpoint"));
    assert!(fail(path, &["export", "model", "--home", "nowhere"], 6).contains("no checkpoint"));
    fs::write(path.join("file"), "").unwrap();
    assert!(fail(path, &["run", "--home", "file"], 6).contains("file"));
    let mut node = Running::node(path, "ant", &[]);
    node.wait_for("others join with");
    assert!(fail(path, &["run", "--home", "ant"], 6).contains("another node is running"));
}

#[test]
fn usage_is_explained() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    assert!(succeed(path, &["--help"]).contains("Exit codes"));
    for command in ["demo", "init", "run", "join", "ticket", "status", "stop", "eval", "predict", "export"] {
        assert!(succeed(path, &[command, "--help"]).contains("Usage"), "{command}");
    }
    assert_eq!(output(path, &[]).status.code(), Some(2));
    assert!(fail(path, &["demo", "--partition", "rows"], 2).contains("use iid"));
    assert!(fail(path, &["demo", "--until-accuracy", "95"], 2).contains("fraction"));
    assert!(fail(path, &["--log", "peerlearn=loud", "status"], 2).contains("--log"));
    succeed(path, &["init"]);
    let written = fs::read_to_string(path.join("peerlearn.toml")).unwrap();
    assert!(fail(path, &["init"], 1).contains("peerlearn.toml"));
    assert_eq!(fs::read_to_string(path.join("peerlearn.toml")).unwrap(), written);
    assert!(QUICK.len().is_multiple_of(2));
}
