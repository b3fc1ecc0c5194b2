//! Children in containers.
//!
//! Each container is started by `docker run -i`, so its input ends with this process, and it with its input; `--rm`
//! takes it away. The network that joins them is made for one run; a helper process whose input is a pipe from this one
//! ([`reap`]) removes it, and whatever container should be left, however this process ended. Helper and clients are in
//! process groups of their own, so that Ctrl-C ends the run and not what clears up behind it.
//!
//! A node is the first process of its container. Its process here is found by a mark on its command line, without
//! asking the engine, which takes a second on a busy machine; so it is killed, stopped and measured as any process.
//! Where this system does not show it (an engine elsewhere, or in a virtual machine), the engine sends the signals.

use std::collections::BTreeMap;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::{FleetError, Place};

/// Where a container sees the directory of the run.
const MOUNT: &str = "/run/peerlearn";
/// The port that nodes listen on.
const PORT: u16 = 4001;
/// How often, and how many times, the helper looks whether all is gone: the engine may be in the middle of something.
const LOOK_EVERY: Duration = Duration::from_millis(500);
const LOOKS: u32 = 120;

/// What containers are made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DockerSetup {
    /// The image; its entry point is `peerlearn-testnet`.
    pub image: String,
    /// Most memory of a container, as `docker run --memory` takes it.
    pub memory: String,
    /// Most processors of a container, as `docker run --cpus` takes it.
    pub cpus: String,
}

/// Containers on a network of their own.
pub struct Containers {
    setup: DockerSetup,
    /// The run's directory here.
    directory: PathBuf,
    /// Name of the network, and prefix of the names of containers.
    label: String,
    user: String,
    moves: BTreeMap<String, u32>,
    reaper: Option<Child>,
}

impl Containers {
    /// Makes the network.
    ///
    /// # Errors
    /// There is no engine, no such image, or the network cannot be made.
    pub fn new(setup: DockerSetup, directory: &Path, label: &str) -> Result<Self, FleetError> {
        docker(&["image", "inspect", "--format", "{{.Id}}", &setup.image]).map_err(|error| FleetError::Docker {
            reason: format!("there is no image {}; build it with scripts/image.sh ({error})", setup.image),
        })?;
        let directory = std::path::absolute(directory).map_err(|source| FleetError::File {
            action: "find",
            path: directory.to_owned(),
            source,
        })?;
        docker(&["network", "create", "--internal", "--label", "peerlearn-testnet", label])?;
        let (uid, gid) = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
        let reaper = std::env::current_exe().and_then(|program| {
            let mut reaper = Command::new(program);
            reaper.args(["reap", label]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
            reaper.process_group(0).spawn()
        });
        let reaper = reaper.inspect_err(|error| tracing::warn!(%error, "nobody clears up after this process")).ok();
        let user = format!("{uid}:{gid}");
        Ok(Self { setup, directory, label: label.to_owned(), user, moves: BTreeMap::new(), reaper })
    }

    fn container(&self, name: &str) -> String {
        format!("{}-{name}", self.label)
    }
}

impl Place for Containers {
    fn command(&self, _: usize, name: &str) -> Command {
        let mut command = Command::new("docker");
        command.process_group(0);
        command.args(["run", "--interactive", "--rm", "--read-only", "--cap-drop", "ALL"]);
        command.args(["--security-opt", "no-new-privileges", "--log-driver", "none", "--no-healthcheck"]);
        command.args(["--label", "peerlearn-testnet", "--name", &self.container(name), "--hostname", name]);
        command.args(["--network", &self.label, "--user", &self.user]);
        command.args(["--memory", &self.setup.memory, "--cpus", &self.setup.cpus]);
        command.arg("--volume").arg(format!("{}:{MOUNT}", self.directory.display()));
        command.args([&self.setup.image, "member", "--mark", &self.container(name)]);
        command
    }

    fn pid(&self, name: &str, _: &Child) -> Option<u32> {
        marked(&self.container(name))
    }

    fn signal(&self, name: &str, signal: &'static str) -> Result<(), FleetError> {
        docker(&["kill", "--signal", signal, &self.container(name)]).map(drop)
    }

    fn seen(&self, path: &Path) -> PathBuf {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        path.strip_prefix(&self.directory).map_or_else(|_| path.clone(), |inner| Path::new(MOUNT).join(inner))
    }

    fn listen(&self) -> Vec<String> {
        vec![format!("/ip4/0.0.0.0/tcp/{PORT}")]
    }

    async fn relocate(&mut self, name: &str) -> Result<bool, FleetError> {
        let container = self.container(name);
        docker(&["network", "disconnect", &self.label, &container])?;
        // While it is away, somebody else takes its old address, so that it gets another.
        let turn = self.moves.entry(name.to_owned()).or_default();
        *turn += 1;
        let stand_in = format!("{container}-old-{turn}");
        let held =
            docker(&["create", "--name", &stand_in, "--label", "peerlearn-testnet", &self.setup.image, "version"]);
        if held.is_ok() {
            let _ = docker(&["network", "connect", &self.label, &stand_in]);
        }
        docker(&["network", "connect", &self.label, &container])?;
        let _ = docker(&["rm", "--force", &stand_in]);
        Ok(true)
    }

    async fn clear(&mut self) {
        match self.reaper.take() {
            Some(mut reaper) => {
                drop(reaper.stdin.take());
                let _ = reaper.wait();
            }
            None => clear_all(&self.label),
        }
    }
}

/// The process of a node that has this mark: `PROGRAM member --mark MARK`.
fn marked(mark: &str) -> Option<u32> {
    let end = format!("\0member\0--mark\0{mark}\0");
    let processes = std::fs::read_dir("/proc").ok()?.flatten();
    let mut pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.find(|pid| {
        let words = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        // The client that started the container has these words too, but more before them.
        let program = words.strip_suffix(end.as_bytes());
        program.is_some_and(|program| !program.is_empty() && !program.contains(&0))
    })
}

/// Waits until standard input ends, then removes the containers and the network of a run.
pub fn reap(label: &str) {
    let mut rest = Vec::new();
    // Ends when the process at the other end of the pipe does.
    let _ = std::io::stdin().read_to_end(&mut rest);
    clear_all(label);
}

fn clear_all(label: &str) {
    // A container may be in the making, so once is not enough.
    let mut clean = 0;
    for _ in 0..LOOKS {
        clean = if clear(label) { clean + 1 } else { 0 };
        if clean == 2 {
            return;
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

/// Removes what there is of a run; whether there was nothing.
fn clear(label: &str) -> bool {
    let list = |what: &str, filter: &str| {
        let all: &[&str] = if what == "container" { &["--all"] } else { &[] };
        docker(&[&[what, "ls", "--quiet", "--filter", filter], all].concat())
    };
    let (Ok(containers), Ok(networks)) =
        (list("container", &format!("name=^{label}-")), list("network", &format!("name=^{label}$")))
    else {
        return false;
    };
    let found: Vec<&str> = containers.split_whitespace().collect();
    if !found.is_empty() {
        // Some may be on their way out already.
        let _ = docker(&[&["rm", "--force"], &found[..]].concat());
    }
    if !networks.trim().is_empty() {
        // As long as a container is on it, this fails.
        let _ = docker(&["network", "rm", label]);
    }
    found.is_empty() && networks.trim().is_empty()
}

fn docker(arguments: &[&str]) -> Result<String, FleetError> {
    let output = Command::new("docker").args(arguments).stdin(Stdio::null()).output();
    let output = output.map_err(|error| FleetError::Docker { reason: error.to_string() })?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(FleetError::Docker { reason: String::from_utf8_lossy(&output.stderr).trim().to_owned() }),
    }
}
