//! How every peer stands, folded from rows: the one place where worst, mean and best are computed, so that all drivers,
//! live views and cut runs agree.

use std::collections::BTreeMap;

use super::outcome::{Outcome, PeerOutcome, watt_hours};
use super::rows::{NetworkRow, PeerRow, RoundRow, Row};

/// One peer as its rows tell.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Standing {
    /// Its name.
    pub name: String,
    /// Its group.
    pub group: String,
    /// What it does to harm others.
    pub attack: Option<String>,
    /// Whether it is up, by the faults so far.
    pub up: bool,
    /// Rounds closed.
    pub rounds: u64,
    /// Newest accuracy on its own rows.
    pub own: Option<f64>,
    /// Newest accuracy on the shared test rows.
    pub test: Option<f64>,
    /// Newest balanced accuracy on its own rows.
    pub own_balanced: Option<f64>,
    /// Newest balanced accuracy on the shared test rows.
    pub test_balanced: Option<f64>,
    /// Bytes received.
    pub bytes_in: u64,
    /// Bytes sent.
    pub bytes_out: u64,
    /// CPU seconds.
    pub cpu_s: f64,
}

impl Standing {
    /// The newest accuracy: on the shared test rows, or on its own rows where there are no shared ones.
    pub fn accuracy(&self) -> Option<f64> {
        self.test.or(self.own)
    }

    /// The newest balanced accuracy, on the rows of [`Standing::accuracy`].
    pub fn balanced(&self) -> Option<f64> {
        if self.test.is_some() { self.test_balanced } else { self.own_balanced }
    }

    fn counts(&self) -> bool {
        self.up && self.attack.is_none()
    }
}

/// All peers, in the order of `peers.csv`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Standings {
    peers: Vec<Standing>,
    index: BTreeMap<String, usize>,
    /// Newest sample of the whole network, with the largest memory seen.
    network: NetworkRow,
    peak_rss_mb: Option<f64>,
    t_ms: u64,
}

/// What a kind of fault does to its peers: `Some(false)` takes them down, `Some(true)` brings them up, others leave
/// them as they are.
pub fn fault_moves(kind: &str) -> Option<bool> {
    match kind {
        "crash" | "kill" | "stop" | "leave" | "pause" | "freeze" | "sleep" | "absent" | "down" => Some(false),
        "start" | "restart" | "join" | "return" | "resume" | "wake" | "up" => Some(true),
        _ => None,
    }
}

impl Standings {
    /// Takes one row; rows of unknown peers change nothing but the time.
    pub fn take(&mut self, row: &Row) {
        match row {
            Row::Peer(peer) => self.add(peer),
            Row::Round(round) => self.round(round),
            Row::Fault(fault) => {
                self.t_ms = self.t_ms.max(fault.t_ms);
                if let Some(up) = fault_moves(&fault.kind) {
                    fault.names.iter().for_each(|name| self.set_up(name, up));
                }
            }
            Row::Network(network) => {
                self.t_ms = self.t_ms.max(network.t_ms);
                let disagreement = network.disagreement.or(self.network.disagreement);
                self.peak_rss_mb = match (self.peak_rss_mb, network.rss_mb) {
                    (Some(peak), Some(now)) => Some(peak.max(now)),
                    (peak, now) => peak.or(now),
                };
                self.network = NetworkRow { disagreement, ..network.clone() };
            }
            Row::Mix(mix) => self.t_ms = self.t_ms.max(mix.t_ms),
            Row::Link(link) => self.t_ms = self.t_ms.max(link.t_ms),
        }
    }

    fn add(&mut self, peer: &PeerRow) {
        if self.index.contains_key(&peer.name) {
            return;
        }
        self.index.insert(peer.name.clone(), self.peers.len());
        let PeerRow { name, group, attack, .. } = peer.clone();
        self.peers.push(Standing { name, group, attack, up: true, ..Standing::default() });
    }

    fn round(&mut self, row: &RoundRow) {
        self.t_ms = self.t_ms.max(row.t_ms);
        let Some(peer) = self.index.get(&row.name).and_then(|&index| self.peers.get_mut(index)) else { return };
        peer.rounds = peer.rounds.max(row.round);
        peer.own = row.own_accuracy.or(peer.own);
        peer.test = row.test_accuracy.or(peer.test);
        peer.own_balanced = row.own_balanced.or(peer.own_balanced);
        peer.test_balanced = row.test_balanced.or(peer.test_balanced);
        peer.bytes_in = peer.bytes_in.max(row.bytes_in);
        peer.bytes_out = peer.bytes_out.max(row.bytes_out);
        peer.cpu_s = peer.cpu_s.max(row.cpu_s);
    }

    fn set_up(&mut self, name: &str, up: bool) {
        if let Some(peer) = self.index.get(name).and_then(|&index| self.peers.get_mut(index)) {
            peer.up = up;
        }
    }

    /// The peers, in their order.
    pub fn peers(&self) -> &[Standing] {
        &self.peers
    }

    /// One peer.
    pub fn peer(&self, name: &str) -> Option<&Standing> {
        self.index.get(name).and_then(|&index| self.peers.get(index))
    }

    /// The newest time of any row, milliseconds.
    pub fn t_ms(&self) -> u64 {
        self.t_ms
    }

    /// The network as a row of `network.csv`, for drivers that have nothing better than the rows of the peers.
    /// Disagreement and memory are the driver's to fill in.
    pub fn network(&self, t_ms: u64) -> NetworkRow {
        let rounds: Vec<u64> = self.counting().map(|peer| peer.rounds).collect();
        let accuracies = self.accuracies(Standing::accuracy);
        NetworkRow {
            t_ms,
            up: self.peers.iter().filter(|peer| peer.up).count() as u64,
            rounds_min: rounds.iter().copied().min().unwrap_or(0),
            rounds_mean: rounds.iter().sum::<u64>() as f64 / rounds.len().max(1) as f64,
            worst: accuracies.first().copied(),
            mean: mean(&accuracies),
            best: accuracies.last().copied(),
            disagreement: None,
            bytes_in: self.peers.iter().map(|peer| peer.bytes_in).sum(),
            bytes_out: self.peers.iter().map(|peer| peer.bytes_out).sum(),
            cpu_s: self.peers.iter().map(|peer| peer.cpu_s).sum(),
            rss_mb: None,
        }
    }

    /// What came of it, as far as the rows go. Bytes and CPU seconds are the larger of the network's newest sample and
    /// the sum over peers: both only lag behind.
    pub fn outcome(&self, finished: bool, reason: &str) -> Outcome {
        let now = self.network(self.t_ms);
        let accuracies = self.accuracies(Standing::accuracy);
        let tenth = accuracies.len().div_ceil(10);
        let cpu_s = now.cpu_s.max(self.network.cpu_s);
        Outcome {
            baselines: None,
            finished,
            reason: reason.to_owned(),
            seconds: self.t_ms as f64 / 1000.0,
            worst: now.worst.unwrap_or(0.0),
            mean: now.mean.unwrap_or(0.0),
            best: now.best.unwrap_or(0.0),
            worst_tenth: mean(&accuracies[..tenth]).unwrap_or(0.0),
            balanced: self.balanced(),
            disagreement: self.network.disagreement,
            rounds_min: now.rounds_min,
            bytes_in: now.bytes_in.max(self.network.bytes_in),
            bytes_out: now.bytes_out.max(self.network.bytes_out),
            cpu_s,
            watt_hours: watt_hours(cpu_s),
            peak_rss_mb: self.peak_rss_mb,
            peers: self.peers.iter().map(peer_outcome).collect(),
        }
    }

    fn counting(&self) -> impl Iterator<Item = &Standing> {
        self.peers.iter().filter(|peer| peer.counts())
    }

    /// Worst, mean and best balanced accuracy, where all that have an accuracy have one.
    fn balanced(&self) -> Option<[f64; 3]> {
        let balanced = self.accuracies(Standing::balanced);
        let is_whole = balanced.len() == self.accuracies(Standing::accuracy).len();
        is_whole.then_some(())?;
        Some([*balanced.first()?, mean(&balanced)?, *balanced.last()?])
    }

    /// Accuracies of one kind of the honest peers that are up, rising.
    fn accuracies(&self, kind: fn(&Standing) -> Option<f64>) -> Vec<f64> {
        let mut all: Vec<f64> = self.counting().filter_map(kind).filter(|accuracy| accuracy.is_finite()).collect();
        all.sort_by(f64::total_cmp);
        all
    }
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

fn peer_outcome(peer: &Standing) -> PeerOutcome {
    PeerOutcome {
        name: peer.name.clone(),
        group: peer.group.clone(),
        attack: peer.attack.clone(),
        up: peer.up,
        accuracy: peer.accuracy(),
        balanced: peer.balanced(),
        rounds: peer.rounds,
        bytes_in: peer.bytes_in,
        bytes_out: peer.bytes_out,
        cpu_s: peer.cpu_s,
    }
}
