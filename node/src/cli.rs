//! The command line: what can be asked, and how answers and errors look.
//!
//! Results go to standard output, everything else to standard error. Exit codes are listed in [`error::Exit`] and at the
//! end of `peerlearn --help`.

mod args;
mod demo;
mod error;
mod events;
mod node;
mod status;
mod view;

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

pub use args::{Cli, Command};
pub use error::{CliError, Exit};
pub use events::EventFile;

/// Parses the command line, carries it out and says how it went.
pub fn main() -> ExitCode {
    main_with(std::env::args_os())
}

/// The same with other words, the first of which is the name of the program.
pub fn main_with(words: impl IntoIterator<Item = OsString>) -> ExitCode {
    match run(Cli::parse_from(words)) {
        Ok(exit) => exit.into(),
        Err(error) => {
            error.print();
            error.exit().into()
        }
    }
}

/// Prints a result. Whoever closes the pipe early, as `head` does, has seen enough.
fn show(text: &str) -> Result<(), CliError> {
    let mut output = std::io::stdout().lock();
    match output.write_all(text.as_bytes()).and_then(|()| output.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        Err(source) => Err(CliError::File { action: "write to", path: "standard output".into(), source }),
        Ok(()) => Ok(()),
    }
}

fn run(cli: Cli) -> Result<Exit, CliError> {
    crate::telemetry::init(cli.log.as_deref(), cli.log_format)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("peerlearn").build();
    let runtime = runtime.map_err(|source| CliError::Runtime { source })?;
    let exit = runtime.block_on(async {
        match cli.command {
            Command::Demo(args) => demo::demo(args).await,
            Command::Init(args) => node::init(&args),
            Command::Run(args) => node::run(*args, None).await,
            Command::Ticket(args) => node::ticket(&args).await,
            Command::Join(args) => node::run(args.run, Some(args.ticket)).await,
            Command::Status(args) => node::status(&args).await,
            Command::Stop(args) => node::stop(&args).await,
            Command::Eval(args) => node::eval(&args),
            Command::Export(args) => node::export(&args).await,
        }
    });
    // A learner in the middle of a long step must not delay the end.
    runtime.shutdown_background();
    exit
}
