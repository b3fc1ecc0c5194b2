//! `init`.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use peerlearn_testnet::scenario::{Document, template};

use super::error::CliError;

/// Arguments of `init`.
#[derive(Args)]
pub struct InitArgs {
    /// Where to write it; an existing file is never replaced.
    #[arg(default_value = "scenario.toml", value_name = "FILE")]
    file: PathBuf,
    /// Start from this scenario instead of the commented one.
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// Change a key on the way. May be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
}

/// Writes a scenario.
pub fn init(args: &InitArgs) -> Result<ExitCode, CliError> {
    let document = match &args.from {
        Some(path) => Document::read(path)?,
        None => Document::parse(&args.file, template().to_owned())?,
    };
    let text = document.set(&args.set)?.resolved();
    let failed = |source| CliError::File { action: "write", path: args.file.clone(), source };
    let file = std::fs::OpenOptions::new().write(true).create_new(true).open(&args.file);
    file.and_then(|mut file| file.write_all(text.as_bytes())).map_err(failed)?;
    eprintln!("wrote {0}; next: peerlearn-testnet run {0}", args.file.display());
    Ok(ExitCode::SUCCESS)
}
