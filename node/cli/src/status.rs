//! How `status` and tickets look to people.

use std::fmt::Write;

use peerlearn::learner::Evaluation;
use peerlearn::protocols::estimate::{Estimate, Verdict};
use peerlearn::status::{AgreedStatus, Status};
use peerlearn_harness::{bytes, scores};
use qrcode::QrCode;
use qrcode::render::unicode;

/// The status as a page.
pub(super) fn table(status: &Status) -> String {
    let mut text = String::new();
    let mut line = |label: &str, value: String| {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{label:<12} {value}");
    };
    let phase = serde_json::to_value(status.phase).ok().and_then(|phase| phase.as_str().map(str::to_owned));
    line("peer", format!("{}, for short {}", status.libp2p_peer, status.peer.short()));
    line("task", peerlearn::ticket::describe(&status.task));
    line("addresses", status.addresses.first().cloned().unwrap_or_else(|| "none yet".to_owned()));
    line("up", format!("{:.0} s, version {}", status.uptime_ms as f64 / 1e3, status.version));
    let committed = status.committed_round.map_or("nothing on disk".to_owned(), |round| format!("{round} on disk"));
    line("round", format!("{}, {committed}, {}", status.round, phase.unwrap_or_default()));
    if !status.waiting_for.is_empty() {
        line("waiting for", status.waiting_for.clone());
    }
    line("age", format!("{} sample-steps, {} own rows", status.age, status.samples));
    if let Some(mass) = status.mass {
        line("mass", format!("{mass:.4} of a fresh peer's"));
    }
    let parts = [&status.own, &status.test];
    let is_of_numbers = parts.into_iter().flatten().any(Evaluation::is_of_numbers);
    let [own, test] = parts.map(|part| part.as_ref().map_or("-".to_owned(), measured));
    line(if is_of_numbers { "error" } else { "accuracy" }, format!("own {own}, test {test}"));
    let sums = format!("{} in, {} out", bytes(status.bytes_in), bytes(status.bytes_out));
    line("traffic", format!("{sums}, {} refused", status.refused));
    line("learner", format!("{:.1} CPU s", status.cpu_seconds));
    line("network", network(&status.estimate));
    if let Some(agreed) = &status.agreed {
        line("numbers", numbers(agreed));
    }
    let connected = status.peers.iter().filter(|peer| peer.connected).count();
    line("peers", format!("{} known, {connected} connected", status.peers.len()));
    let width =
        status.peers.iter().filter_map(|peer| peer.name.as_ref()).map(|name| name.chars().count()).max().unwrap_or(0);
    for peer in &status.peers {
        let name = peer.name.as_ref().map_or(String::new(), |name| format!("{name:<width$}  "));
        let name = if name.is_empty() && width > 0 { " ".repeat(width + 2) } else { name };
        let state = if peer.connected { "connected" } else { "known" };
        let _ = writeln!(
            text,
            "  {}  {name}{state:<9}  round {:>6}  age {:>10}  rows {:>7}  heard {:>5.1} s ago  mixed {:>5}  faults {:>3}",
            peer.peer.short(),
            peer.round,
            peer.age,
            peer.samples,
            peer.heard_ms as f64 / 1e3,
            peer.mixed,
            peer.score,
        );
    }
    for (invariant, times) in &status.broken {
        let _ = writeln!(text, "invariant    \"{invariant}\" did not hold {times} times");
    }
    for problem in &status.problems {
        let _ = writeln!(text, "problem      {problem}");
    }
    text
}

/// The whole network in one line.
fn network(estimate: &Estimate) -> String {
    let peers = estimate.peers.map_or("peers not counted yet".to_owned(), |peers| format!("about {peers:.0} peers"));
    let apart = match (estimate.disagreement, estimate.relative) {
        (Some(rms), Some(part)) => format!(", models {rms:.3} ({:.1} %) from their mean", part * 100.0),
        _ => String::new(),
    };
    let verdict = match estimate.verdict {
        Verdict::Converged => "converged",
        Verdict::Moving => "still moving",
        Verdict::Split => "split",
    };
    format!("{peers}{apart}, {verdict}")
}

/// What has become of the numbers that columns are scaled by, and what was sent for that.
fn numbers(agreed: &AgreedStatus) -> String {
    let AgreedStatus { voices, taken, columns, is_fixed } = agreed;
    let used = match taken {
        _ if *is_fixed => "those of the task, as this model takes no others".to_owned(),
        0 | 1 => "those of the task and of own rows".to_owned(),
        taken => format!("of {taken} peers"),
    };
    let sent = match columns {
        0 => "sent: nothing".to_owned(),
        1 => "sent: mean and sd of 1 column".to_owned(),
        columns => format!("sent: mean and sd of {columns} columns"),
    };
    format!("{used}; {voices} told theirs; {sent}")
}

fn measured(part: &Evaluation) -> String {
    format!("{} of {} rows", scores(part), part.rows)
}

/// A text as a QR code of half-block characters; empty for one too long.
pub(super) fn qr(text: &str) -> String {
    match QrCode::with_error_correction_level(text, qrcode::EcLevel::L) {
        Ok(code) => code.render::<unicode::Dense1x2>().quiet_zone(true).build() + "\n",
        Err(_) => String::new(),
    }
}
