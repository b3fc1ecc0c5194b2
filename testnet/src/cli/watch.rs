//! `watch`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use peerlearn_testnet::watch::{Source, WatchError, serve};

use super::error::CliError;

/// Arguments of `watch`.
#[derive(Args)]
pub struct WatchArgs {
    /// A run directory that is being written.
    #[arg(value_name = "RUN", required_unless_present = "events", conflicts_with = "events")]
    pub directory: Option<PathBuf>,
    /// A directory into which nodes write their events, a file NAME.jsonl each (`peerlearn run --events`).
    #[arg(long, value_name = "DIR")]
    pub events: Option<PathBuf>,
    /// Where to serve the page. Port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDRESS")]
    pub listen: String,
}

/// Serves the page until it is interrupted.
pub fn watch(args: &WatchArgs) -> Result<ExitCode, CliError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.map_err(CliError::Runtime)?.block_on(args.run())?;
    Ok(ExitCode::SUCCESS)
}

impl WatchArgs {
    /// Serves the page until it is interrupted.
    ///
    /// # Errors
    /// Any [`CliError`].
    async fn run(&self) -> Result<(), CliError> {
        let source = match (&self.events, &self.directory) {
            (Some(events), _) => Source::events(events)?,
            (None, Some(run)) => Source::run(run)?,
            (None, None) => return Ok(()),
        };
        let failed = |source| WatchError::Listen { address: self.listen.clone(), source };
        let listener = tokio::net::TcpListener::bind(&self.listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        say!("http://{address}/")?;
        tokio::select! {
            ended = serve(source, listener) => Ok(ended.map_err(failed)?),
            _ = tokio::signal::ctrl_c() => Ok(()),
        }
    }
}
