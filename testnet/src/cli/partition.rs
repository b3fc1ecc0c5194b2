//! `partition`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use peerlearn_testnet::scenario::{Document, Plan, partition_rows};

use super::error::CliError;

/// Arguments of `partition`.
#[derive(Args)]
pub struct PartitionArgs {
    /// The scenario.
    scenario: PathBuf,
    /// Change a key. May be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Which of its seeds.
    #[arg(long, value_name = "SEED")]
    seed: Option<u64>,
    /// Save it; other scenarios use it with data.partition = "file:PATH".
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
}

/// Shows who gets how many rows of which class.
pub fn partition(args: &PartitionArgs) -> Result<ExitCode, CliError> {
    let document = Document::read(&args.scenario)?.set(&args.set)?;
    let scenario = document.scenario()?;
    let seed = args.seed.unwrap_or(scenario.seeds.first().copied().unwrap_or(0));
    let plan = Plan::new(&document, seed)?;
    let partitioned = partition_rows(&document, &scenario.data, plan.peers.len(), seed)?;
    let most = partitioned.parts.iter().map(|part| part.train.len()).max().unwrap_or(1);
    say!("{}, seed {seed}: rows to train on, by class", scenario.data.partition)?;
    for (peer, part) in plan.peers.iter().zip(&partitioned.parts) {
        let counts = part.train.class_counts();
        let bar = "#".repeat((part.train.len() * 30).div_ceil(most));
        let classes: Vec<String> = counts.iter().map(|count| format!("{count:>4}")).collect();
        say!("{:<16} {:>6} {bar:<30} {}", peer.name, part.train.len(), classes.join(" "))?;
    }
    if let Some(path) = &args.save {
        let text = serde_json::to_string(&partitioned.assignment).map_err(std::io::Error::from);
        let saved = text.and_then(|text| std::fs::write(path, text));
        saved.map_err(|source| CliError::File { action: "write", path: path.clone(), source })?;
        eprintln!("saved to {}", path.display());
    }
    Ok(ExitCode::SUCCESS)
}
