//! Files as people hand them over: through pipes, as folders of pictures, too wide, or another than the one that is learnt from.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Stdio;

use super::process::{QUICK, Running, fail, peerlearn, succeed};

/// Two classes that a number tells apart, under these names; a line each.
fn rows(names: &str, separator: &str, count: usize) -> String {
    let mut text = format!("{}\n", names.replace(',', separator));
    for row in 0..count {
        let class = if row % 2 == 0 { "cat" } else { "dog" };
        let _ = writeln!(text, "{}{separator}{}{separator}{class}", 10 + 40 * (row % 2) + row % 9, 5 + row * 7 % 11);
    }
    text
}

/// Runs with a file as standard input.
fn piped(directory: &Path, file: &str, arguments: &[&str]) -> (Option<i32>, String) {
    let input = fs::File::open(directory.join(file)).unwrap();
    let (mut reader, writer) = std::io::pipe().unwrap();
    let copy = std::thread::spawn(move || {
        let (mut input, mut writer) = (input, writer);
        let _ = std::io::copy(&mut input, &mut writer);
    });
    let mut command = peerlearn(directory);
    command.args(arguments).stdin(Stdio::from(reader.try_clone().unwrap()));
    let output = command.output().unwrap();
    drop(command);
    // What nobody reads must not hold the writer up.
    let _ = std::io::copy(&mut reader, &mut std::io::sink());
    copy.join().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.code(), text)
}

/// Every command that takes data takes it through a pipe, though it looks at the rows more than once.
#[test]
fn tables_come_through_pipes() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    fs::write(path.join("rows.csv"), rows("size,age,kind", ",", 40)).unwrap();
    for arguments in [
        &["new", "-", "--label", "kind", "--to", "task.toml", "--home", "ant"][..],
        &["data", "check", "-", "--label", "kind"],
        &["data", "show", "/dev/stdin", "--label", "kind", "--task", "task.toml"],
        &[
            "demo",
            "--data",
            "-",
            "--test",
            "rows.csv",
            "--label",
            "kind",
            "--peers",
            "2",
            "--partition",
            "iid",
            "--rounds",
            "2",
        ],
    ] {
        let (code, text) = piped(path, "rows.csv", arguments);
        assert_eq!(code, Some(0), "{arguments:?}: {text}");
    }
}

/// A folder of pictures is looked at as any other data.
#[test]
fn folders_of_pictures_are_checked_too() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    // The smallest picture there is: one grey pixel.
    let png = [
        0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', 0, 0, 0, 13, b'I', b'H', b'D', b'R', 0, 0, 0, 1, 0, 0, 0, 1,
        8, 0, 0, 0, 0, 0x3a, 0x7e, 0x9b, 0x55, 0, 0, 0, 10, b'I', b'D', b'A', b'T', 0x78, 0x9c, 0x63, 0x60, 0, 0, 0, 2,
        0, 1, 0x48, 0xaf, 0xa4, 0x71, 0, 0, 0, 0, b'I', b'E', b'N', b'D', 0xae, 0x42, 0x60, 0x82,
    ];
    for class in ["cat", "dog"] {
        fs::create_dir_all(path.join("pictures").join(class)).unwrap();
        (0..3).for_each(|at| fs::write(path.join("pictures").join(class).join(format!("{at}.png")), png).unwrap());
    }
    for command in ["check", "show"] {
        let seen = succeed(path, &["data", command, "pictures"]);
        assert!(seen.contains("6 examples") && seen.contains("cat") && seen.contains("nothing has left"), "{seen}");
    }
    let json = succeed(path, &["data", "check", "pictures", "--json"]);
    assert!(json.contains("\"dog\":3"), "{json}");
}

#[test]
fn a_table_that_is_too_wide_is_a_matter_of_data() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let row = |cell: &dyn Fn(usize) -> String| (0..6000).map(cell).collect::<Vec<_>>().join(",");
    let mut text = row(&|at| format!("gene{at}")) + ",kind\n";
    (0..12).for_each(|line| {
        text.push_str(&format!("{},{}\n", row(&|at| (at * 7 % 13 + line * 3 % 7).to_string()), line % 2))
    });
    fs::write(path.join("wide.csv"), text).unwrap();
    let error = fail(path, &["new", "wide.csv", "--label", "kind"], 4);
    assert!(error.contains("--columns") && error.contains("6000 columns"), "{error}");
    assert!(!path.join("task.toml").exists());
}

/// What is measured is said, and of a file that nobody learns from it is all rows; names of the task are good there.
#[test]
fn another_file_is_measured_whole() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    fs::write(path.join("own.csv"), rows("Size,age,kind", ",", 60).replace("Size", "Laenge")).unwrap();
    fs::write(path.join("other.csv"), rows("size,age,kind", ";", 50)).unwrap();
    fs::write(path.join("task.csv"), rows("size,age,kind", ",", 60)).unwrap();
    succeed(path, &["new", "task.csv", "--label", "kind", "--model", "linear", "--home", "ant"]);
    let mut command = peerlearn(path);
    command
        .args(["run", "--task", "task.toml", "--home", "ant", "--data", "own.csv", "--map", "size=Laenge"])
        .args(QUICK);
    let mut node = Running::start(command);
    node.wait_for("round 3:");
    succeed(path, &["stop", "--home", "ant"]);
    assert!(node.wait().success());
    let all = succeed(path, &["eval", "--home", "ant", "--data", "other.csv"]);
    assert!(all.contains("all rows of other.csv: 50 rows"), "{all}");
    let own = succeed(path, &["eval", "--home", "ant", "--data", "own.csv"]);
    assert!(own.contains("own validation: 6 rows"), "{own}");
    let test = succeed(path, &["eval", "--home", "ant", "--test", "other.csv"]);
    assert!(test.contains("shared test: 50 rows"), "{test}");
    // Flags of a command go before its own words and after them.
    for arguments in [["members", "--home", "ant", "allow", "x"], ["members", "allow", "x", "--home", "ant"]] {
        let error = fail(path, &arguments, 7);
        assert!(!error.contains("cannot be used"), "{error}");
    }
}
