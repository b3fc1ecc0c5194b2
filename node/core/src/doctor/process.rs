//! What the process of a node takes of its machine. Read from /proc; elsewhere it is not measured.

use serde::{Deserialize, Serialize};

/// A process. What cannot be read is `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Its number.
    pub id: u32,
    /// Bytes of memory that it holds now.
    pub resident: Option<u64>,
    /// Most bytes of memory that it held since its start.
    pub peak: Option<u64>,
    /// Open file descriptors.
    pub open_files: Option<u64>,
    /// Most file descriptors that it may open.
    pub max_files: Option<u64>,
}

impl Process {
    /// This process.
    pub fn this() -> Self {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
        Self {
            id: std::process::id(),
            resident: kilobytes(&status, "VmRSS:"),
            peak: kilobytes(&status, "VmHWM:"),
            open_files: std::fs::read_dir("/proc/self/fd").ok().map(|files| files.count() as u64),
            max_files: max_files(&limits),
        }
    }
}

/// The bytes in a line such as `VmRSS:     1234 kB`.
fn kilobytes(text: &str, key: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
}

/// The soft limit in `Max open files   1024   4096   files`; as many as there are, where there is none.
fn max_files(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    match line.split_whitespace().next()? {
        "unlimited" => Some(u64::MAX),
        number => number.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_system_are_read() {
        assert_eq!(kilobytes("VmPeak:\t 9 kB\nVmRSS:\t  12 kB\n", "VmRSS:"), Some(12 * 1024));
        assert_eq!(kilobytes("VmRSS:\t x kB\n", "VmRSS:"), None);
        assert_eq!(max_files("Limit  Soft\nMax open files            1024                 4096  files\n"), Some(1024));
        assert_eq!(max_files(""), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_process_is_measured() {
        let this = Process::this();
        assert!(this.resident > Some(0) && this.open_files > Some(2) && this.max_files >= this.open_files, "{this:?}");
    }
}
