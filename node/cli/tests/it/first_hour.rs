//! A newcomer's first hour: every command of the README's first two screens, run as it stands there.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::process::BINARY;

/// The blocks of shell commands of a section.
fn blocks(readme: &str, heading: &str) -> Vec<String> {
    let section = readme.split("\n## ").find(|section| section.starts_with(heading)).unwrap();
    section.split("```sh\n").skip(1).map(|block| block.split("```").next().unwrap().to_owned()).collect()
}

#[test]
fn every_command_of_the_readme_works_as_it_stands_there() {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    // The samples lie where the README says; nothing else of the repository is needed.
    let samples = path.join("node/data/samples");
    fs::create_dir_all(&samples).unwrap();
    for entry in fs::read_dir(root.join("node/data/samples")).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), samples.join(entry.file_name())).unwrap();
    }
    let commands = blocks(&readme, "Your own data, with somebody else").join("\n");
    for command in
        ["new", "task check", "run", "invite", "data check", "join", "status", "predict", "eval", "export", "stop"]
    {
        assert!(commands.contains(&format!("peerlearn {command}")), "{command} is missing");
    }
    // As typed into a shell, except that the first command that fails ends it; nodes stay on this machine and take short rounds.
    let quick = "export PEERLEARN_NETWORK__LISTEN=/ip4/127.0.0.1/tcp/0 PEERLEARN_NETWORK__MDNS=false PEERLEARN_ROUND__MIN_INTERVAL=50ms";
    let binary = Path::new(BINARY).parent().unwrap();
    let script =
        format!("set -eo pipefail\ntrap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n{quick}\n{commands}\nwait");
    fs::write(path.join("first-hour.sh"), &script).unwrap();
    let search = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap());
    let mut shell = Command::new("bash");
    shell.arg("first-hour.sh").current_dir(path).env("PATH", search);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("PEERLEARN_")) {
        shell.env_remove(name);
    }
    let output = shell.output().unwrap();
    let (shown, told) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{shown}\n{told}");
    for words in [
        "row_id: it only numbers the rows",
        "task.toml is right",
        "class,p(no),p(yes)",
        "balanced accuracy",
        "1 known, 1 connected",
    ] {
        assert!(shown.contains(words), "{words:?} is missing:\n{shown}\n{told}");
    }
    for words in ["(by your map)", "leaves this machine", "wrote model.safetensors"] {
        assert!(told.contains(words), "{words:?} is missing:\n{told}");
    }
}
