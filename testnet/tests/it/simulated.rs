//! What scenarios ask of the simulator: coming and going from a trace, full disks, peers that learn in different ways.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use peerlearn_testnet::record::{RoundRow, RunRecord, SeedRecord, read_run};

const COMMON: &str = "name = \"t\"\ntime_limit = \"60s\"\npace = \"100ms\"\n[data]\nrows = 400\n";

fn testnet(folder: &Path, scenario: &str) -> Output {
    std::fs::write(folder.join("t.toml"), scenario).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_peerlearn-testnet"));
    command.args(["run", "t.toml", "--driver", "sim", "--quiet", "--out", "run"]);
    command.current_dir(folder).stdin(Stdio::null()).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// Runs a scenario, with a trace beside it.
fn run(scenario: &str, trace: &str) -> RunRecord {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("trace.csv"), trace).unwrap();
    let output = testnet(folder.path(), &format!("rounds = 80\n{COMMON}{scenario}"));
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    read_run(&folder.path().join("run")).unwrap()
}

fn rounds<'a>(seed: &'a SeedRecord, name: &str) -> Vec<&'a RoundRow> {
    seed.rounds.iter().filter(|row| row.name == name).collect()
}

#[test]
fn who_is_gone_in_a_trace_does_nothing_meanwhile_and_goes_on_when_it_is_back() {
    let trace = "name,at_s,up\npeer-1,1,0\npeer-2,2,0\npeer-1,3.5,1\npeer-4,4.25,0\npeer-2,5,1\n";
    // Whoever is asked and gone does not answer.
    let patience = "[node]\nnetwork.request_timeout = \"200ms\"\n";
    let peers = "[[group]]\nname = \"peer\"\ncount = 5\n[churn]\ntrace = \"trace.csv\"\n";
    let run = run(&format!("{patience}{peers}"), trace);
    let seed = &run.seeds[0];
    let faults: Vec<(u64, &str, &str)> =
        seed.faults.iter().map(|row| (row.t_ms, row.kind.as_str(), row.names[0].as_str())).collect();
    let expected = [
        (1000, "leave", "peer-1"),
        (2000, "leave", "peer-2"),
        (3500, "return", "peer-1"),
        (4250, "leave", "peer-4"),
        (5000, "return", "peer-2"),
    ];
    assert_eq!(faults, expected);
    for (name, from, to) in [("peer-1", 1000, 3500), ("peer-2", 2000, 5000), ("peer-4", 4250, u64::MAX)] {
        let gone = from..to;
        let rounds = rounds(seed, name);
        assert!(rounds.iter().all(|row| !gone.contains(&row.t_ms)), "{name}");
        assert!(seed.mixes.iter().all(|row| row.name != name || !gone.contains(&row.t_ms)), "{name}");
        // Nobody is asked who is known to be gone; what was on its way arrives.
        let late = seed.mixes.iter().filter(|row| row.from == name && (from + 50..to).contains(&row.t_ms));
        assert_eq!(late.count(), 0, "{name}");
        let (before, after): (Vec<_>, Vec<_>) = rounds.into_iter().partition(|row| row.t_ms < from);
        assert!(before.len() as u64 >= from / 200, "{name}: {} rounds before it goes", before.len());
        assert_eq!(after.is_empty(), to == u64::MAX, "{name}");
        // It left with all it had.
        let last = before.last().map(|row| row.round);
        assert!(after.first().is_none_or(|row| Some(row.round) == last.map(|last| last + 1)), "{name}");
    }
    let still_there = rounds(seed, "peer-3");
    assert_eq!(still_there.last().unwrap().round, 80);
    let longest = still_there.windows(2).map(|pair| pair[1].t_ms - pair[0].t_ms).max().unwrap();
    assert!(longest < 1000, "{longest} ms without a round of one that was always there");
}

#[test]
fn rounds_on_a_full_disk_are_lost_by_a_kill() {
    let fault = |kind: &str, peer: u8, at: u8, lasts: u8| {
        format!("[[fault]]\nkind = \"{kind}\"\npeers = [\"peer-{peer}\"]\nat = \"{at}s\"\nlasts = \"{lasts}s\"\n")
    };
    // The first is killed while its disk is full, and again when there is room; the second has room all the time.
    let faults =
        [fault("full-disk", 1, 2, 4), fault("crash", 1, 4, 1), fault("crash", 1, 8, 1), fault("crash", 2, 4, 1)];
    let run = run(&format!("[[group]]\nname = \"peer\"\ncount = 4\n{}", faults.concat()), "");
    let seed = &run.seeds[0];
    assert!(seed.faults.iter().all(|row| !row.words.contains("not")), "{:?}", seed.faults);
    let around = |name: &str, at: u64| {
        let rounds = rounds(seed, name);
        let split = rounds.partition_point(|row| row.t_ms < at);
        (rounds[split - 1].round, rounds[split].round)
    };
    let (full_at, _) = around("peer-1", 2000);
    let (killed_at, back_at) = around("peer-1", 4000);
    assert!(killed_at > full_at + 10, "it goes on in memory: {full_at} to {killed_at}");
    assert_eq!(back_at, full_at + 1);
    let (killed_at, back_at) = around("peer-1", 8000);
    assert_eq!(back_at, killed_at + 1, "there was room again");
    let (killed_at, back_at) = around("peer-2", 4000);
    assert_eq!(back_at, killed_at + 1);
}

const KINDS: &str = r#"
[[group]]
name = "usual"
count = 3

[[group]]
name = "small"
count = 3
[group.node]
exchange.codec = "f16"
round.fan_out = 2
mixing.rule = "median"

[[group]]
name = "mass"
count = 3
[group.node]
exchange.codec = "f32"
mixing.rule = "push-sum"
"#;

#[test]
fn groups_that_mix_and_exchange_differently_learn_together() {
    let run = run(KINDS, "");
    let seed = &run.seeds[0];
    let bytes = |group: &str| {
        let mut sizes: Vec<u64> =
            seed.mixes.iter().filter(|row| row.name.starts_with(group) && row.round > 5).map(|row| row.bytes).collect();
        sizes.dedup();
        assert_eq!(sizes.len(), 1, "{group}: {sizes:?}");
        sizes[0]
    };
    let (usual, small, mass) = (bytes("usual"), bytes("small"), bytes("mass"));
    assert!(usual < small && small < mass && mass > 3 * usual, "{usual} {small} {mass}");
    for row in seed.rounds.iter().filter(|row| row.round > 5) {
        let (drawn, mixed) = (row.drawn, row.mixed);
        match &row.name[..4] {
            "smal" => assert!(drawn <= 4 && mixed <= 2, "{row:?}"),
            "mass" => assert!(drawn <= 8 && mixed <= 2, "{row:?}"),
            _ => assert!(drawn <= 8 && mixed <= 4, "{row:?}"),
        }
    }
    let pairs = |taker: &str, giver: &str| {
        let hit = |row: &&_| {
            let row: &peerlearn_testnet::record::MixRow = row;
            row.round > 5 && row.name.starts_with(taker) && row.from.starts_with(giver)
        };
        seed.mixes.iter().filter(hit).count()
    };
    assert!(pairs("small", "usual") > 50 && pairs("usual", "small") > 50 && pairs("usual", "mass") > 50);
    assert!(pairs("mass", "mass") > 50 && pairs("mass", "usual") == 0 && pairs("mass", "small") == 0);
    for peer in &seed.peers {
        let rounds = rounds(seed, &peer.name);
        assert_eq!(rounds.last().unwrap().round, 80);
    }
}

#[test]
fn what_the_simulator_has_for_all_alike_is_refused_where_it_differs() {
    for (setting, reason) in [
        ("task.network = \"other\"", "task, membership and network.request_timeout are the same for all"),
        ("membership.shuffle_every = \"9s\"", "task, membership and network.request_timeout are the same for all"),
        ("network.request_timeout = \"9s\"", "task, membership and network.request_timeout are the same for all"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let groups = "[[group]]\nname = \"a\"\ncount = 2\n[[group]]\nname = \"b\"\ncount = 2\n[group.node]\n";
        let output = testnet(folder.path(), &format!("rounds = 8\n{COMMON}{groups}{setting}\n"));
        let said = said(&output);
        assert_eq!(output.status.code(), Some(4), "{said}");
        assert!(said.contains(reason) && said.contains("b-1 differs from a-1"), "{said}");
    }
}

#[test]
fn the_convolutions_of_nodes_learn_in_the_simulator() {
    let model = "[node]\ntask.model = \"cnn\"\n[[group]]\nname = \"peer\"\ncount = 3\n";
    let folder = tempfile::tempdir().unwrap();
    let scenario = format!("rounds = 12\n{COMMON}{model}[expect]\nworst = 0.7\n");
    let output = testnet(folder.path(), &scenario);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
}
