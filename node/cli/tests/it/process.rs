//! A running `peerlearn`, with its standard error as a stream of lines.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};

use serde_json::Value;

pub const BINARY: &str = env!("CARGO_BIN_EXE_peerlearn");

/// `peerlearn` in a directory of its own, without settings from the environment of whoever runs the tests.
pub fn peerlearn(directory: &Path) -> Command {
    let mut command = Command::new(BINARY);
    command.current_dir(directory);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("PEERLEARN_")) {
        command.env_remove(name);
    }
    command
}

/// Runs to the end.
pub fn output(directory: &Path, arguments: &[&str]) -> Output {
    peerlearn(directory).args(arguments).output().unwrap()
}

/// Runs to the end, which must be good; answers standard output.
pub fn succeed(directory: &Path, arguments: &[&str]) -> String {
    let output = output(directory, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Runs to the end, which must be this exit code; answers standard error.
pub fn fail(directory: &Path, arguments: &[&str], code: i32) -> String {
    let output = output(directory, arguments);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {errors}");
    assert!(errors.contains("error:"), "{errors}");
    assert!(!errors.contains("panicked"), "{errors}");
    errors
}

/// Quick rounds on loopback, without looking for strangers.
pub const QUICK: [&str; 14] = [
    "--set",
    "network.listen=[\"/ip4/127.0.0.1/tcp/0\"]",
    "--set",
    "network.mdns=false",
    "--set",
    "round.min_interval=20ms",
    "--set",
    "round.commit_every=0s",
    "--set",
    "round.join_wait=10ms",
    "--set",
    "round.evaluate_every=1",
    "--set",
    "training.steps=5",
];

/// A process in the background; killed with the test.
pub struct Running {
    child: Child,
    lines: Receiver<String>,
    /// Everything read so far.
    pub heard: Vec<String>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Running {
    pub fn start(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = sync_channel(10_000);
        let mut errors = BufReader::new(child.stderr.take().unwrap());
        std::thread::spawn(move || {
            let mut line = String::new();
            // A line without its end is half a line: the process was killed while it wrote.
            while errors.read_line(&mut line).is_ok() && line.ends_with('\n') {
                if sender.send(line.trim_end().to_owned()).is_err() {
                    return;
                }
                line.clear();
            }
        });
        Self { child, lines, heard: Vec::new() }
    }

    /// A node in `home`, with quick rounds and these arguments behind them.
    pub fn node(directory: &Path, home: &str, arguments: &[&str]) -> Self {
        let mut command = peerlearn(directory);
        command.args(["run", "--home", home]).args(QUICK).args(arguments);
        Self::start(command)
    }

    /// Reads lines until one contains `word`; `None` when the process ends before.
    pub fn find(&mut self, word: &str) -> Option<String> {
        loop {
            let line = self.lines.recv().ok()?;
            self.heard.push(line.clone());
            if line.contains(word) {
                return Some(line);
            }
        }
    }

    /// As [`Running::find`], but the process must live to say it.
    pub fn wait_for(&mut self, word: &str) -> String {
        self.find(word).unwrap_or_else(|| panic!("the process ended without {word:?}:\n{}", self.heard.join("\n")))
    }

    /// Reads what is left after the end.
    pub fn drain(&mut self) -> &[String] {
        while let Ok(line) = self.lines.recv() {
            self.heard.push(line);
        }
        &self.heard
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([name, &self.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// SIGKILL, and waits for the end.
    pub fn kill(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    pub fn wait(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}

/// What `peerlearn status --json` says.
pub fn status(directory: &Path, home: &str) -> Value {
    serde_json::from_str(&succeed(directory, &["status", "--json", "--home", home])).unwrap()
}

/// The ticket of a running node.
pub fn ticket(directory: &Path, home: &str) -> String {
    succeed(directory, &["ticket", "--home", home]).trim().to_owned()
}
