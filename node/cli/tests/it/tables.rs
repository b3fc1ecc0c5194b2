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

/// What every node here is told of training.
const QUIET: [&str; 4] = ["--set", "data.validation=0.2", "--set", "training.learning_rate=0.1"];

fn node(path: &Path, command: &[&str], home: &str, more: &[&str]) -> std::process::Command {
    let mut process = peerlearn(path);
    process.args(command).args(["--home", home]).args(QUICK).args(QUIET).args(more);
    process
}

/// Two people with files of their own: other order, other names, other words; then answers for rows that nobody has labelled, by
/// the program and by the exported model in NumPy's words.
#[test]
fn two_people_with_tables_of_their_own_learn_and_ask_for_answers() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    animals(&path.join("ants.csv"), "size,weight,kind", |size, weight, kind| format!("{size},{weight},{kind}"));
    animals(&path.join("bats.csv"), "Art;Weight;name;Hoehe", |size, weight, kind| {
        let kind = if kind == "cat" { "Katze" } else { "Hund" };
        format!("{kind};{weight};x;{size}")
    });
    let seen =
        succeed(path, &["new", "ants.csv", "--label", "kind", "--model", "mlp:8", "--join", "open", "--home", "ant"]);
    assert!(seen.contains("2 classes: cat, dog") && seen.contains("size, weight"), "{seen}");
    succeed(path, &["task", "check"]);
    let mut ant = Running::start(node(path, &["run", "--task", "task.toml", "--data", "ants.csv"], "ant", &[]));
    ant.wait_for("others join with");
    let invitation = ticket(path, "ant");
    // What does not fit is refused before anything leaves, with what to type.
    let refused = node(path, &["join", &invitation, "--data", "bats.csv"], "bat", &[]).output().unwrap();
    let errors = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(4), "{errors}");
    assert!(errors.contains("no column \"size\"") && errors.contains("--label"), "{errors}");
    let mine = [
        "--data",
        "bats.csv",
        "--label",
        "Art",
        "--map",
        "size=Hoehe",
        "--map",
        "kind:cat=Katze",
        "--map",
        "kind:dog=Hund",
    ];
    let mut bat = Running::start(node(path, &["join", &invitation], "bat", &mine));
    bat.wait_for("(by your map)");
    bat.wait_for("mixed 1 of 1");
    bat.wait_for("round 30:");
    for (home, node) in [("ant", &mut ant), ("bat", &mut bat)] {
        succeed(path, &["stop", "--home", home]);
        assert!(node.wait().success());
    }
    // The home remembers task, data and map: nothing needs to be said again.
    let mut again = Running::start(node(path, &["run"], "bat", &[]));
    again.wait_for("others join with");
    again.kill();
    assert!(again.heard.iter().any(|line| line.contains("network ants")), "{}", again.heard.join("\n"));
    // Another list of classes is another task: refused in words.
    let mut other = node(path, &["join", &invitation], "cat", &mine);
    let other = other.args(["--set", "data.classes=[\"cat\",\"dog\",\"wolf\"]"]).output().unwrap();
    let errors = String::from_utf8_lossy(&other.stderr).into_owned();
    assert_eq!(other.status.code(), Some(4), "{errors}");
    assert!(errors.contains("data.classes names cat, dog, wolf"), "{errors}");
    // Rows without labels, in yet another order.
    fs::write(path.join("new.csv"), "weight,size\n4100,22\n29500,66\n4300,27\n").unwrap();
    let answers = succeed(path, &["predict", "--home", "ant", "--input", "new.csv"]);
    let lines: Vec<&str> = answers.lines().collect();
    assert_eq!(lines[0], "class,p(cat),p(dog)", "{answers}");
    let classes: Vec<&str> = lines[1..].iter().map(|line| line.split(',').next().unwrap()).collect();
    assert_eq!(classes, ["cat", "dog", "cat"], "{answers}");
    fs::write(path.join("new.csv"), "size,name\n22,x\n23,y\n").unwrap();
    let error = fail(path, &["predict", "--home", "ant", "--input", "new.csv"], 4);
    assert!(error.contains("no column \"weight\""), "{error}");
    // What goes on elsewhere knows the columns, the numbers they are scaled by, and the names of the answers.
    succeed(path, &["export", "model", "--home", "ant"]);
    let manifest: Value = serde_json::from_str(&fs::read_to_string(path.join("model/manifest.json")).unwrap()).unwrap();
    assert_eq!(
        (manifest["columns"].to_string(), manifest["classes"].to_string()),
        ("[\"size\",\"weight\"]".to_owned(), "[\"cat\",\"dog\"]".to_owned())
    );
    assert!(manifest["preprocessing"][1]["mean"].as_f64().unwrap() > 10_000.0, "{manifest}");
    for file in ["schema.json", "task.json", "predict.py", "README.md"] {
        assert!(path.join("model").join(file).exists(), "{file}");
    }
}
