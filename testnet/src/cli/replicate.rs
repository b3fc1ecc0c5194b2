//! `replicate`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use peerlearn_testnet::data::data_dir;
use peerlearn_testnet::replications::{self, ReplicationError, Run, Scenario};

use super::error::CliError;

/// Arguments of `replicate`. With PEERLEARN_JOURNAL=FILE a run that was stopped goes on where it was.
#[derive(Args)]
pub struct ReplicateArgs {
    /// Which one.
    name: Option<String>,
    /// Less of everything, for a first look and for tests.
    #[arg(long)]
    fast: bool,
    /// Another scenario file than the one of the source tree.
    #[arg(long, value_name = "FILE")]
    scenario: Option<PathBuf>,
    /// Where results go. Without it they are only printed.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Only rows whose label has one of these words.
    #[arg(long, value_name = "WORD")]
    only: Vec<String>,
}

/// Runs a published result again.
pub fn replicate(args: ReplicateArgs) -> Result<ExitCode, CliError> {
    match &args.name {
        None => {
            for replication in replications::all() {
                say!("{:<18} {}", replication.name, replication.about)?;
            }
        }
        Some(name) => run(name, &args)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn run(name: &str, args: &ReplicateArgs) -> Result<(), CliError> {
    let replication = replications::find(name)?;
    let path = args.scenario.clone().unwrap_or_else(|| replications::folder().join(name).join("scenario.toml"));
    let scenario = Scenario::read(&path, args.fast)?;
    let run =
        Run { scenario, data: data_dir().map_err(ReplicationError::from)?, fast: args.fast, only: args.only.clone() };
    let report = (replication.run)(&run)?;
    peerlearn_cli::show(&report.markdown())?;
    Ok(args.out.as_ref().map_or(Ok(()), |folder| report.write(folder))?)
}
