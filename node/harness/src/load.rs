//! What processes cost: CPU time and memory.

use cpu_time::ProcessTime;

/// CPU seconds so far and memory now.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Load {
    /// CPU seconds since the start, both kinds, also of processes that have ended.
    pub cpu_s: f64,
    /// Resident memory now, MB, where the system tells.
    pub rss_mb: Option<f64>,
}

/// Measures this process from now on.
#[derive(Debug, Clone, Copy)]
pub struct LoadMeter(ProcessTime);

impl LoadMeter {
    /// Starts to measure.
    pub fn start() -> Self {
        Self(ProcessTime::now())
    }

    /// What this process has cost since the start.
    pub fn load(&self) -> Load {
        let status = std::fs::read_to_string("/proc/self/status").ok();
        Load { cpu_s: self.0.elapsed().as_secs_f64(), rss_mb: status.as_deref().and_then(resident_mb) }
    }
}

/// Resident memory in MB from the text of `/proc/PID/status`.
pub fn resident_mb(status: &str) -> Option<f64> {
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse::<f64>().ok().map(|kib| kib * 1024.0 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_from_the_text_of_the_system() {
        assert_eq!(resident_mb("Name:\tx\nVmRSS:\t  1000 kB\n"), Some(1.024));
        assert_eq!(resident_mb("nonsense"), None);
        assert!(LoadMeter::start().load().cpu_s >= 0.0);
    }
}
