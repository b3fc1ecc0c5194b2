//! The program `peerlearn-testnet`.

mod cli;

use std::process::ExitCode;

use clap::Parser;

use cli::{Arguments, Command};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match arguments.command {
        Command::Init(args) => cli::init(&args),
        Command::Run(args) => cli::run(&args),
        Command::Sweep(args) => cli::sweep(&args),
        Command::Partition(args) => cli::partition(&args),
        Command::Report(args) => args.run().map(|()| ExitCode::SUCCESS).map_err(Into::into),
        Command::Compare(args) => args.run().map(|()| ExitCode::SUCCESS).map_err(Into::into),
        Command::Watch(args) => cli::watch(&args),
        Command::Replicate(args) => cli::replicate(args),
        Command::Member => return cli::member(),
        Command::Reap { label } => {
            peerlearn_testnet::fleet::reap(&label);
            return ExitCode::SUCCESS;
        }
    };
    done.unwrap_or_else(|error| {
        eprintln!("error: {error}");
        error.code()
    })
}
