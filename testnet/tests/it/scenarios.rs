//! Scenarios as people run them, through the program.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use peerlearn_testnet::record::{RunOutcome, read_run};

const PROGRAM: &str = env!("CARGO_BIN_EXE_peerlearn-testnet");

fn scenario(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios").join(format!("{name}.toml"))
}

fn testnet(arguments: &[&str]) -> Output {
    Command::new(PROGRAM).args(arguments).stdin(Stdio::null()).output().unwrap()
}

/// Runs a scenario; it has to pass.
fn passes(name: &str, driver: &str, more: &[&str]) -> RunOutcome {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let path = scenario(name);
    let mut arguments = vec!["run", path.to_str().unwrap(), "--driver", driver, "--out", out.to_str().unwrap()];
    arguments.extend(more);
    let output = testnet(&arguments);
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{name} with {driver}: {said}");
    assert!(out.join("report.html").exists());
    read_run(&out).unwrap().outcome.unwrap()
}

#[test]
fn smoke_passes_in_the_simulator() {
    passes("smoke", "sim", &[]);
}

#[test]
fn smoke_passes_in_one_process() {
    passes("smoke", "inproc", &[]);
}

#[test]
fn smoke_passes_in_processes() {
    passes("smoke", "process", &[]);
}

#[test]
fn every_small_scenario_passes_in_the_simulator() {
    for name in ["line", "star", "lost-disk", "wifi-switch", "slow-phone-among-laptops", "non-iid-hospitals"] {
        passes(name, "sim", &["--quiet"]);
    }
}

#[test]
fn attackers_on_the_wire_break_a_plain_mean_and_not_a_trimmed_one() {
    let shorter = ["--quiet", "--set", "rounds=60", "--set", "expect={}", "--set", "group.1.attack=gaussian:2"];
    let trimmed = passes("byzantine-20", "inproc", &shorter);
    let plain = passes("byzantine-20", "inproc", &[&shorter[..], &["--set", "node.mixing.rule=uniform"]].concat());
    assert!(trimmed.mean[0] > 0.85, "trimmed {:?}", trimmed.mean);
    assert!(plain.mean[0] < trimmed.mean[0] - 0.3, "plain {:?} against {:?}", plain.mean, trimmed.mean);
}

#[test]
fn an_expectation_that_is_not_met_is_exit_code_1_and_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let path = scenario("smoke");
    let arguments = ["run", path.to_str().unwrap(), "--out", out.to_str().unwrap(), "--set", "expect.worst=1.0"];
    let output = testnet(&arguments);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("FAILED accuracy of the worst peer was"), "{said}");
}

#[test]
fn a_wrong_scenario_is_refused_before_anything_starts() {
    let folder = tempfile::tempdir().unwrap();
    let (file, out) = (folder.path().join("wrong.toml"), folder.path().join("run"));
    let text = std::fs::read_to_string(scenario("smoke")).unwrap().replace("partition =", "partitoin =");
    std::fs::write(&file, text).unwrap();
    let output = testnet(&["run", file.to_str().unwrap(), "--driver", "process", "--out", out.to_str().unwrap()]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("wrong.toml:9: ") && said.contains("partitoin"), "{said}");
    assert!(!out.exists());
}

#[test]
fn init_writes_a_scenario_that_runs_and_replaces_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (file, out) = (folder.path().join("mine.toml"), folder.path().join("run"));
    let init = ["init", file.to_str().unwrap(), "--set", "rounds=10", "--set", "expect={}"];
    assert_eq!(testnet(&init).status.code(), Some(0));
    assert_eq!(testnet(&init).status.code(), Some(4), "an existing file stays");
    assert_eq!(testnet(&["run", "-q", file.to_str().unwrap(), "--out", out.to_str().unwrap()]).status.code(), Some(0));
}

#[test]
fn a_sweep_that_was_stopped_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = scenario("smoke");
    let out = folder.path().to_str().unwrap().to_owned();
    let arguments = |rules: &str| {
        let vary = format!("node.mixing.rule={rules}");
        let words = ["sweep", path.to_str().unwrap(), "--out", &out, "--vary", &vary, "--set", "expect={}"];
        words.map(str::to_owned)
    };
    let run = |rules: &str| {
        let arguments = arguments(rules);
        testnet(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
    };
    assert_eq!(run("uniform").status.code(), Some(0));
    let kept = folder.path().join("node.mixing.rule=uniform");
    let before = std::fs::metadata(kept.join("outcome.json")).unwrap().modified().unwrap();
    // One that was cut has no outcome.
    let cut = folder.path().join("node.mixing.rule=median");
    std::fs::create_dir_all(&cut).unwrap();
    std::fs::copy(kept.join("run.json"), cut.join("run.json")).unwrap();
    std::fs::copy(kept.join("scenario.toml"), cut.join("scenario.toml")).unwrap();
    assert_eq!(run("uniform,median").status.code(), Some(0));
    assert_eq!(std::fs::metadata(kept.join("outcome.json")).unwrap().modified().unwrap(), before, "not run again");
    assert!(read_run(&cut).unwrap().outcome.is_some());
    assert!(std::fs::read_to_string(folder.path().join("sweep.csv")).unwrap().lines().count() == 3);
}

#[test]
fn a_killed_runner_leaves_its_records_and_no_process() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let path = scenario("smoke");
    let arguments = ["run", path.to_str().unwrap(), "--driver", "process", "--set", "rounds=400", "--set", "expect={}"];
    let mut runner = Command::new(PROGRAM)
        .args(arguments)
        .args(["--set", "time_limit=100s", "--out", out.to_str().unwrap()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let rounds = out.join("seed-0/rounds.csv");
    let lines = || std::fs::read_to_string(&rounds).map_or(0, |text| text.lines().count());
    while lines() < 20 {
        assert!(runner.try_wait().unwrap().is_none(), "it ended too early");
        std::thread::sleep(Duration::from_millis(50));
    }
    let children = children_of(runner.id());
    assert_eq!(children.len(), 4);
    runner.kill().unwrap();
    runner.wait().unwrap();
    // Their input has ended, so they end; the test would hang here if they did not.
    while children.iter().any(|&child| is_member(child)) {
        std::thread::sleep(Duration::from_millis(20));
    }
    let run = read_run(&out).unwrap();
    assert!(run.is_cut() && !run.seeds[0].rounds.is_empty());
    assert_eq!(testnet(&["report", out.to_str().unwrap()]).status.code(), Some(0));
}

fn children_of(parent: u32) -> Vec<u32> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let is_child = |id: &u32| {
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        fields.split_whitespace().nth(1).and_then(|parent| parent.parse().ok()) == Some(parent)
    };
    ids.filter(is_child).collect()
}

fn is_member(id: u32) -> bool {
    let mut words = String::new();
    let file = std::fs::File::open(format!("/proc/{id}/cmdline"));
    file.is_ok_and(|mut file| file.read_to_string(&mut words).is_ok()) && words.contains("member")
}
