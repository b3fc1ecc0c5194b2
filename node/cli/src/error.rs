//! Errors on the command line, and exit codes.

use std::error::Error as _;
use std::path::PathBuf;
use std::process::ExitCode;

use peerlearn::NodeError;
use peerlearn::config::ConfigError;
use peerlearn::control::ControlError;
use peerlearn::learner::LearnError;
use peerlearn::registry::{RegistryError, UpgradeError};
use peerlearn::task::DocumentError;
use peerlearn::ticket::TicketError;
use peerlearn_harness::DemoError;
use thiserror::Error;

use crate::show::ShowError;
use crate::telemetry::TelemetryError;

/// How the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// Something failed that has no code of its own.
    Failed = 1,
    /// The command line is wrong. (clap uses the same code.)
    Usage = 2,
    /// A setting is wrong.
    Settings = 3,
    /// Something is wrong with the data.
    Data = 4,
    /// Something is wrong with the network.
    Network = 5,
    /// Something is wrong with the home directory.
    Home = 6,
    /// No node is running there, or it does not answer.
    NotRunning = 7,
    /// Interrupted before the result was there.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}

/// Why a command failed.
#[derive(Debug, Error)]
pub enum CliError {
    /// A setting is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The log filter is wrong.
    #[error(transparent)]
    Telemetry(#[from] TelemetryError),
    /// A demo could not run.
    #[error(transparent)]
    Demo(#[from] DemoError),
    /// A node could not run.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// The running node does not answer.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// The model does not fit the data.
    #[error(transparent)]
    Learn(#[from] LearnError),
    /// A ticket is wrong.
    #[error(transparent)]
    Ticket(#[from] TicketError),
    /// A result cannot be shown.
    #[error(transparent)]
    Show(#[from] ShowError),
    /// A file of the command line cannot be written or read.
    #[error("cannot {action} {path}: {source}", path = path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A picture could not be drawn.
    #[error("cannot draw {path}: {reason}", path = path.display())]
    Picture {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The command line contradicts itself, or asks for what cannot be.
    #[error("{reason}")]
    Usage {
        /// Why.
        reason: String,
    },
    /// A home cannot go on with another task.
    #[error("cannot continue with the new task: {0}")]
    Upgrade(#[from] UpgradeError),
    /// A task.toml is wrong.
    #[error("{path}, {error}", path = path.display())]
    TaskFile {
        /// The file.
        path: PathBuf,
        /// What is wrong, with the line.
        error: DocumentError,
    },
    /// A file cannot be learnt from for this task.
    #[error("{path} does not fit:\n{findings}", findings = findings.trim_end())]
    Unfit {
        /// The file.
        path: String,
        /// What does not fit, one line each.
        findings: String,
    },
    /// Somebody was asked and said no.
    #[error("not joined; nothing has left this machine")]
    Declined,
    /// There is nothing to measure or export.
    #[error("{home} has no checkpoint yet; run a node there first", home = home.display())]
    NoCheckpoint {
        /// The directory.
        home: PathBuf,
    },
    /// The data have no rows to measure on.
    #[error("there are neither validation nor test rows; set data.validation above 0")]
    NothingToMeasure,
    /// The node ended on its own.
    #[error("the node cannot go on: {reason}")]
    Ended {
        /// Why.
        reason: String,
    },
    /// Answers could not be written as a table.
    #[error("cannot write the answers as CSV: {source}")]
    Table {
        /// Why.
        source: csv::Error,
    },
    /// The runtime could not be made.
    #[error("cannot start the runtime: {source}")]
    Runtime {
        /// What the system said.
        source: std::io::Error,
    },
    /// A result could not be written as JSON.
    #[error("cannot write the result as JSON: {source}")]
    Json {
        /// Why.
        source: serde_json::Error,
    },
}

impl From<RegistryError> for CliError {
    fn from(error: RegistryError) -> Self {
        Self::Node(NodeError::Registry(error))
    }
}

impl CliError {
    /// The code the process ends with.
    pub fn exit(&self) -> Exit {
        match self {
            CliError::Config(_) => Exit::Settings,
            CliError::Telemetry(_) => Exit::Usage,
            CliError::Node(error) => node_exit(error),
            CliError::Demo(error) => match error {
                DemoError::Peers { .. } => Exit::Usage,
                DemoError::Partition(_) | DemoError::Data(_) | DemoError::NoTest { .. } => Exit::Data,
                DemoError::Node(error) => node_exit(error),
                DemoError::Learn(_) | DemoError::Train(_) => Exit::Data,
                DemoError::Output(_) | DemoError::Failed { .. } => Exit::Failed,
            },
            // Only a ticket can be refused by a node that runs.
            CliError::Control(ControlError::Refused { .. }) => Exit::Network,
            CliError::Control(_) => Exit::NotRunning,
            CliError::Learn(_) | CliError::NothingToMeasure => Exit::Data,
            CliError::Ticket(_) => Exit::Network,
            CliError::NoCheckpoint { .. } | CliError::Upgrade(_) => Exit::Home,
            CliError::Usage { .. } => Exit::Usage,
            CliError::TaskFile { .. } => Exit::Settings,
            CliError::Unfit { .. } => Exit::Data,
            CliError::Declined => Exit::Interrupted,
            CliError::File { .. }
            | CliError::Show(_)
            | CliError::Picture { .. }
            | CliError::Ended { .. }
            | CliError::Table { .. }
            | CliError::Runtime { .. }
            | CliError::Json { .. } => Exit::Failed,
        }
    }

    /// Prints the error and its causes to standard error.
    pub fn print(&self) {
        let label = console::style("error:").for_stderr().red().bold();
        super::tell(&format!("{label} {self}"));
        let mut text = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            // Most messages already hold their cause.
            if !text.contains(&error.to_string()) {
                text = error.to_string();
                super::tell(&format!("  because {text}"));
            }
            cause = error.source();
        }
    }
}

fn node_exit(error: &NodeError) -> Exit {
    match error {
        NodeError::Name { .. } => Exit::Usage,
        NodeError::Setting(_) | NodeError::Sampling(_) | NodeError::Task(_) | NodeError::Model { .. } => Exit::Settings,
        NodeError::Data(_) | NodeError::Learn(_) => Exit::Data,
        NodeError::Registry(_) => Exit::Home,
        NodeError::Network(_) | NodeError::Contact { .. } => Exit::Network,
        NodeError::Start { .. } => Exit::Failed,
    }
}
