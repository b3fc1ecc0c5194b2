//! Traces as scenarios name them.

use crate::scenario::{Act, Document, Plan, ScenarioError};

const SCENARIO: &str = r#"name = "t"
rounds = 10
time_limit = "60s"

[[group]]
name = "a"
count = 3

[[group]]
name = "late"
count = 1
joins_at = "5s"

[churn]
trace = "trace.csv"
"#;

const GOOD: &str =
    "name,at_s,up\na-1,1,0\na-2,2.5,0\na-1,3,1\na-2, 3, 1\nlate,6,0\na-1,6.125,0\nlate,8.25,1\na-1,9,1\n";

fn plan_of(scenario: &str, trace: Option<&str>) -> Result<Plan, ScenarioError> {
    let folder = tempfile::tempdir().unwrap();
    trace.iter().for_each(|trace| std::fs::write(folder.path().join("trace.csv"), trace).unwrap());
    Plan::new(&Document::parse(&folder.path().join("t.toml"), scenario.to_owned()).unwrap(), 0)
}

fn plan(trace: &str) -> Result<Plan, ScenarioError> {
    plan_of(SCENARIO, Some(trace))
}

fn steps(plan: &Plan) -> Vec<(f64, Act, &'static str)> {
    plan.steps.iter().map(|step| (step.at.as_secs_f64(), step.acts[0].clone(), step.kind)).collect()
}

#[test]
fn the_steps_of_a_plan_are_those_of_the_trace() {
    let expected = [
        (1.0, Act::Leave(0), "leave"),
        (2.5, Act::Leave(1), "leave"),
        (3.0, Act::Return(0), "return"),
        (3.0, Act::Return(1), "return"),
        (5.0, Act::Join(3), "join"),
        (6.0, Act::Leave(3), "leave"),
        (6.125, Act::Leave(0), "leave"),
        (8.25, Act::Return(3), "return"),
        (9.0, Act::Return(0), "return"),
    ];
    let plan = plan(GOOD).unwrap();
    assert_eq!(steps(&plan), expected);
    assert!(plan.steps.iter().all(|step| step.acts.len() == 1 && step.peers.len() == 1));
    assert_eq!(plan.steps[1].words, "a-2: leaves");
    // The same of every seed.
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("trace.csv"), GOOD).unwrap();
    let document = Document::parse(&folder.path().join("t.toml"), SCENARIO.to_owned()).unwrap();
    assert_eq!(Plan::new(&document, 7).unwrap().steps, plan.steps);
}

#[test]
fn a_trace_can_be_of_crashes_and_end_with_peers_gone() {
    let plan =
        plan_of(&format!("{SCENARIO}crash = true\n"), Some("name,at_s,up\na-3,0,0\na-1,2,0\na-1,4,1\n")).unwrap();
    let expected = [(0.0, Act::Crash(2), "crash"), (2.0, Act::Crash(0), "crash"), (4.0, Act::Return(0), "restart")];
    assert_eq!(steps(&plan)[..3], expected);
    assert_eq!(plan.down_at_the_end(), [2].into());
}

#[test]
fn a_bad_trace_is_refused_with_file_line_and_key() {
    for (rows, line, reason) in [
        ("a-1,1,0\nb,2,0\n", 3, "there is no peer \"b\""),
        ("a,1,0\n", 2, "there is no peer \"a\""),
        ("a-1,5,0\na-2,4.5,0\n", 3, "4.5s comes after 5s; a trace is in the order of time"),
        ("a-1,-1,0\n", 2, "at_s \"-1\" is no number of seconds"),
        ("a-1,nan,0\n", 2, "at_s \"nan\" is no number of seconds"),
        ("a-1,1e30,0\n", 2, "at_s \"1e30\" is no number of seconds"),
        ("a-1,3s,0\n", 2, "at_s \"3s\" is no number of seconds"),
        ("a-1,1,0\na-1,2,2\n", 3, "up \"2\" is neither 0 nor 1"),
        ("a-1,1,down\n", 2, "up \"down\" is neither 0 nor 1"),
        ("a-1,1,1\n", 2, "a-1 comes and is there already"),
        ("a-1,1,0\na-1,2,1\na-1,3,1\n", 4, "a-1 comes and is there already"),
        ("a-1,1,0\na-2,2,0\na-1,3,0\n", 4, "a-1 goes and is gone already"),
        ("a-1,1,0\na-1,1,1\n", 3, "a-1 comes at the moment it goes"),
        ("late,4,0\n", 2, "late goes at 4s and comes at 5s"),
        ("late,5,0\n", 2, "late goes at 5s and comes at 5s"),
        ("late,6,1\n", 2, "late comes and is there already"),
    ] {
        let words = plan(&format!("name,at_s,up\n{rows}")).unwrap_err().to_string();
        let (before, after) = words.split_once("t.toml:15: churn.trace: ").unwrap_or_else(|| panic!("{words}"));
        assert!(!before.is_empty() && after.contains(&format!("trace.csv:{line}: {reason}")), "{words}");
    }
}

#[test]
fn a_file_that_is_no_trace_is_refused() {
    let refused = |trace: Option<&str>, reason: &str| {
        let words = plan_of(SCENARIO, trace).unwrap_err().to_string();
        assert!(words.contains("t.toml:15: churn.trace: ") && words.contains(reason), "{words}");
    };
    refused(None, "trace.csv: No such file");
    refused(Some(""), "trace.csv:1: the first line is name,at_s,up");
    refused(Some("a-1,1,0\n"), "trace.csv:1: the first line is name,at_s,up");
    refused(Some("at_s,name,up\n1,a-1,0\n"), "trace.csv:1: the first line is name,at_s,up");
    refused(Some("name,at_s,up\n"), "nobody comes or goes in it");
    refused(Some("name,at_s,up\na-1,1\n"), "line: 2");
    refused(Some("name,at_s,up\na-1,1,0,0\n"), "line: 2");
}

#[test]
fn a_trace_that_goes_on_after_the_time_limit_is_refused() {
    let words = plan("name,at_s,up\na-1,59,0\na-1,61,1\n").unwrap_err().to_string();
    assert!(words.contains("t.toml:3: time_limit: a-1: back at 61s comes after the time limit"), "{words}");
}

#[test]
fn a_trace_after_which_nobody_is_up_is_refused() {
    let gone = "name,at_s,up\na-1,1,0\na-2,1,0\na-3,1,0\nlate,6,0\n";
    assert!(plan(gone).unwrap_err().to_string().contains("no honest peer is up at the end"));
}

#[test]
fn what_means_nothing_beside_a_trace_is_refused() {
    for key in ["peers = [\"a\"]", "there = \"1s\"", "gone = \"1s\"", "from = \"1s\"", "until = \"9s\""] {
        let words = plan_of(&format!("{SCENARIO}{key}\n"), Some(GOOD)).unwrap_err().to_string();
        let name = key.split(' ').next().unwrap();
        assert!(words.contains(&format!("t.toml:16: churn.{name}: it means nothing beside a trace")), "{words}");
    }
}
