//! `compose`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use peerlearn_testnet::compose::{ComposeSetup, write_compose};
use peerlearn_testnet::scenario::{Document, Plan, partition_rows};

use super::error::CliError;

const EXAMPLES: &str = "Examples:
  peerlearn-testnet compose testnet/scenarios/smoke.toml --out net/compose.yaml
  docker compose -f net/compose.yaml up
  peerlearn-testnet compose slow.toml --netem";

/// Arguments of `compose`.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct ComposeArgs {
    /// The scenario. Its peers, rows and links are taken; what goes wrong in it is yours to do.
    scenario: PathBuf,
    /// Change a key of the scenario. May be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Where to write it; what peers are told and learn from goes into `specs` beside it [default:
    /// NAME-compose/compose.yaml].
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// The image, as scripts/image.sh makes it.
    #[arg(long, default_value = "peerlearn:local", value_name = "IMAGE")]
    image: String,
    /// Most memory of a container.
    #[arg(long, default_value = "256m", value_name = "BYTES")]
    memory: String,
    /// Most processors of a container.
    #[arg(long, default_value = "1", value_name = "N")]
    cpus: String,
    /// Make links bad by netem of the kernel, set by a container beside each peer that may do nothing else. Where the
    /// kernel has none, and without this, the nodes make their links bad themselves; each says which.
    #[arg(long)]
    netem: bool,
}

/// Writes a compose file.
pub fn compose(args: &ComposeArgs) -> Result<ExitCode, CliError> {
    let document = Document::read(&args.scenario)?.set(&args.set)?;
    let seed = document.scenario()?.seeds.first().copied().unwrap_or(0);
    let plan = Plan::new(&document, seed)?;
    let partitioned = partition_rows(&document, &plan.scenario.data, plan.peers.len(), seed)?;
    let usual = || PathBuf::from(format!("{}-compose", plan.scenario.name)).join("compose.yaml");
    let file = args.out.clone().unwrap_or_else(usual);
    let setup = ComposeSetup {
        image: args.image.clone(),
        memory: args.memory.clone(),
        cpus: args.cpus.clone(),
        netem: args.netem,
    };
    write_compose(&plan, &partitioned, &setup, &file)?;
    eprintln!("wrote {0}; next: docker compose -f {0} up", file.display());
    Ok(ExitCode::SUCCESS)
}
