//! The program `peerlearn-testnet`. Called by the name `peerlearn` it is that program, so one file serves an image.

mod cli;

use std::path::Path;
use std::process::ExitCode;

use clap::Parser;

use cli::{Arguments, Command};

fn main() -> ExitCode {
    let called = std::env::args_os().next().and_then(|name| Some(Path::new(&name).file_stem()?.to_owned()));
    if called.is_some_and(|name| name == "peerlearn") {
        return peerlearn_cli::main();
    }
    let arguments = Arguments::parse();
    let done = match arguments.command {
        Command::Init(args) => cli::init(&args),
        Command::Run(args) => cli::run(&args),
        Command::Sweep(args) => cli::sweep(&args),
        Command::Partition(args) => cli::partition(&args),
        Command::Report(args) => args.run().map(|()| ExitCode::SUCCESS),
        Command::Compare(args) => args.run().map(|()| ExitCode::SUCCESS),
        Command::Watch(args) => cli::watch(&args),
        Command::Replicate(args) => cli::replicate(args),
        Command::Compose(args) => cli::compose(&args),
        Command::Peer(args) => cli::peer(args),
        Command::Health(args) => cli::health(&args),
        Command::Links(args) => cli::links(&args),
        Command::Node { words } => return cli::node(words),
        Command::Member(args) => return cli::member(&args),
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
