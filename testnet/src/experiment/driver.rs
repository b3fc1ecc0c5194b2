//! The four ways to run a scenario.

use std::fmt;

use clap::ValueEnum;

/// How a scenario is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Driver {
    /// Simulated peers in virtual time.
    Sim,
    /// Real nodes in one process.
    Inproc,
    /// Real nodes, each in a process of its own.
    Process,
    /// Real nodes, each in a container of its own.
    Docker,
}

impl fmt::Display for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Driver::Sim => "sim",
            Driver::Inproc => "inproc",
            Driver::Process => "process",
            Driver::Docker => "docker",
        })
    }
}
