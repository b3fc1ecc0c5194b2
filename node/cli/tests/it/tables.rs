//! People's own tables: columns in any order, classes by name, and answers for rows that nobody has labelled yet.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::process::{QUICK, Running, fail, peerlearn, succeed, ticket};

/// Two kinds of animals that differ in size and weight, far from zero and on very different scales.
fn animals(path: &Path, header: &str, row: impl Fn(f32, f32, &str) -> String) {
    let mut text = format!("{header}\n");
    for number in 0..60 {
        let (nudge, is_cat) = ((number * 7 % 10) as f32, number % 2 == 0);
        let (size, weight) =
            if is_cat { (20.0 + nudge, 4000.0 + 50.0 * nudge) } else { (60.0 + nudge, 30_000.0 - 100.0 * nudge) };
        let _ = writeln!(text, "{}", row(size, weight, if is_cat { "cat" } else { "dog" }));
    }
    fs::write(path, text).unwrap();
}

fn table(settings: &[&str]) -> Vec<String> {
    let common = ["data.label=kind", "data.validation=0.2", "task.model=mlp:8", "training.learning_rate=0.1"];
    common.iter().chain(settings).flat_map(|setting| ["--set".to_owned(), (*setting).to_owned()]).collect()
}

#[test]
fn two_people_with_tables_of_their_own_learn_and_ask_for_answers() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    animals(&path.join("ants.csv"), "size,weight,kind", |size, weight, kind| format!("{size},{weight},{kind}"));
    animals(&path.join("bats.csv"), "kind,weight,name,size", |size, weight, kind| format!("{kind},{weight},x,{size}"));
    let start = |command: &[&str], home: &str, settings: &[&str]| {
        let mut process = peerlearn(path);
        process.args(command).args(["--home", home]).args(QUICK).args(table(settings));
        Running::start(process)
    };
    let mut ant = start(&["run"], "ant", &["data.source=ants.csv"]);
    ant.wait_for("others join with");
    let invitation = ticket(path, "ant");
    let same = ["data.source=bats.csv", "data.columns=[\"size\",\"weight\"]"];
    let mut bat = start(&["join", &invitation], "bat", &same);
    bat.wait_for("mixed 1 of 1");
    // Another list of classes is another task: refused at once, in words.
    let mut other = peerlearn(path);
    other.args(["join", &invitation, "--home", "cat"]).args(QUICK).args(table(&same));
    let other = other.args(["--set", "data.classes=[\"cat\",\"dog\",\"wolf\"]"]).output().unwrap();
    let errors = String::from_utf8_lossy(&other.stderr).into_owned();
    assert_eq!(other.status.code(), Some(5), "{errors}");
    assert!(errors.contains("class names") && errors.contains("3 classes"), "{errors}");
    bat.wait_for("round 30:");
    for (home, node) in [("ant", &mut ant), ("bat", &mut bat)] {
        succeed(path, &["stop", "--home", home]);
        assert!(node.wait().success());
    }
    // Rows without labels, in yet another order.
    fs::write(path.join("new.csv"), "weight,size\n4100,22\n29500,66\n4300,27\n").unwrap();
    let ask = |settings: &[&str]| {
        let arguments = ["predict", "--home", "bat", "--input", "new.csv"].map(str::to_owned);
        let all: Vec<String> = arguments.into_iter().chain(table(settings)).collect();
        succeed(path, &all.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let answers = ask(&[]);
    let lines: Vec<&str> = answers.lines().collect();
    assert_eq!(lines[0], "class,p(cat),p(dog)", "{answers}");
    let classes: Vec<&str> = lines[1..].iter().map(|line| line.split(',').next().unwrap()).collect();
    assert_eq!(classes, ["cat", "dog", "cat"], "{answers}");
    fs::write(path.join("new.csv"), "size,name\n22,x\n").unwrap();
    let error = fail(path, &["predict", "--home", "bat", "--input", "new.csv", "--set", "task.model=mlp:8"], 4);
    assert!(error.contains("no column \"weight\""), "{error}");
    // What goes on elsewhere knows the columns, the numbers they are scaled by, and the names of the answers.
    let export: Vec<String> =
        ["export", "model", "--home", "bat"].map(str::to_owned).into_iter().chain(table(&same)).collect();
    succeed(path, &export.iter().map(String::as_str).collect::<Vec<_>>());
    let manifest: Value = serde_json::from_str(&fs::read_to_string(path.join("model/manifest.json")).unwrap()).unwrap();
    assert_eq!(
        (manifest["columns"].to_string(), manifest["classes"].to_string()),
        ("[\"size\",\"weight\"]".to_owned(), "[\"cat\",\"dog\"]".to_owned())
    );
    assert_eq!(manifest["moments"].as_array().unwrap().len(), 2, "{manifest}");
}
