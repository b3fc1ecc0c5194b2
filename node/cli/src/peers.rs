//! `peerlearn peers`: the path to each peer, and what comes over it.

use std::fmt::Write;

use peerlearn::control::{ControlRequest, ask};
use peerlearn::doctor::{PeerReport, Report};
use peerlearn::network::Path;
use peerlearn_harness::bytes;
use serde_json::{Value, json};

use super::args::StatusArgs;
use super::ending::interrupted;
use super::error::{CliError, Exit};
use super::node::{CLEAR, WATCH_EVERY};

/// Shows every peer that the running node knows.
pub(super) async fn peers(args: &StatusArgs) -> Result<Exit, CliError> {
    let mut interrupted = std::pin::pin!(interrupted());
    loop {
        let mut answer = ask(&args.home.home, &ControlRequest::Report {}).await?;
        let text = match args.json {
            true => {
                let peers = answer.get_mut("peers").map_or_else(|| json!([]), Value::take);
                format!("{peers}\n")
            }
            false => {
                let report: Report = serde_json::from_value(answer).map_err(|source| CliError::Json { source })?;
                page(&report)
            }
        };
        // A terminal shows one page, a file one after the other.
        let clear = if args.watch && !args.json && console::user_attended() { CLEAR } else { "" };
        super::show(&format!("{clear}{text}"))?;
        if !args.watch {
            return Ok(Exit::Done);
        }
        tokio::select! {
            () = &mut interrupted => return Ok(Exit::Done),
            () = tokio::time::sleep(WATCH_EVERY) => {}
        }
    }
}

fn page(report: &Report) -> String {
    let connected = report.peers.iter().filter(|peer| peer.path.is_some()).count();
    let mut text = format!("{} known, {connected} connected\n", report.peers.len());
    for peer in &report.peers {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "\n{}", called(peer));
        for (label, value) in lines(peer) {
            let _ = writeln!(text, "  {label:<8} {value}");
        }
    }
    text
}

/// Name and short id of a peer.
pub(super) fn called(peer: &PeerReport) -> String {
    match &peer.name {
        Some(name) => format!("{name} ({})", peer.peer.short()),
        None => peer.peer.short(),
    }
}

fn lines(peer: &PeerReport) -> Vec<(&'static str, String)> {
    let mut lines = vec![("path", path(peer))];
    if let (Some(received), Some(sent)) = (peer.bytes_in, peer.bytes_out) {
        lines.push(("traffic", format!("{} in, {} out", bytes(received), bytes(sent))));
    }
    lines.push(("models", models(peer)));
    let faults: Vec<String> = peer
        .faults
        .iter()
        .map(|fault| format!("{} ({} times, last {} ago)", fault.reason, fault.times, ago(fault.ago_ms)))
        .collect();
    match faults.is_empty() {
        true => lines.push(("score", peer.score.to_string())),
        false => lines.push(("score", format!("{} of 100: {}", peer.score, faults.join(", ")))),
    }
    if let Some(left) = peer.banned_ms {
        lines.push(("banned", format!("for another {}", ago(left))));
    }
    if let Some(reason) = &peer.turned_away {
        lines.push(("refused", reason.clone()));
    }
    lines
}

/// How a peer is connected, or why it is not.
fn path(peer: &PeerReport) -> String {
    match &peer.path {
        Some(path) => connected(path),
        None => not_connected(peer),
    }
}

fn connected(path: &Path) -> String {
    let how = match path.relay.as_deref() {
        Some("") => "relayed".to_owned(),
        Some(relay) => format!("relayed through {relay}"),
        None => "direct".to_owned(),
    };
    let who = if path.dialled { "this node dialled" } else { "it dialled" };
    let time = path.round_trip_ms.map_or("not measured yet".to_owned(), |time| format!("{time:.1} ms"));
    let others = match path.connections {
        0 | 1 => String::new(),
        more => format!(", {more} connections"),
    };
    let (carrier, remote) = (path.carrier.name(), path.remote.split("/p2p/").next().unwrap_or(&path.remote));
    format!(
        "{how} over {carrier}, {remote}, {who} {} ago, round trip {time}{others}{}",
        ago(path.up_ms),
        if path.compatible { "" } else { ", not taken in yet" },
    )
}

/// Why a peer is not connected, and when it is dialled next.
pub(super) fn not_connected(peer: &PeerReport) -> String {
    let why = match &peer.failed {
        Some(failed) => {
            format!("last dial {} ago: {} ({} in vain)", ago(failed.ago_ms), failed.reason, failed.times)
        }
        None if peer.banned_ms.is_some() => "it is banned".to_owned(),
        None => "no dial has failed; it is dialled when it is drawn or connections are few".to_owned(),
    };
    let next = match peer.next_dial_ms {
        Some(0) => ", may be dialled now".to_owned(),
        Some(left) => format!(", next dial in {}", ago(left)),
        None => String::new(),
    };
    format!("not connected: {why}{next}")
}

fn models(peer: &PeerReport) -> String {
    let last = match (peer.model_ms, peer.model_rounds) {
        (Some(milliseconds), Some(rounds)) => format!("the last {} and {rounds} rounds ago", ago(milliseconds)),
        _ => "none fetched".to_owned(),
    };
    let round = peer.round.map_or(String::new(), |round| format!(", it is in round {round}"));
    let heard = peer.heard_ms.map_or(String::new(), |heard| format!(", heard {} ago", ago(heard)));
    format!("{} mixed, {last}{round}{heard}", peer.mixed)
}

/// A time in words: 0.4 s, 12 s, 7 min, 3 h.
pub(super) fn ago(milliseconds: u64) -> String {
    match milliseconds / 1000 {
        0..10 => format!("{:.1} s", milliseconds as f64 / 1e3),
        seconds @ 10..120 => format!("{seconds} s"),
        seconds @ 120..7200 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_said_as_people_do() {
        let said: Vec<String> = [400, 12_900, 119_000, 600_000, 7_200_000].into_iter().map(ago).collect();
        assert_eq!(said, ["0.4 s", "12 s", "119 s", "10 min", "2 h"]);
    }
}
