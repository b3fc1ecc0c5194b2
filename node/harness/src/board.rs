//! What is known of every peer of a demo, folded from the event stream.

use std::collections::BTreeMap;
use std::time::Duration;

use peerlearn::learner::Evaluation;
use peerlearn::protocols::id::PeerId;
use peerlearn::{NodeEvent, Stamped};

/// One peer.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PeerLine {
    /// Its name.
    pub name: String,
    /// Rounds closed.
    pub round: u64,
    /// Newest measurement on its own validation rows.
    pub own: Option<Evaluation>,
    /// Newest measurement on the shared test rows.
    pub test: Option<Evaluation>,
    /// Peers known.
    pub known: usize,
    /// Bytes received.
    pub bytes_in: u64,
    /// Bytes sent.
    pub bytes_out: u64,
    /// CPU time of its learner.
    pub cpu: Duration,
    /// Test accuracy by round and time: `(round, milliseconds, accuracy)`; R2 from 0 to 1 where targets are numbers.
    pub curve: Vec<(u64, u64, f32)>,
    /// Faults it counted against others.
    pub refused: u64,
}

/// All peers, in their order.
#[derive(Debug, Clone, Default)]
pub struct Board {
    order: BTreeMap<PeerId, usize>,
    lines: Vec<PeerLine>,
}

impl Board {
    /// Adds a peer at the end.
    pub fn add(&mut self, peer: PeerId, name: String) {
        self.order.insert(peer, self.lines.len());
        self.lines.push(PeerLine { name, ..PeerLine::default() });
    }

    /// Takes one event; events of unknown peers change nothing.
    pub fn fold(&mut self, stamped: &Stamped) {
        let Some(line) = self.order.get(&stamped.node).and_then(|&index| self.lines.get_mut(index)) else { return };
        match &stamped.event {
            NodeEvent::PeerDiscovered { known, .. } => line.known = *known,
            NodeEvent::PeerExpired { .. } => line.known = line.known.saturating_sub(1),
            NodeEvent::Misbehaved { .. } => line.refused += 1,
            NodeEvent::RoundClosed { round, own, test, bytes_in, bytes_out, cpu, .. } => {
                line.round = *round;
                own.iter().for_each(|own| line.own = Some((**own).clone()));
                if let Some(test) = test {
                    line.test = Some((**test).clone());
                    line.curve.push((*round, stamped.at_ms, test.accuracy));
                }
                (line.bytes_in, line.bytes_out, line.cpu) = (*bytes_in, *bytes_out, *cpu);
            }
            _ => {}
        }
    }

    /// The peers.
    pub fn lines(&self) -> &[PeerLine] {
        &self.lines
    }

    /// Rounds closed by the slowest peer.
    pub fn least_round(&self) -> u64 {
        self.lines.iter().map(|line| line.round).min().unwrap_or(0)
    }

    /// Test accuracy of the worst peer, once every peer has one.
    pub fn worst(&self) -> Option<f32> {
        self.tests(|test| Some(test.accuracy))?.into_iter().reduce(f32::min)
    }

    /// Mean test accuracy, once every peer has one.
    pub fn mean(&self) -> Option<f32> {
        mean(&self.tests(|test| Some(test.accuracy))?)
    }

    /// Balanced test accuracy of the worst peer, once every peer has one.
    pub fn worst_balanced(&self) -> Option<f32> {
        self.tests(|test| test.balanced)?.into_iter().reduce(f32::min)
    }

    /// Mean balanced test accuracy, once every peer has one.
    pub fn mean_balanced(&self) -> Option<f32> {
        mean(&self.tests(|test| test.balanced)?)
    }

    /// Whether targets are numbers and not classes, as far as was measured.
    pub fn is_of_numbers(&self) -> bool {
        self.lines.iter().filter_map(|line| line.test.as_ref()).any(Evaluation::is_of_numbers)
    }

    fn tests(&self, pick: impl Fn(&Evaluation) -> Option<f32>) -> Option<Vec<f32>> {
        self.lines.iter().map(|line| line.test.as_ref().and_then(&pick)).collect()
    }
}

fn mean(values: &[f32]) -> Option<f32> {
    (!values.is_empty()).then(|| values.iter().sum::<f32>() / values.len() as f32)
}
