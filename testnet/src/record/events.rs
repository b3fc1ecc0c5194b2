//! Turns what nodes tell into rows.

use std::collections::BTreeMap;

use peerlearn::event::{NodeEvent, Stamped};
use peerlearn_protocols::id::PeerId;

use super::rows::{LinkRow, MixRow, RoundRow, Row};

/// Folds the events of real nodes into rows. It knows the names of the peers and goes on counting where a restarted
/// node begins at zero again.
#[derive(Debug, Default)]
pub struct EventFold {
    names: BTreeMap<PeerId, String>,
    counters: BTreeMap<PeerId, Counters>,
}

/// What a node counts since its start, and what it had counted in earlier lives.
#[derive(Debug, Clone, Default)]
struct Counters {
    /// The round that is running.
    round: u64,
    before: Totals,
    now: Totals,
}

#[derive(Debug, Clone, Copy, Default)]
struct Totals {
    bytes_in: u64,
    bytes_out: u64,
    cpu_s: f64,
}

impl EventFold {
    /// For these peers. Others get the first eight digits of their id as name.
    pub fn new(names: BTreeMap<PeerId, String>) -> Self {
        Self { names, counters: BTreeMap::new() }
    }

    /// Adds a peer, or renames it.
    pub fn name(&mut self, peer: PeerId, name: String) {
        self.names.insert(peer, name);
    }

    /// The rows of an event that happened `t_ms` after the start of the seed; the event's own clock starts anew with
    /// its node and is not used.
    pub fn rows(&mut self, t_ms: u64, stamped: &Stamped) -> Vec<Row> {
        let name = self.name_of(&stamped.node);
        let row = match &stamped.event {
            NodeEvent::Started { round, .. } => {
                self.started(stamped.node, *round);
                None
            }
            NodeEvent::Trained { round, .. } => {
                self.counters.entry(stamped.node).or_default().round = *round;
                None
            }
            NodeEvent::Pulled { peer, bytes, wall } => Some(Row::Mix(MixRow {
                t_ms,
                name,
                round: self.counters.entry(stamped.node).or_default().round,
                from: self.name_of(peer),
                bytes: *bytes,
                ms: u64::try_from(wall.as_millis()).unwrap_or(u64::MAX),
            })),
            NodeEvent::PeerConnected { peer, .. } => self.link(t_ms, name, peer, true),
            NodeEvent::PeerDisconnected { peer } => self.link(t_ms, name, peer, false),
            NodeEvent::RoundClosed { .. } => self.closed(t_ms, name, stamped),
            _ => None,
        };
        row.into_iter().collect()
    }

    fn name_of(&self, peer: &PeerId) -> String {
        self.names.get(peer).cloned().unwrap_or_else(|| peer.short())
    }

    fn link(&self, t_ms: u64, name: String, other: &PeerId, up: bool) -> Option<Row> {
        Some(Row::Link(LinkRow { t_ms, name, other: self.name_of(other), up }))
    }

    fn started(&mut self, node: PeerId, round: u64) {
        let counters = self.counters.entry(node).or_default();
        counters.round = round.saturating_add(1);
        counters.before = counters.total();
        counters.now = Totals::default();
    }

    fn closed(&mut self, t_ms: u64, name: String, stamped: &Stamped) -> Option<Row> {
        let NodeEvent::RoundClosed { round, drawn, mixed, refused, age, own, test, bytes_in, bytes_out, cpu } =
            &stamped.event
        else {
            return None;
        };
        let counters = self.counters.entry(stamped.node).or_default();
        counters.round = round.saturating_add(1);
        counters.now = Totals { bytes_in: *bytes_in, bytes_out: *bytes_out, cpu_s: cpu.as_secs_f64() };
        let total = counters.total();
        Some(Row::Round(RoundRow {
            t_ms,
            name,
            round: *round,
            drawn: *drawn as u64,
            mixed: *mixed as u64,
            refused: *refused as u64,
            age: *age,
            own_accuracy: own.as_ref().map(|own| short(own.accuracy)),
            own_loss: own.as_ref().map(|own| short(own.loss)),
            test_accuracy: test.as_ref().map(|test| short(test.accuracy)),
            test_loss: test.as_ref().map(|test| short(test.loss)),
            bytes_in: total.bytes_in,
            bytes_out: total.bytes_out,
            cpu_s: (total.cpu_s * 1e6).round() / 1e6,
            own_balanced: own.as_ref().and_then(|own| own.balanced).map(short),
            test_balanced: test.as_ref().and_then(|test| test.balanced).map(short),
        }))
    }
}

impl Counters {
    fn total(&self) -> Totals {
        Totals {
            bytes_in: self.before.bytes_in.saturating_add(self.now.bytes_in),
            bytes_out: self.before.bytes_out.saturating_add(self.now.bytes_out),
            cpu_s: self.before.cpu_s + self.now.cpu_s,
        }
    }
}

/// A single-precision number with the digits it has, not those that widening invents.
fn short(value: f32) -> f64 {
    (f64::from(value) * 1e6).round() / 1e6
}
