//! The `peerlearn` program; everything is in the library.

fn main() -> std::process::ExitCode {
    peerlearn_cli::main()
}
