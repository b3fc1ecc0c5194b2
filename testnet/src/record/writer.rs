//! Writes a run directory, line by line.

use std::fs::File;
use std::path::{Path, PathBuf};

use peerlearn::runtime::files::{Readers, write_whole};
use serde::Serialize;

use super::error::RecordError;
use super::info::RunInfo;
use super::outcome::{Outcome, RunOutcome};
use super::rows::{FaultRow, LinkRow, MixRow, NetworkRow, PeerRow, RoundRow, Row};
use super::standings::Standings;

/// Files of a run beside its seeds; the only ones that a later run into the same directory replaces.
const OURS: [&str; 4] = ["run.json", "scenario.toml", "outcome.json", "report.html"];

/// A run directory being written.
#[derive(Debug)]
pub struct RunWriter {
    directory: PathBuf,
}

impl RunWriter {
    /// Makes the directory, or takes over that of an earlier run: its seeds, reports and outcomes are removed.
    ///
    /// # Errors
    /// It cannot be written, or holds something else than a run.
    pub fn create(directory: &Path, info: &RunInfo, scenario: &str) -> Result<Self, RecordError> {
        std::fs::create_dir_all(directory).map_err(RecordError::write(directory))?;
        clear(directory)?;
        let writer = Self { directory: directory.to_owned() };
        let path = directory.join("scenario.toml");
        std::fs::write(&path, scenario).map_err(RecordError::write(&path))?;
        json(&directory.join("run.json"), info)?;
        Ok(writer)
    }

    /// Where it is.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Starts the tables of a seed.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn seed(&self, seed: u64) -> Result<SeedWriter, RecordError> {
        SeedWriter::create(&self.directory.join(format!("seed-{seed}")))
    }

    /// Writes what came of all seeds.
    ///
    /// # Errors
    /// The system refused.
    pub fn finish(&self, outcome: &RunOutcome) -> Result<(), RecordError> {
        json(&self.directory.join("outcome.json"), outcome)
    }
}

/// The tables of one seed being written, and how the peers stand by them.
#[derive(Debug)]
pub struct SeedWriter {
    directory: PathBuf,
    peers: Table,
    rounds: Table,
    mixes: Table,
    links: Table,
    faults: Table,
    network: Table,
    standings: Standings,
}

impl SeedWriter {
    /// Makes the directory and six empty tables with their headers.
    fn create(directory: &Path) -> Result<Self, RecordError> {
        std::fs::create_dir_all(directory).map_err(RecordError::write(directory))?;
        Ok(Self {
            directory: directory.to_owned(),
            peers: Table::create(directory, "peers.csv", &PeerRow::default())?,
            rounds: Table::create(directory, "rounds.csv", &RoundRow::default())?,
            mixes: Table::create(directory, "mixes.csv", &MixRow::default())?,
            links: Table::create(directory, "links.csv", &LinkRow::default())?,
            faults: Table::create(directory, "faults.csv", &FaultRow::default())?,
            network: Table::create(directory, "network.csv", &NetworkRow::default())?,
            standings: Standings::default(),
        })
    }

    /// Where it is.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// How the peers stand by the rows written so far.
    pub fn standings(&self) -> &Standings {
        &self.standings
    }

    /// Appends any row to its table and flushes it. Line ends in the words of a fault become spaces, so that a line
    /// stays a line.
    ///
    /// # Errors
    /// The system refused.
    pub fn write(&mut self, mut row: Row) -> Result<(), RecordError> {
        if let Row::Fault(fault) = &mut row {
            fault.words = fault.words.replace(['\n', '\r'], " ");
        }
        match &row {
            Row::Peer(peer) => self.peers.append(peer)?,
            Row::Round(round) => self.rounds.append(round)?,
            Row::Mix(mix) => self.mixes.append(mix)?,
            Row::Link(link) => self.links.append(link)?,
            Row::Fault(fault) => self.faults.append(fault)?,
            Row::Network(network) => self.network.append(network)?,
        }
        self.standings.take(&row);
        Ok(())
    }

    /// Appends a peer.
    ///
    /// # Errors
    /// The system refused.
    pub fn peer(&mut self, row: PeerRow) -> Result<(), RecordError> {
        self.write(Row::Peer(row))
    }

    /// Appends a closed round.
    ///
    /// # Errors
    /// The system refused.
    pub fn round(&mut self, row: RoundRow) -> Result<(), RecordError> {
        self.write(Row::Round(row))
    }

    /// Appends a pulled model.
    ///
    /// # Errors
    /// The system refused.
    pub fn mix(&mut self, row: MixRow) -> Result<(), RecordError> {
        self.write(Row::Mix(row))
    }

    /// Appends a connection that came up or ended.
    ///
    /// # Errors
    /// The system refused.
    pub fn link(&mut self, row: LinkRow) -> Result<(), RecordError> {
        self.write(Row::Link(row))
    }

    /// Appends a fault.
    ///
    /// # Errors
    /// The system refused.
    pub fn fault(&mut self, row: FaultRow) -> Result<(), RecordError> {
        self.write(Row::Fault(row))
    }

    /// Appends a sample of the whole network.
    ///
    /// # Errors
    /// The system refused.
    pub fn network(&mut self, row: NetworkRow) -> Result<(), RecordError> {
        self.write(Row::Network(row))
    }

    /// Writes what came of it and closes the tables. Without anything better, `standings().outcome(..)` is it.
    ///
    /// # Errors
    /// The system refused.
    pub fn finish(self, outcome: &Outcome) -> Result<(), RecordError> {
        json(&self.directory.join("outcome.json"), outcome)
    }
}

/// A table that is flushed after every line.
#[derive(Debug)]
struct Table {
    path: PathBuf,
    writer: csv::Writer<File>,
}

impl Table {
    /// The header comes from a row that is thrown away: an empty table has its header too.
    fn create<T: Serialize>(directory: &Path, name: &str, example: &T) -> Result<Self, RecordError> {
        let path = directory.join(name);
        let mut header = csv::Writer::from_writer(Vec::new());
        let serialized = header.serialize(example).map_err(std::io::Error::other);
        serialized.map_err(RecordError::write(&path))?;
        let bytes = header.into_inner().map_err(|error| RecordError::write(&path)(error.into_error()))?;
        let end = bytes.iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |end| end + 1);
        let mut file = File::create(&path).map_err(RecordError::write(&path))?;
        std::io::Write::write_all(&mut file, &bytes[..end]).map_err(RecordError::write(&path))?;
        Ok(Self { path, writer: csv::WriterBuilder::new().has_headers(false).from_writer(file) })
    }

    fn append<T: Serialize>(&mut self, row: &T) -> Result<(), RecordError> {
        let written = self.writer.serialize(row).map_err(std::io::Error::other);
        written.and_then(|()| self.writer.flush()).map_err(RecordError::write(&self.path))
    }
}

/// Removes an earlier run; refuses anything else.
fn clear(directory: &Path) -> Result<(), RecordError> {
    let entries = std::fs::read_dir(directory).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let entries = entries.map_err(RecordError::read(directory))?;
    if entries.is_empty() {
        return Ok(());
    }
    if !directory.join("run.json").exists() {
        return Err(RecordError::NotEmpty { path: directory.to_owned() });
    }
    for entry in entries {
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        let is_seed = name.strip_prefix("seed-").is_some_and(|number| number.parse::<u64>().is_ok());
        let removed = match () {
            () if is_seed && path.is_dir() => std::fs::remove_dir_all(&path),
            () if OURS.contains(&name.as_ref()) => std::fs::remove_file(&path),
            () => Ok(()),
        };
        removed.map_err(RecordError::write(&path))?;
    }
    Ok(())
}

/// Writes whole JSON files, so that a reader never sees half of one.
fn json<T: Serialize>(path: &Path, value: &T) -> Result<(), RecordError> {
    let text = serde_json::to_vec_pretty(value).map_err(std::io::Error::from);
    let written = text.and_then(|text| write_whole(path, &text, Readers::Usual).map_err(|error| error.source));
    written.map_err(RecordError::write(path))
}
