//! The program `peerlearn-testnet`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use peerlearn_testnet::cli::{CompareArgs, ReportArgs, WatchArgs};
use peerlearn_testnet::data::data_dir;
use peerlearn_testnet::replications::{self, ReplicationError, Run, Scenario};

/// Experiments with networks of peers.
#[derive(Parser)]
#[command(name = "peerlearn-testnet", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run a published result again; without a name, list them. With PEERLEARN_JOURNAL=FILE a run that was stopped goes
    /// on where it was.
    Replicate {
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
    },
    /// Write the page report.html into a run directory.
    Report(ReportArgs),
    /// Compare runs: a table here, and a page with their curves.
    Compare(CompareArgs),
    /// Serve the page of a run, or of nodes that write their events, while it goes on.
    Watch(WatchArgs),
}

fn main() -> ExitCode {
    let done: Result<(), Box<dyn std::error::Error>> = match Arguments::parse().command {
        Command::Replicate { name: Some(name), fast, scenario, out, only } => {
            replicate(&name, fast, scenario, out, only).map_err(Into::into)
        }
        Command::Replicate { .. } => {
            replications::all().iter().for_each(|each| println!("{:<18} {}", each.name, each.about));
            Ok(())
        }
        Command::Report(args) => args.run().map_err(Into::into),
        Command::Compare(args) => args.run().map_err(Into::into),
        Command::Watch(args) => watch(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn watch(args: &WatchArgs) -> Result<(), Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    Ok(runtime.block_on(args.run())?)
}

fn replicate(
    name: &str,
    fast: bool,
    scenario: Option<PathBuf>,
    out: Option<PathBuf>,
    only: Vec<String>,
) -> Result<(), ReplicationError> {
    let replication = replications::find(name)?;
    let path = scenario.unwrap_or_else(|| replications::folder().join(name).join("scenario.toml"));
    let run = Run { scenario: Scenario::read(&path, fast)?, data: data_dir()?, fast, only };
    let report = (replication.run)(&run)?;
    print!("{}", report.markdown());
    out.map_or(Ok(()), |folder| report.write(&folder))
}
