//! The smallest scenario in containers, where there are containers.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

const IMAGE: &str = "peerlearn:local";

/// Whether an engine answers and has the image; says so where it does not.
fn is_there() -> bool {
    let reason = match Command::new("docker").args(["image", "inspect", IMAGE]).output() {
        Ok(answer) if answer.status.success() => return true,
        Ok(answer) => String::from_utf8_lossy(&answer.stderr).trim().to_owned(),
        Err(error) => error.to_string(),
    };
    eprintln!("SKIPPED: nothing was run in containers; scripts/image.sh makes {IMAGE}: {reason}");
    false
}

fn smoke(out: &Path) -> Command {
    let scenario = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/smoke.toml");
    let mut command = Command::new(env!("CARGO_BIN_EXE_peerlearn-testnet"));
    command.arg("run").arg(scenario).args(["--driver", "docker", "--image", IMAGE, "--out"]).arg(out);
    command
}

/// Containers and networks that a run of this process has.
fn left(runner: u32) -> String {
    let filter = format!("name=^peerlearn-{runner}-");
    let list = |words: &[&str]| {
        let output = Command::new("docker").args(words).args(["--quiet", "--filter", &filter]).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    list(&["container", "ls", "--all"]) + &list(&["network", "ls"])
}

#[test]
fn containers_do_what_the_smallest_scenario_expects_and_leave_nothing() {
    if !is_there() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let run = smoke(&folder.path().join("run")).stdout(Stdio::piped()).spawn().unwrap();
    let runner = run.id();
    let output = run.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert_eq!(left(runner), "");
}

#[test]
fn a_killed_runner_leaves_nothing() {
    if !is_there() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let mut run = smoke(&out).spawn().unwrap();
    let is_under_way =
        || std::fs::read_to_string(out.join("seed-0/faults.csv")).is_ok_and(|text| text.contains("peer-2"));
    while !is_under_way() {
        assert!(run.try_wait().unwrap().is_none(), "the run has ended before it was killed");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_ne!(left(run.id()), "");
    run.kill().unwrap();
    run.wait().unwrap();
    while !left(run.id()).is_empty() {
        std::thread::sleep(Duration::from_millis(500));
    }
}
