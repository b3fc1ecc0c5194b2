//! What was run, where and by whom: `run.json`.

use std::time::SystemTime;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What was run, where and how.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RunInfo {
    /// Name of the scenario.
    pub name: String,
    /// What the scenario shows, in a sentence or two.
    pub about: String,
    /// `sim`, `inproc`, `process` or `docker`.
    pub driver: String,
    /// The exact command line.
    pub command: String,
    /// Version of the program.
    pub version: String,
    /// The commit it was built from, where known.
    pub commit: String,
    /// Where it ran.
    pub machine: Machine,
    /// When it started, RFC 3339 in UTC.
    pub started: String,
    /// The seeds, in the order they are run.
    pub seeds: Vec<u64>,
    /// How links were made worse: `simulated`, `node`, `netem` or `none`.
    pub link_faults: String,
    /// What a reader must know to understand the numbers.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// A machine.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Machine {
    /// Name of the processor.
    pub cpu: String,
    /// Processors usable by the run.
    pub cores: usize,
    /// Main memory, megabytes.
    pub memory_mb: u64,
    /// Operating system and architecture.
    pub os: String,
}

impl Machine {
    /// This machine, as far as it tells; what is unknown is "unknown" or 0.
    pub fn here() -> Self {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let value = |text: &str, key: &str, mark: char| {
            let line = text.lines().find(|line| line.starts_with(key))?;
            Some(line.split_once(mark)?.1.trim().trim_matches('"').to_owned())
        };
        let memory = value(&read("/proc/meminfo"), "MemTotal", ':').unwrap_or_default();
        let kib: u64 = memory.split(' ').next().and_then(|word| word.parse().ok()).unwrap_or(0);
        let os = value(&read("/etc/os-release"), "PRETTY_NAME", '=');
        Self {
            cpu: value(&read("/proc/cpuinfo"), "model name", ':').unwrap_or_else(|| "unknown".to_owned()),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            memory_mb: kib * 1024 / 1_000_000,
            os: format!("{} {}", os.unwrap_or_else(|| std::env::consts::OS.to_owned()), std::env::consts::ARCH),
        }
    }
}

/// A moment as RFC 3339 in UTC, to the second. One that no calendar has is the beginning of 1970.
pub fn utc(moment: SystemTime) -> String {
    let moment = Timestamp::try_from(moment).unwrap_or(Timestamp::UNIX_EPOCH);
    moment.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
