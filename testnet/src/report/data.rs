//! What a page knows of a run.

use std::collections::BTreeMap;

use serde::Serialize;

use super::columns::NetworkColumns;
use super::matrix::Matrix;
use super::thin::{Thinning, brief, picked};
use super::topology::Topology;
use crate::record::{Outcome, RunInfo, RunOutcome, RunRecord, SeedRecord, WATTS_OF_A_BUSY_CORE};

/// A run as its page shows it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PageData {
    /// What was run.
    pub info: RunInfo,
    /// The scenario as text.
    pub scenario: String,
    /// Whether the page asks for new data again and again.
    pub live: bool,
    /// Whether the run ended before its end, or has not ended yet.
    pub cut: bool,
    /// What came of all seeds that were started.
    pub outcome: RunOutcome,
    /// The seeds.
    pub seeds: Vec<SeedPage>,
    /// How data were thinned.
    pub thinning: Thinning,
    /// Watts of a busy core that estimates of energy assume.
    pub watts: f64,
}

/// One seed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SeedPage {
    /// The seed.
    pub seed: u64,
    /// What came of it.
    pub outcome: Outcome,
    /// The peers.
    pub peers: Vec<PeerPage>,
    /// The whole network over time.
    pub network: NetworkColumns,
    /// Accuracy of each peer over time, in the order of the peers.
    pub curves: Vec<CurvePage>,
    /// What was done on purpose.
    pub faults: Vec<FaultPage>,
    /// Faults that were left out.
    pub faults_left_out: usize,
    /// Connections, mixes and absences over time.
    pub topology: Topology,
    /// Who mixed whom.
    pub matrix: Matrix,
}

/// One peer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PeerPage {
    /// Its name.
    pub name: String,
    /// Its group.
    pub group: String,
    /// What it does to harm others.
    pub attack: Option<String>,
    /// Rows it trains on.
    pub rows: u64,
    /// Rows of each class.
    pub classes: Vec<u64>,
}

/// Accuracy of one peer. Shapes: both columns have the same length.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct CurvePage {
    /// Milliseconds.
    pub t: Vec<u64>,
    /// Fractions.
    pub accuracy: Vec<f64>,
}

/// Something done on purpose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FaultPage {
    /// Milliseconds.
    pub t: u64,
    /// One word.
    pub kind: String,
    /// In words.
    pub words: String,
}

impl PageData {
    /// Of a run as it was read.
    pub fn new(run: &RunRecord, live: bool) -> Self {
        let thinning = Thinning::page(run.seeds.len());
        let outcomes: Vec<Outcome> = run.seeds.iter().map(SeedRecord::outcome).collect();
        let outcome = run.outcome.clone().unwrap_or_else(|| RunOutcome::new(&outcomes, Vec::new()));
        let pages = run.seeds.iter().zip(outcomes).map(|(seed, outcome)| SeedPage::new(seed, outcome, &thinning));
        Self {
            info: run.info.clone(),
            scenario: run.scenario.clone(),
            live,
            cut: run.is_cut(),
            outcome,
            seeds: pages.collect(),
            thinning,
            watts: WATTS_OF_A_BUSY_CORE,
        }
    }
}

impl SeedPage {
    fn new(seed: &SeedRecord, outcome: Outcome, thinning: &Thinning) -> Self {
        let index: BTreeMap<&str, usize> =
            seed.peers.iter().enumerate().map(|(index, peer)| (peer.name.as_str(), index)).collect();
        let end_ms = (outcome.seconds * 1000.0).ceil() as u64;
        let faults = seed.faults.iter().take(thinning.faults);
        let faults = faults.map(|row| FaultPage { t: row.t_ms, kind: row.kind.clone(), words: row.words.clone() });
        Self {
            seed: seed.seed,
            peers: seed.peers.iter().map(peer_page).collect(),
            network: NetworkColumns::new(&seed.network, thinning.samples),
            curves: curves(seed, &index, thinning.points),
            faults: faults.collect(),
            faults_left_out: seed.faults.len().saturating_sub(thinning.faults),
            topology: Topology::new(seed, &index, end_ms, thinning),
            matrix: Matrix::new(&seed.mixes, &index, seed.peers.len(), thinning.cells),
            outcome,
        }
    }
}

fn peer_page(row: &crate::record::PeerRow) -> PeerPage {
    PeerPage {
        name: row.name.clone(),
        group: row.group.clone(),
        attack: row.attack.clone(),
        rows: row.rows,
        classes: row.classes.clone(),
    }
}

/// At most `most` points of all peers together, each peer with the same share.
fn curves(seed: &SeedRecord, index: &BTreeMap<&str, usize>, most: usize) -> Vec<CurvePage> {
    let mut whole = vec![CurvePage::default(); seed.peers.len()];
    for row in &seed.rounds {
        let Some(curve) = index.get(row.name.as_str()).and_then(|&peer| whole.get_mut(peer)) else { continue };
        let accuracy = row.test_accuracy.or(row.own_accuracy).filter(|accuracy| accuracy.is_finite());
        if let Some(accuracy) = accuracy {
            curve.t.push(row.t_ms);
            curve.accuracy.push(brief(accuracy));
        }
    }
    let share = (most / whole.len().max(1)).clamp(2, 300);
    let thinned = whole.iter().map(|curve| CurvePage {
        t: picked(curve.t.len(), share).map(|index| curve.t[index]).collect(),
        accuracy: picked(curve.t.len(), share).map(|index| curve.accuracy[index]).collect(),
    });
    thinned.collect()
}
