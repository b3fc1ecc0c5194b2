//! The machine: memory, open files, clock.

use std::path::Path;
use std::process::Command;

use peerlearn::doctor::{Process, Report};
use peerlearn_harness::bytes;

use super::finding::Finding;

/// What a node takes beside its model and rows, in bytes: measured at 20 to 40 MiB with up to 32 peers.
const BASE: u64 = 40 << 20;
/// Copies of its model that a node holds at most: own, trained, momentum, offered, and a few that were fetched.
const COPIES: u64 = 8;
/// Memory that should stay free for others, in bytes.
const SPARE: u64 = 64 << 20;
/// Files that a node opens beside its connections: home, data, sockets, the system's own.
const BESIDE: u64 = 64;
/// Connections at a time, where no settings say it.
const CONNECTIONS: u64 = 128;
/// Seconds since 1970 before which no clock can be right: this program is younger.
const BORN: u64 = 1_735_689_600;

pub(super) fn findings(home: &Path, report: Option<&Report>) -> Vec<Finding> {
    let process = report.map(|report| &report.process);
    vec![memory(home, process), files(report), clock()]
}

fn memory(home: &Path, process: Option<&Process>) -> Finding {
    let Some(available) = available() else { return Finding::unmeasured("memory", "memory that is available") };
    let free = bytes(available);
    let (needed, found) = match process.and_then(|process| Some((process.resident?, process.peak?))) {
        Some((resident, peak)) => {
            let found =
                format!("the node holds {}, {} at its most; {free} are available", bytes(resident), bytes(peak));
            (peak.saturating_sub(resident), found)
        }
        None => {
            let model = std::fs::metadata(home.join("checkpoint.safetensors")).map_or(0, |about| about.len());
            let needed = BASE.saturating_add(model.saturating_mul(COPIES));
            let found =
                format!("{free} are available, about {} are needed beside the rows (an estimate)", bytes(needed));
            (needed, found)
        }
    };
    match available {
        _ if available < needed => {
            Finding::fault("memory", found, "end other programs, or take a smaller model or fewer rows")
        }
        _ if available < needed.saturating_add(SPARE) => Finding::warning("memory", found, "end other programs"),
        _ => Finding::ok("memory", found),
    }
}

/// Memory that can be had: that of the machine or of the container, whichever is less.
fn available() -> Option<u64> {
    let machine = memory_available(&std::fs::read_to_string("/proc/meminfo").ok()?)?;
    let number =
        |name: &str| std::fs::read_to_string(format!("/sys/fs/cgroup/{name}")).ok()?.trim().parse::<u64>().ok();
    let container = number("memory.max").zip(number("memory.current"));
    Some(container.map_or(machine, |(most, now)| machine.min(most.saturating_sub(now))))
}

fn memory_available(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
}

fn files(report: Option<&Report>) -> Finding {
    let connections = report.map_or(CONNECTIONS, |report| u64::from(report.max_connections));
    let needed = connections.saturating_add(BESIDE);
    let this = Process::this();
    let process = report.map_or(&this, |report| &report.process);
    let Some(most) = process.max_files else { return Finding::unmeasured("files", "how many files may be open") };
    let most_words = if most == u64::MAX { "as many as there are".to_owned() } else { most.to_string() };
    let found = match process.open_files.filter(|_| report.is_some()) {
        Some(open) => format!("the node has {open} files open and may have {most_words}; up to {needed} are needed"),
        None => format!("a node may have {most_words} files open; up to {needed} are needed"),
    };
    let advice = format!("raise the limit before the start: ulimit -n {}", needed.max(4096));
    match process.open_files.filter(|_| report.is_some()) {
        Some(open) if open.saturating_add(8) >= most => Finding::fault("files", found, advice),
        _ if most < needed => Finding::warning("files", found, advice),
        _ => Finding::ok("files", found),
    }
}

/// The clock is judged by what this machine says of it: peers do not tell each other the time.
fn clock() -> Finding {
    let now = peerlearn::access::unix_now();
    let advice =
        "set the clock, or let the system do so: timedatectl set-ntp true; memberships and invitations end by it";
    if now < BORN {
        let found = "the clock stands before the year 2025, in which this program did not exist";
        return Finding::fault("clock", found, advice);
    }
    if Path::new("/run/systemd/timesync/synchronized").exists() {
        return Finding::ok("clock", "systemd-timesyncd has set the clock by a server since the start of this machine");
    }
    let asked = Command::new("timedatectl").args(["show", "--property=NTPSynchronized", "--value"]).output().ok();
    let said = asked.filter(|asked| asked.status.success()).map(|asked| asked.stdout);
    match said.as_deref().map(<[u8]>::trim_ascii) {
        Some(b"yes") => Finding::ok("clock", "the system says that its clock is synchronised (timedatectl)"),
        Some(b"no") => {
            Finding::warning("clock", "the system says that its clock is not synchronised (timedatectl)", advice)
        }
        _ => Finding::unmeasured("clock", "whether the clock is right"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Severity;
    use super::*;

    #[test]
    fn memory_is_read_as_the_system_says_it() {
        assert_eq!(memory_available("MemTotal: 9 kB\nMemAvailable:   12 kB\n"), Some(12 * 1024));
        assert_eq!(memory_available("MemTotal: 9 kB\n"), None);
    }

    #[test]
    fn what_is_not_measured_is_not_said_to_be_good() {
        let finding = Finding::unmeasured("clock", "whether the clock is right");
        assert_eq!(finding.severity, Severity::Note);
        assert!(finding.found.contains("not measured"));
    }
}
