//! What is refused, and where the complaint points.

use std::path::Path;
use std::time::Duration;

use super::*;

const GOOD: &str = r#"name = "t"
rounds = 10

[[group]]
name = "a"
count = 3

[[group]]
name = "b"
count = 1
"#;

fn parse(text: &str) -> Result<Plan, ScenarioError> {
    Plan::new(&Document::parse(Path::new("t.toml"), text.to_owned())?, 0)
}

fn complaint(extra: &str) -> String {
    parse(&format!("{GOOD}{extra}")).unwrap_err().to_string()
}

#[test]
fn a_good_scenario_names_its_peers() {
    let plan = parse(GOOD).unwrap();
    let names: Vec<&str> = plan.peers.iter().map(|peer| peer.name.as_str()).collect();
    assert_eq!(names, ["a-1", "a-2", "a-3", "b"]);
    assert_eq!(plan.peers[0].config.round.rounds, 10);
    assert_eq!(plan.peers[0].config.round.min_interval, Duration::from_millis(100));
}

#[test]
fn unknown_keys_are_refused_with_file_line_and_key() {
    let words = complaint("[links]\nlos = 0.1\n");
    assert!(words.starts_with("t.toml:12: ") && words.contains("los"), "{words}");
    let words = complaint("[node]\nmixing.rul = \"median\"\n");
    assert!(words.starts_with("t.toml:12: node.mixing.rul: ") && words.contains("mixing.rule"), "{words}");
    let words = complaint("[node.round]\nrounds = 5\n");
    assert!(words.starts_with("t.toml:12: node.round.rounds: "), "{words}");
    let words = complaint("[node]\nmixing.rule = \"medium\"\n");
    assert!(words.starts_with("t.toml:12: node.mixing.rule: "), "{words}");
}

#[test]
fn faults_that_cannot_be_are_refused() {
    let fault = |keys: &str| complaint(&format!("[[fault]]\nat = \"1s\"\n{keys}\n"));
    let words = fault("kind = \"crash\"\npeers = [\"a\"]\ncount = 4");
    assert!(words.starts_with("t.toml:15: fault.0.count: 4 of 3 peers"), "{words}");
    let words = fault("kind = \"crash\"\npeers = [\"c\"]");
    assert!(words.starts_with("t.toml:14: fault.0.peers: there is no peer or group \"c\""), "{words}");
    let words = fault("kind = \"partition\"");
    assert!(words.contains("needs pieces"), "{words}");
    let words = fault("kind = \"partition\"\npieces = [[\"a\"], [\"a-1\", \"b\"]]");
    assert!(words.contains("a-1 is in two pieces"), "{words}");
    let words = fault("kind = \"crash\"\nrate = 2.0");
    assert!(words.contains("fault.0.rate: it means nothing to the kind crash"), "{words}");
    let words = complaint("[[fault]]\nat = \"1h\"\nkind = \"crash\"\n");
    assert!(words.contains("time_limit"), "{words}");
    let words = fault("kind = \"crash\"");
    assert!(words.contains("no honest peer is up at the end"), "{words}");
}

#[test]
fn expectations_that_cannot_be_met_are_refused() {
    let expect = |keys: &str| complaint(&format!("[expect]\n{keys}\n"));
    assert!(expect("worst = 90").starts_with("t.toml:12: expect.worst: "));
    assert!(expect("rounds = 11").starts_with("t.toml:12: expect.rounds: "));
    assert!(expect("up = 5").starts_with("t.toml:12: expect.up: 5 cannot be reached"));
    assert!(expect("within = \"10m\"").starts_with("t.toml:12: expect.within: "));
    let words = parse("name = \"t\"\nrounds = 5000\n[[group]]\nname = \"a\"\ncount = 1\n").unwrap_err().to_string();
    assert!(words.contains("time_limit: 5000 rounds of 100ms take longer than 2m"), "{words}");
}

#[test]
fn groups_that_cannot_be_are_refused() {
    let only = |keys: &str| parse(&format!("name = \"t\"\nrounds = 1\n[[group]]\nname = \"a\"\n{keys}")).unwrap_err();
    assert!(only("count = 0").to_string().starts_with("t.toml:5: group.0.count: 0 is not from 1"));
    assert!(only("count = 2\nattack = \"sign-flip\"").to_string().contains("everybody is an attacker"));
    assert!(only("count = 2\nattack = \"tickle\"").to_string().contains("tickle"));
    assert!(only("count = 2\njoins_at = \"1s\"").to_string().contains("nobody is there at the start"));
}

#[test]
fn rows_that_cannot_be_partitioned_are_refused() {
    let refused = |partition: &str| {
        let text = format!("{GOOD}[data]\npartition = \"{partition}\"\n");
        let document = Document::parse(Path::new("t.toml"), text).unwrap();
        let plan = Plan::new(&document, 0).unwrap();
        partition_rows(&document, &plan.scenario.data, plan.peers.len(), 0).unwrap_err().to_string()
    };
    for partition in
        ["shards:1000", "dirichlet:-1", "column:x", "features:65", "quantity:0", "file:none.json", "nothing"]
    {
        let words = refused(partition);
        assert!(words.starts_with("t.toml:12: data.partition: "), "{words}");
    }
}

#[test]
fn a_saved_partition_gives_the_same_rows_again() {
    let folder = tempfile::tempdir().unwrap();
    let assign = |partition: &str| {
        let text = format!("{GOOD}[data]\npartition = \"{partition}\"\nrows = 500\n");
        let document = Document::parse(&folder.path().join("t.toml"), text).unwrap();
        partition_rows(&document, &document.scenario().unwrap().data, 4, 7).unwrap()
    };
    let first = assign("quantity:0.5");
    assert_eq!(first.assignment.parts.iter().map(Vec::len).sum::<usize>(), 500);
    std::fs::write(folder.path().join("p.json"), serde_json::to_string(&first.assignment).unwrap()).unwrap();
    assert_eq!(assign("file:p.json").assignment.parts, first.assignment.parts);
    let views = assign("features:2");
    let seen =
        |peer: usize, column: usize| views.parts[peer].train.features()[column..].iter().step_by(64).any(|v| *v != 0.0);
    assert!(seen(0, 20) && !seen(0, 60) && !seen(1, 20) && seen(1, 60), "each sees its half");
}

#[test]
fn overlapping_faults_kill_once_and_bring_back_at_the_last_end() {
    let faults = r#"
[[fault]]
at = "1s"
kind = "crash"
peers = ["b"]
lasts = "3s"
[[fault]]
at = "2s"
kind = "crash"
peers = ["b"]
lasts = "5s"
"#;
    let plan = parse(&format!("{GOOD}{faults}")).unwrap();
    let acts: Vec<(u64, Act)> = plan.steps.iter().map(|step| (step.at.as_secs(), step.acts[0].clone())).collect();
    assert_eq!(acts, [(1, Act::Crash(3)), (7, Act::Return(3))]);
}

#[test]
fn a_disk_is_full_until_the_last_fault_that_fills_it_ends_also_of_a_peer_that_is_down() {
    let fault = |at: u8, kind: &str, lasts: u8| {
        format!("[[fault]]\nat = \"{at}s\"\nkind = \"{kind}\"\npeers = [\"b\"]\nlasts = \"{lasts}s\"\n")
    };
    let faults = [fault(1, "full-disk", 4), fault(2, "full-disk", 6), fault(6, "leave", 3)].concat();
    let plan = parse(&format!("{GOOD}{faults}")).unwrap();
    let acts: Vec<(u64, Act)> = plan.steps.iter().map(|step| (step.at.as_secs(), step.acts[0].clone())).collect();
    assert_eq!(acts, [(1, Act::Disk(3, true)), (6, Act::Leave(3)), (8, Act::Disk(3, false)), (9, Act::Return(3))]);
}

#[test]
fn churn_that_ends_before_it_begins_is_refused() {
    let words = complaint("[churn]\nthere = \"1s\"\ngone = \"1s\"\nfrom = \"9s\"\nuntil = \"9s\"\n");
    assert!(words.starts_with("t.toml:15: churn.until: 9s is not after 9s"), "{words}");
}

#[test]
fn the_template_is_a_scenario() {
    let document = Document::parse(Path::new("t.toml"), template().to_owned()).unwrap();
    let plan = Plan::new(&document, 0).unwrap();
    assert_eq!(plan.peers.len(), 8);
}

#[test]
fn keys_can_be_set_from_outside_and_complaints_say_so() {
    let set = |text: &str| {
        let document = Document::parse(Path::new("t.toml"), GOOD.to_owned()).unwrap();
        document.set(&[text.to_owned()]).and_then(|document| Plan::new(&document, 0))
    };
    assert_eq!(set("group.1.count=4").unwrap().peers.len(), 7);
    assert_eq!(set("node.mixing.rule=ios:1").unwrap().peers[0].config.mixing.rule.to_string(), "ios:1");
    assert_eq!(set("links.delay=[\"1ms\",\"2ms\"]").unwrap().peers[0].links.delay.unwrap().1.to_string(), "2ms");
    assert!(set("rounds=0").unwrap_err().to_string().starts_with("--set rounds=0: rounds: "));
    assert!(set("group.9.count=1").is_err() && set("nonsense").is_err() && set("name.x=1").is_err());
}
