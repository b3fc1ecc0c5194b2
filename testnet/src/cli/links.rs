//! `links`: makes the links of one container bad by the kernel, and keeps its network.

use std::process::ExitCode;

use clap::Args;
use peerlearn_testnet::netem::{self, NetemError};
use peerlearn_testnet::scenario::LinkSetup;

use super::error::CliError;
use peerlearn_cli::interrupted;

/// Arguments of `links`.
#[derive(Args)]
pub struct LinksArgs {
    /// What the links bear, as in a scenario but as JSON: {"delay": ["10ms", "30ms"], "loss": 0.01, "rate": "64kB"}.
    #[arg(value_name = "JSON", value_parser = parse)]
    links: LinkSetup,
    /// The interface.
    #[arg(long, default_value = "eth0", value_name = "NAME")]
    interface: String,
}

fn parse(text: &str) -> Result<LinkSetup, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

/// Shapes the interface and waits until it is told to end: the node that shares this network lives as long.
pub fn links(args: &LinksArgs) -> Result<ExitCode, CliError> {
    match netem::shape(&args.interface, &args.links) {
        Ok(()) => eprintln!("netem makes what leaves {} bad", args.interface),
        Err(NetemError::Missing) => eprintln!("{}: the node makes its links bad itself", NetemError::Missing),
        Err(error) => return Err(error.into()),
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(CliError::Runtime)?;
    runtime.block_on(interrupted());
    Ok(ExitCode::SUCCESS)
}
