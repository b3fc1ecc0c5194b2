//! Reads a run directory back, whole or cut, at once or while it grows.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use super::error::RecordError;
use super::info::RunInfo;
use super::outcome::{Outcome, RunOutcome};
use super::rows::{FaultRow, LinkRow, MixRow, NetworkRow, PeerRow, RoundRow, Row};
use super::standings::Standings;
use super::tail::Tail;

/// A run as it was read.
#[derive(Debug)]
pub struct RunRecord {
    /// The directory.
    pub directory: PathBuf,
    /// What was run.
    pub info: RunInfo,
    /// The scenario as text.
    pub scenario: String,
    /// The seeds that were started, in the order of the run.
    pub seeds: Vec<SeedRecord>,
    /// What came of all seeds; nothing if the run was cut.
    pub outcome: Option<RunOutcome>,
}

/// The tables of one seed.
#[derive(Debug)]
pub struct SeedRecord {
    /// The seed.
    pub seed: u64,
    /// Of `peers.csv`.
    pub peers: Vec<PeerRow>,
    /// Of `rounds.csv`.
    pub rounds: Vec<RoundRow>,
    /// Of `mixes.csv`.
    pub mixes: Vec<MixRow>,
    /// Of `links.csv`.
    pub links: Vec<LinkRow>,
    /// Of `faults.csv`.
    pub faults: Vec<FaultRow>,
    /// Of `network.csv`.
    pub network: Vec<NetworkRow>,
    /// Of `outcome.json`; nothing if the seed was cut.
    pub finished: Option<Outcome>,
    source: Option<Source>,
}

#[derive(Debug)]
struct Source {
    directory: PathBuf,
    peers: Tail<PeerRow>,
    rounds: Tail<RoundRow>,
    mixes: Tail<MixRow>,
    links: Tail<LinkRow>,
    faults: Tail<FaultRow>,
    network: Tail<NetworkRow>,
}

/// Reads a run directory.
///
/// # Errors
/// There is no run, or a file is wrong; the error names file and line. Half last lines and missing outcomes are no
/// errors: the run was cut.
pub fn read_run(directory: &Path) -> Result<RunRecord, RecordError> {
    let info = json(&directory.join("run.json"))?;
    let info = info.ok_or_else(|| RecordError::NoRun { path: directory.to_owned() })?;
    let mut run =
        RunRecord { directory: directory.to_owned(), info, scenario: String::new(), seeds: Vec::new(), outcome: None };
    run.refresh()?;
    Ok(run)
}

impl RunRecord {
    /// Reads what came since the last time.
    ///
    /// # Errors
    /// As [`read_run`].
    pub fn refresh(&mut self) -> Result<(), RecordError> {
        let path = self.directory.join("scenario.toml");
        self.scenario = optional(std::fs::read_to_string(&path), &path)?.unwrap_or_default();
        for seed in &self.info.seeds {
            let directory = self.directory.join(format!("seed-{seed}"));
            if directory.is_dir() && self.seeds.iter().all(|known| known.seed != *seed) {
                self.seeds.push(SeedRecord::open(*seed, &directory));
            }
        }
        self.seeds.iter_mut().try_for_each(SeedRecord::refresh)?;
        self.outcome = json(&self.directory.join("outcome.json"))?;
        Ok(())
    }

    /// Whether it ended before its end: a seed or the outcome is missing.
    pub fn is_cut(&self) -> bool {
        self.outcome.is_none() || self.seeds.iter().any(|seed| seed.finished.is_none())
    }
}

impl SeedRecord {
    /// A seed without rows that does not come from files.
    pub fn empty(seed: u64) -> Self {
        Self {
            seed,
            peers: Vec::new(),
            rounds: Vec::new(),
            mixes: Vec::new(),
            links: Vec::new(),
            faults: Vec::new(),
            network: Vec::new(),
            finished: None,
            source: None,
        }
    }

    fn open(seed: u64, directory: &Path) -> Self {
        let source = Source {
            directory: directory.to_owned(),
            peers: Tail::new(&directory.join("peers.csv")),
            rounds: Tail::new(&directory.join("rounds.csv")),
            mixes: Tail::new(&directory.join("mixes.csv")),
            links: Tail::new(&directory.join("links.csv")),
            faults: Tail::new(&directory.join("faults.csv")),
            network: Tail::new(&directory.join("network.csv")),
        };
        Self { source: Some(source), ..Self::empty(seed) }
    }

    fn refresh(&mut self) -> Result<(), RecordError> {
        let Some(source) = &mut self.source else { return Ok(()) };
        source.peers.read(&mut self.peers)?;
        source.rounds.read(&mut self.rounds)?;
        source.mixes.read(&mut self.mixes)?;
        source.links.read(&mut self.links)?;
        source.faults.read(&mut self.faults)?;
        source.network.read(&mut self.network)?;
        self.finished = json(&source.directory.join("outcome.json"))?;
        Ok(())
    }

    /// Puts a row into its table.
    pub fn push(&mut self, row: Row) {
        match row {
            Row::Peer(row) => self.peers.push(row),
            Row::Round(row) => self.rounds.push(row),
            Row::Mix(row) => self.mixes.push(row),
            Row::Link(row) => self.links.push(row),
            Row::Fault(row) => self.faults.push(row),
            Row::Network(row) => self.network.push(row),
        }
    }

    /// How the peers stand after the last row. Tables are folded one after the other: only the last value of each
    /// counts.
    pub fn standings(&self) -> Standings {
        let mut standings = Standings::default();
        self.peers.iter().for_each(|row| standings.take(&Row::Peer(row.clone())));
        self.rounds.iter().for_each(|row| standings.take(&Row::Round(row.clone())));
        self.faults.iter().for_each(|row| standings.take(&Row::Fault(row.clone())));
        self.network.iter().for_each(|row| standings.take(&Row::Network(row.clone())));
        standings
    }

    /// What came of it: as written, or what the rows of a cut seed tell.
    pub fn outcome(&self) -> Outcome {
        let cut = || self.standings().outcome(false, "the run was cut before its end");
        self.finished.clone().unwrap_or_else(cut)
    }
}

fn optional<T>(read: std::io::Result<T>, path: &Path) -> Result<Option<T>, RecordError> {
    match read {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(RecordError::Read { path: path.to_owned(), source }),
    }
}

fn json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, RecordError> {
    let Some(bytes) = optional(std::fs::read(path), path)? else { return Ok(None) };
    serde_json::from_slice(&bytes).map(Some).map_err(|source| RecordError::Json { path: path.to_owned(), source })
}
