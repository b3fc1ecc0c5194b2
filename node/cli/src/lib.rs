//! The program `peerlearn`: what can be asked, and how answers and errors look.
//!
//! Results go to standard output, everything else to standard error. Exit codes are listed in [`error::Exit`] and at
//! the end of `peerlearn --help`.

mod access;
mod args;
mod data;
mod demo;
mod doctor;
mod ending;
mod error;
mod join;
mod measured;
mod model;
mod new;
mod node;
mod peers;
mod picture;
mod screen;
mod setup;
mod show;
mod status;
mod task;
mod telemetry;
mod view;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;

pub use args::{Cli, Command};
pub use ending::interrupted;
pub use error::{CliError, Exit};
pub use show::{ShowError, show, tell};

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

fn run(cli: Cli) -> Result<Exit, CliError> {
    telemetry::init(cli.log.as_deref(), cli.log_format)?;
    open_many_files();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("peerlearn").build();
    let runtime = runtime.map_err(|source| CliError::Runtime { source })?;
    let exit = runtime.block_on(async {
        match cli.command {
            Command::Demo(args) => demo::demo(args).await,
            Command::New(args) => new::new(&args),
            Command::Task(command) => task::task(&command),
            Command::Data(command) => data::data(&command),
            Command::Init(args) => node::init(&args),
            Command::Run(args) => node::run(*args).await,
            Command::Ticket(args) => node::ticket(&args).await,
            Command::Invite(args) => access::invite(&args).await,
            Command::Members(args) => access::members(&args).await,
            Command::Join(args) => join::join(*args).await,
            Command::Status(args) => node::status(&args).await,
            Command::Peers(args) => peers::peers(&args).await,
            Command::Doctor(args) => doctor::doctor(&args).await,
            Command::Stop(args) => node::stop(&args).await,
            Command::Eval(args) => model::eval(&args),
            Command::Predict(args) => model::predict(&args),
            Command::Export(args) => model::export(&args),
        }
    });
    // A learner in the middle of a long step must not delay the end.
    runtime.shutdown_background();
    exit
}

/// Lets this process open as many files at a time as it may: every connection is one, and many systems begin with a few
/// hundred. Where that is refused, things stay as they are.
fn open_many_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}
