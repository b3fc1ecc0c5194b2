//! What is remembered of events, for those who ask later: bounded, and lost at the end of the process.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use peerlearn_protocols::id::PeerId;
use peerlearn_runtime::event::{EventBus, NodeEvent, Stamped};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use super::{FaultReport, Rounds, TurnedAway};

/// Most peers remembered; the one of which nothing happened for longest goes first.
const MAX_PEERS: usize = 512;
/// Most kinds of faults remembered of a peer.
const MAX_FAULTS: usize = 16;
/// Most peers remembered that were turned away, or turned this node away.
const MAX_TURNED_AWAY: usize = 64;
/// Rounds in a row in which everybody was refused by the rule before that is said.
const REFUSED_ROUNDS: u64 = 5;

/// What is remembered of one peer. Times are milliseconds of the node's clock.
#[derive(Debug, Clone, Default)]
pub struct PeerNotes {
    /// When its last model came, and how many rounds were closed then.
    pub model: Option<(u64, u64)>,
    /// Its faults by reason: how often, and when last.
    faults: BTreeMap<String, (u32, u64)>,
    at: u64,
}

impl PeerNotes {
    /// Its faults, those of last first.
    pub fn faults(&self, now: u64) -> Vec<FaultReport> {
        let told = |(reason, (times, at)): (&String, &(u32, u64))| FaultReport {
            reason: reason.clone(),
            times: *times,
            ago_ms: now.saturating_sub(*at),
        };
        let mut faults: Vec<FaultReport> = self.faults.iter().map(told).collect();
        faults.sort_by_key(|fault| fault.ago_ms);
        faults
    }
}

/// What is remembered of events.
#[derive(Debug, Clone, Default)]
pub struct Remembered {
    /// By peer.
    pub peers: BTreeMap<PeerId, PeerNotes>,
    refused: VecDeque<(PeerId, String, u64)>,
    not_let_in: VecDeque<(PeerId, String, u64)>,
    /// Rounds closed.
    pub round: u64,
    without_mix: u64,
    all_refused: u64,
    mixed_at: Option<u64>,
}

impl Remembered {
    /// How the rounds went.
    pub fn rounds(&self, now: u64) -> Rounds {
        let mixed_ago_ms = self.mixed_at.map(|at| now.saturating_sub(at));
        Rounds { without_mix: self.without_mix, all_refused: self.all_refused, mixed_ago_ms }
    }

    /// Peers of another task or version, newest first.
    pub fn refused(&self, now: u64) -> Vec<TurnedAway> {
        told(&self.refused, now)
    }

    /// Peers that do not let this node in, newest first.
    pub fn not_let_in(&self, now: u64) -> Vec<TurnedAway> {
        told(&self.not_let_in, now)
    }

    fn peer(&mut self, peer: PeerId, at: u64) -> &mut PeerNotes {
        if self.peers.len() >= MAX_PEERS && !self.peers.contains_key(&peer) {
            let oldest = self.peers.iter().min_by_key(|(_, notes)| notes.at).map(|(peer, _)| *peer);
            oldest.map(|oldest| self.peers.remove(&oldest));
        }
        let notes = self.peers.entry(peer).or_default();
        notes.at = at;
        notes
    }

    /// Takes note of an event; answers what is to be said of it.
    fn note(&mut self, at: u64, event: &NodeEvent) -> Option<String> {
        match event {
            NodeEvent::Started { round, .. } => self.round = *round,
            NodeEvent::PeerConnected { peer, .. } => {
                // Both are over: it takes part now.
                self.refused.retain(|(known, ..)| known != peer);
                self.not_let_in.retain(|(known, ..)| known != peer);
            }
            NodeEvent::Pulled { peer, .. } => {
                let round = self.round;
                self.peer(*peer, at).model = Some((at, round));
            }
            NodeEvent::Misbehaved { peer, reason, .. } => {
                let faults = &mut self.peer(*peer, at).faults;
                if faults.len() < MAX_FAULTS || faults.contains_key(reason) {
                    let (times, last) = faults.entry(reason.clone()).or_default();
                    (*times, *last) = (times.saturating_add(1), at);
                }
            }
            NodeEvent::PeerRefused { peer, reason } => add(&mut self.refused, *peer, reason, at),
            NodeEvent::NotLetIn { peer, reason } => add(&mut self.not_let_in, *peer, reason, at),
            NodeEvent::RoundClosed { round, mixed, refused, .. } => {
                return self.round_closed(*round, *mixed, *refused, at);
            }
            _ => {}
        }
        None
    }

    fn round_closed(&mut self, round: u64, mixed: usize, refused: usize, at: u64) -> Option<String> {
        self.round = round;
        if mixed > 0 {
            (self.without_mix, self.all_refused, self.mixed_at) = (0, 0, Some(at));
            return None;
        }
        self.without_mix += 1;
        // A round in which nothing arrived says nothing of the rule.
        self.all_refused += u64::from(refused > 0);
        (self.all_refused == REFUSED_ROUNDS && refused > 0).then(|| {
            format!(
                "the mixing rule has refused every model that arrived, {REFUSED_ROUNDS} rounds long: either most peers \
                 send models far from this node's, or this node's data differ much from theirs"
            )
        })
    }
}

fn add(list: &mut VecDeque<(PeerId, String, u64)>, peer: PeerId, reason: &str, at: u64) {
    list.retain(|(known, ..)| *known != peer);
    list.push_front((peer, reason.to_owned(), at));
    list.truncate(MAX_TURNED_AWAY);
}

fn told(list: &VecDeque<(PeerId, String, u64)>, now: u64) -> Vec<TurnedAway> {
    let told = |(peer, reason, at): &(PeerId, String, u64)| TurnedAway {
        peer: *peer,
        reason: reason.clone(),
        ago_ms: now.saturating_sub(*at),
    };
    list.iter().map(told).collect()
}

/// Remembers what happens. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Notes(Arc<Mutex<Remembered>>);

impl Notes {
    /// What is remembered now.
    pub fn read(&self) -> Remembered {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes note of events until they end; says what follows from them.
    pub async fn collect(self, mut events: broadcast::Receiver<Stamped>, bus: EventBus) {
        loop {
            match events.recv().await {
                Ok(Stamped { at_ms, event, .. }) => {
                    let said = self.0.lock().unwrap_or_else(PoisonError::into_inner).note(at_ms, &event);
                    said.into_iter().for_each(|message| bus.emit(NodeEvent::Warning { message }));
                }
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const ANT: PeerId = PeerId([1; 32]);

    fn closed(round: u64, mixed: usize, refused: usize) -> NodeEvent {
        NodeEvent::RoundClosed {
            round,
            drawn: 4,
            mixed,
            refused,
            age: 0,
            own: None,
            test: None,
            bytes_in: 0,
            bytes_out: 0,
            cpu: Duration::ZERO,
        }
    }

    #[test]
    fn a_rule_that_refuses_everybody_is_said_once_and_a_mix_ends_it() {
        let mut notes = Remembered::default();
        let said: Vec<u64> = (1..20).filter(|round| notes.note(*round, &closed(*round, 0, 3)).is_some()).collect();
        assert_eq!(said, [REFUSED_ROUNDS]);
        assert_eq!(notes.rounds(20), Rounds { without_mix: 19, all_refused: 19, mixed_ago_ms: None });
        assert_eq!(notes.note(20, &closed(20, 1, 3)), None);
        assert_eq!(notes.rounds(25), Rounds { without_mix: 0, all_refused: 0, mixed_ago_ms: Some(5) });
        (21..40).for_each(|round| assert_eq!(notes.note(round, &closed(round, 0, 0)), None));
        assert_eq!(notes.rounds(40).without_mix, 19);
    }

    #[test]
    fn faults_are_counted_by_reason_and_models_dated() {
        let mut notes = Remembered::default();
        let fault = |reason: &str| NodeEvent::Misbehaved { peer: ANT, reason: reason.to_owned(), banned: false };
        [fault("a"), fault("b"), fault("a")].iter().zip(1..).for_each(|(event, at)| drop(notes.note(at, event)));
        notes.note(4, &closed(9, 1, 0));
        notes.note(5, &NodeEvent::Pulled { peer: ANT, bytes: 1, wall: Duration::ZERO });
        let ant = &notes.peers[&ANT];
        let faults = ant.faults(10);
        assert_eq!((faults[0].reason.as_str(), faults[0].times, faults[0].ago_ms), ("a", 2, 7));
        assert_eq!((faults[1].times, ant.model), (1, Some((5, 9))));
    }

    #[test]
    fn everything_is_bounded_and_whoever_takes_part_was_not_refused() {
        let mut notes = Remembered::default();
        for n in 0..2000u32 {
            let mut id = [0; 32];
            id[..4].copy_from_slice(&n.to_le_bytes());
            let peer = PeerId(id);
            notes.note(u64::from(n), &NodeEvent::PeerRefused { peer, reason: "other task".to_owned() });
            notes.note(u64::from(n), &NodeEvent::Misbehaved { peer, reason: n.to_string(), banned: true });
            notes.note(u64::from(n), &NodeEvent::Misbehaved { peer: ANT, reason: n.to_string(), banned: true });
        }
        assert_eq!((notes.peers.len(), notes.refused.len()), (MAX_PEERS, MAX_TURNED_AWAY));
        assert!(notes.peers[&ANT].faults.len() <= MAX_FAULTS);
        let newest = notes.refused(2000)[0].peer;
        notes.note(2001, &NodeEvent::PeerConnected { peer: newest, dialled: true });
        assert!(notes.refused(2001).iter().all(|refused| refused.peer != newest));
    }
}
