//! `report`.

use std::path::PathBuf;

use clap::Args;

use peerlearn_testnet::report::write_report;

use super::error::CliError;

/// Arguments of `report`.
#[derive(Args)]
pub struct ReportArgs {
    /// A run directory; a run that was cut or still goes on will do.
    #[arg(value_name = "RUN")]
    pub directory: PathBuf,
}

impl ReportArgs {
    /// Writes `report.html` and says where.
    ///
    /// # Errors
    /// Any [`CliError`].
    pub fn run(&self) -> Result<(), CliError> {
        say!("{}", write_report(&self.directory)?.display())?;
        Ok(())
    }
}
