//! Children in containers.
//!
//! Each container is started by `docker run -i`, so its input ends with this process, and it with its input; `--rm` takes
//! it away. The network that joins them is made for one run; a helper process whose input is a pipe from this one
//! ([`reap`]) removes it, and whatever container should be left, however this process ended.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::{FleetError, Place};

/// Where a container sees the directory of the run.
const MOUNT: &str = "/run/peerlearn";
/// The port that nodes listen on.
const PORT: u16 = 4001;

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
            Command::new(program).args(["reap", label]).stdin(Stdio::piped()).stderr(Stdio::null()).spawn()
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
        command.args(["run", "--interactive", "--rm", "--init", "--read-only", "--cap-drop", "ALL"]);
        command.args(["--security-opt", "no-new-privileges", "--log-driver", "none"]);
        command.args(["--label", "peerlearn-testnet", "--name", &self.container(name), "--hostname", name]);
        command.args(["--network", &self.label, "--user", &self.user]);
        command.args(["--memory", &self.setup.memory, "--cpus", &self.setup.cpus]);
        command.arg("--volume").arg(format!("{}:{MOUNT}", self.directory.display()));
        command.args([&self.setup.image, "member"]);
        command
    }

    fn pid(&self, name: &str, _: &Child) -> Option<u32> {
        let found = docker(&["top", &self.container(name), "-eo", "pid,args"]).ok()?;
        // The first process is the init that hands on signals.
        let line = found.lines().skip(1).find(|line| line.contains("member") && !line.contains("docker-init"))?;
        line.split_whitespace().next()?.parse().ok()
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
        clear(&self.label);
        if let Some(mut reaper) = self.reaper.take() {
            drop(reaper.stdin.take());
            let _ = reaper.wait();
        }
    }
}

/// Waits until standard input ends, then removes the containers and the network of a run.
pub fn reap(label: &str) {
    let mut rest = Vec::new();
    // Ends when the process at the other end of the pipe does.
    let _ = std::io::stdin().read_to_end(&mut rest);
    clear(label);
}

fn clear(label: &str) {
    let filter = format!("name=^{label}-");
    let left = docker(&["ps", "--all", "--quiet", "--filter", &filter]).unwrap_or_default();
    for container in left.split_whitespace() {
        let _ = docker(&["rm", "--force", container]);
    }
    // It may be gone already.
    let _ = docker(&["network", "rm", label]);
}

fn docker(arguments: &[&str]) -> Result<String, FleetError> {
    let output = Command::new("docker").args(arguments).stdin(Stdio::null()).output();
    let output = output.map_err(|error| FleetError::Docker { reason: error.to_string() })?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(FleetError::Docker { reason: String::from_utf8_lossy(&output.stderr).trim().to_owned() }),
    }
}
