//! The live view in a real terminal.

use std::io::Read;

use portable_pty::{CommandBuilder, PtySize, native_pty_system};

use super::process::{BINARY, output};

/// Runs in a terminal of 100 columns; answers everything that was written to it, and the exit code.
fn in_terminal(arguments: &[&str]) -> (String, u32) {
    let size = PtySize { rows: 30, cols: 100, pixel_width: 0, pixel_height: 0 };
    let pair = native_pty_system().openpty(size).unwrap();
    let mut command = CommandBuilder::new(BINARY);
    command.args(arguments);
    command.env("TERM", "xterm-256color");
    let mut child = pair.slave.spawn_command(command).unwrap();
    drop(pair.slave);
    let mut reader = pair.master.try_clone_reader().unwrap();
    let reading = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        // Linux ends a terminal whose other side is gone with an error, not with an end of file.
        let _ = reader.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    });
    let code = child.wait().unwrap().exit_code();
    drop(pair.master);
    (reading.join().unwrap(), code)
}

#[test]
fn the_demo_shows_every_peer_and_a_table() {
    let (screen, code) = in_terminal(&["demo", "--peers", "3", "--rounds", "40", "--partition", "iid"]);
    assert_eq!(code, 0, "{screen}");
    for word in ["ant ", "bat ", "cat ", "knows", "own ", "test ", "round", "together", "alone", "pooled", "CPU s"] {
        assert!(screen.contains(word), "{word}: {screen}");
    }
    assert!(screen.contains("\u{1b}["), "lines are redrawn in place");
}

#[test]
fn without_a_terminal_lines_are_plain_and_the_result_is_alone_on_standard_output() {
    let directory = tempfile::tempdir().unwrap();
    let arguments = ["demo", "--peers", "2", "--rounds", "10", "--json", "--out", "result", "--partition", "shards:2"];
    let output = output(directory.path(), &arguments);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{errors}");
    assert!(errors.contains("round ") && !errors.contains('\u{1b}'), "{errors}");
    let outcome: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    for key in ["worst", "mean", "best", "alone_mean", "pooled"] {
        let fraction = outcome[key].as_f64().unwrap();
        assert!((0.0..=1.0).contains(&fraction), "{key}: {fraction}");
    }
    for key in ["seconds", "cpu_seconds", "bytes_in", "bytes_out"] {
        assert!(outcome[key].as_f64().unwrap() > 0.0, "{key}");
    }
    let peers = outcome["peers"].as_array().unwrap();
    assert_eq!(peers.len(), 2);
    assert!(peers.iter().all(|peer| peer["rounds"] == 10 && peer["accuracy"].is_number() && peer["bytes_in"].is_u64()));
    let read = |name: &str| std::fs::read_to_string(directory.path().join("result").join(name)).unwrap();
    let events: Vec<serde_json::Value> =
        read("events.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let closed = events.iter().filter(|event| event["event"] == "round_closed").count();
    assert!(closed >= 20, "{closed} rounds among {} events", events.len());
    assert_eq!(serde_json::from_str::<serde_json::Value>(&read("outcome.json")).unwrap(), outcome);
    assert!(read("curves.csv").lines().count() > 2);
    assert!(read("accuracy.svg").starts_with("<svg"));
}
