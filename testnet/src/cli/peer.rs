//! `node`, `peer` and `health`: what an image runs that holds this program alone.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use peerlearn_testnet::homes;

use super::error::CliError;

/// Longest wait for a page.
const PATIENCE: Duration = Duration::from_secs(4);
/// Most of an answer that is read.
const MAX_LINE: u64 = 1024;

/// Arguments of `peer`.
#[derive(Args)]
pub struct PeerArgs {
    /// A directory with homes: this peer takes the first that nobody lives in.
    #[arg(long, default_value = "/state", value_name = "DIR")]
    homes: PathBuf,
    /// Append events to peer-N.jsonl in this directory, where N is the number of the home.
    #[arg(long, value_name = "DIR")]
    events: Option<PathBuf>,
    /// More words for `peerlearn run`.
    #[arg(last = true, value_name = "WORDS")]
    words: Vec<OsString>,
}

/// Arguments of `health`.
#[derive(Args)]
pub struct HealthArgs {
    /// The home of a node, or a directory with homes of which the node of this host has claimed one.
    #[arg(long, default_value = "/state", value_name = "DIR")]
    home: PathBuf,
    /// ControlRequest for the page that `watch` serves at this address instead.
    #[arg(long, value_name = "ADDRESS")]
    page: Option<SocketAddr>,
}

/// Runs a node in a home of its own.
pub fn peer(args: PeerArgs) -> Result<ExitCode, CliError> {
    // Held until the node has ended.
    let claim = homes::claim(&args.homes)?;
    let mut words: Vec<OsString> = vec!["run".into(), "--home".into(), claim.path.clone().into()];
    if let Some(events) = args.events {
        words.extend(["--events".into(), events.join(format!("peer-{}.jsonl", claim.number)).into()]);
    }
    // Homes are numbered from 1, so that no two peers of one machine keep the same part.
    let parts = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    if parts("PEERLEARN_DATA__PARTITION").is_some() && parts("PEERLEARN_DATA__PART").is_none() {
        let among = parts("PEERLEARN_DATA__PARTS").and_then(|parts| parts.parse().ok()).unwrap_or(8usize).max(1);
        words.extend(["--set".into(), format!("data.part={}", (claim.number as usize + among - 1) % among).into()]);
    }
    words.extend(args.words);
    Ok(node(words))
}

/// Asks a node how it is; fails where it does not answer.
pub fn health(args: &HealthArgs) -> Result<ExitCode, CliError> {
    if let Some(address) = args.page {
        let page = ask_page(address).map_err(|source| CliError::Page { address, source })?;
        return Ok(if page.starts_with("HTTP/1.1 200") { ExitCode::SUCCESS } else { ExitCode::from(4) });
    }
    let home = match args.home.join("control.sock").exists() {
        true => args.home.clone(),
        false => homes::own(&args.home)?.ok_or_else(|| CliError::NoNode { home: args.home.clone() })?,
    };
    Ok(node(vec!["status".into(), "--home".into(), home.into()]))
}

/// The first line of the answer.
fn ask_page(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET / HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n")?;
    let mut line = String::new();
    BufReader::new(stream.take(MAX_LINE)).read_line(&mut line)?;
    Ok(line)
}

/// Does what the program `peerlearn` does with these words.
pub fn node(words: Vec<OsString>) -> ExitCode {
    peerlearn_cli::main_with(std::iter::once("peerlearn".into()).chain(words))
}
