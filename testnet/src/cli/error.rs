//! What can go wrong, and the exit code it gives.

use std::path::PathBuf;
use std::process::ExitCode;

use peerlearn_cli::ShowError;
use peerlearn_testnet::compose::ComposeError;
use peerlearn_testnet::experiment::SweepError;
use peerlearn_testnet::homes::HomesError;
use peerlearn_testnet::netem::NetemError;
use peerlearn_testnet::record::RecordError;
use peerlearn_testnet::replications::ReplicationError;
use peerlearn_testnet::run::RunError;
use peerlearn_testnet::scenario::ScenarioError;
use peerlearn_testnet::watch::WatchError;
use thiserror::Error;

/// Why a command failed.
#[derive(Debug, Error)]
pub enum CliError {
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    #[error(transparent)]
    Run(#[from] RunError),
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error(transparent)]
    Replication(#[from] ReplicationError),
    #[error(transparent)]
    Watch(#[from] WatchError),
    #[error(transparent)]
    Homes(#[from] HomesError),
    #[error(transparent)]
    Compose(#[from] ComposeError),
    #[error(transparent)]
    Netem(#[from] NetemError),
    #[error(transparent)]
    Show(#[from] ShowError),
    #[error("no node of this host lives in {home}", home = home.display())]
    NoNode { home: PathBuf },
    #[error("no page at {address}: {source}")]
    Page { address: std::net::SocketAddr, source: std::io::Error },
    #[error("--vary: {0}")]
    Sweep(#[from] SweepError),
    #[error("cannot {action} {path}: {source}", path = path.display())]
    File { action: &'static str, path: PathBuf, source: std::io::Error },
    #[error("the runtime did not start: {0}")]
    Runtime(std::io::Error),
}

impl CliError {
    /// The exit code.
    pub fn code(&self) -> ExitCode {
        match self {
            CliError::Scenario(_) | CliError::Run(RunError::Scenario(_)) | CliError::Sweep(_) => ExitCode::from(3),
            _ => ExitCode::from(4),
        }
    }
}
