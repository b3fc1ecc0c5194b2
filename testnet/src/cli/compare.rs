//! `compare`.

use std::path::PathBuf;

use clap::Args;

use peerlearn_testnet::compare::compare;
use peerlearn_testnet::record::RecordError;

use super::error::CliError;

/// Arguments of `compare`.
#[derive(Args)]
pub struct CompareArgs {
    /// Run directories; all are compared with the first.
    #[arg(value_name = "RUN", num_args = 2.., required = true)]
    pub directories: Vec<PathBuf>,
    /// Where the page goes.
    #[arg(long, default_value = "compare.html", value_name = "FILE")]
    pub out: PathBuf,
}

impl CompareArgs {
    /// Prints the table and writes the page.
    ///
    /// # Errors
    /// Any [`CliError`].
    pub fn run(&self) -> Result<(), CliError> {
        let comparison = compare(&self.directories)?;
        peerlearn_cli::show(&comparison.text())?;
        let failed = |source| RecordError::Write { path: self.out.clone(), source };
        std::fs::write(&self.out, comparison.page()).map_err(failed)?;
        eprintln!("curves: {}", self.out.display());
        Ok(())
    }
}
