//! A directory into which nodes append their events, as a run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use peerlearn::event::{NodeEvent, Stamped};
use peerlearn_protocols::id::PeerId;

use super::WatchError;
use super::file::{EventFile, Timed};
use crate::record::{EventFold, FaultRow, Machine, PeerRow, Row, RunInfo, RunRecord, SeedRecord, Standings, utc};

/// Most files that are followed.
const FILES: usize = 512;
/// Longest name of a peer, in characters; names come from file names.
const NAME: usize = 48;
/// Most ids that one file may speak for: a node that lost its home has a new one.
const IDS: usize = 8;
/// Time between two samples of the whole network.
const SAMPLE_MS: u64 = 500;
/// A node that says nothing for so long, while others do, counts as down. A round of a slow node takes seconds.
const SILENCE_MS: u64 = 30_000;
/// Most rows that are kept of each table; beyond that the oldest half goes, of samples every second one.
const ROWS: usize = 200_000;

/// The events of all nodes, folded into the tables of a run.
#[derive(Debug)]
pub struct EventsDirectory {
    path: PathBuf,
    files: BTreeMap<String, EventFile>,
    /// Whose file it was that first spoke for an id; others cannot.
    owners: BTreeMap<PeerId, String>,
    heard: BTreeMap<String, u64>,
    fold: EventFold,
    standings: Standings,
    run: RunRecord,
    /// Zero of the time axis, milliseconds since 1970.
    zero: Option<i64>,
    sampled_ms: Option<u64>,
    stored: usize,
}

impl EventsDirectory {
    /// Of a directory that is read at the first [`Self::scan`].
    pub fn new(path: &Path) -> Self {
        let name = path.file_name().map_or_else(|| "events".to_owned(), |name| name.to_string_lossy().into_owned());
        let info = RunInfo {
            name,
            about: "What the nodes tell that write their events here.".to_owned(),
            driver: "events".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            machine: Machine::here(),
            seeds: vec![0],
            link_faults: "not known".to_owned(),
            notes: vec![
                "Events carry the time since the start of their node. They are put on one axis by the time at which the \
                 files were last written, so nodes may be off against each other by about a second."
                    .to_owned(),
            ],
            ..RunInfo::default()
        };
        let directory = path.to_owned();
        let seeds = vec![SeedRecord::empty(0)];
        Self {
            path: path.to_owned(),
            files: BTreeMap::new(),
            owners: BTreeMap::new(),
            heard: BTreeMap::new(),
            fold: EventFold::default(),
            standings: Standings::default(),
            run: RunRecord { directory, info, scenario: String::new(), seeds, outcome: None },
            zero: None,
            sampled_ms: None,
            stored: 0,
        }
    }

    /// What is known so far.
    pub fn run(&self) -> &RunRecord {
        &self.run
    }

    /// Looks for new files and reads what is new in all.
    ///
    /// # Errors
    /// The directory cannot be read. A file that cannot be read is passed over.
    pub fn scan(&mut self, now: SystemTime) -> Result<(), WatchError> {
        self.find()?;
        let mut events: Vec<(String, Timed)> = Vec::new();
        for file in self.files.values_mut() {
            let name = file.name.clone();
            events.extend(file.read().into_iter().map(|timed| (name.clone(), timed)));
        }
        // Names first, so that nobody is called by an id whose file comes later in the alphabet.
        events.retain(|(name, (_, stamped))| self.owns(name, stamped));
        events.sort_by_key(|(_, (at, _))| *at);
        if self.zero.is_none()
            && let Some((_, (first, _))) = events.first()
        {
            self.zero = Some(*first);
            self.run.info.started =
                utc(SystemTime::UNIX_EPOCH + std::time::Duration::from_millis(first.unsigned_abs()));
        }
        let zero = self.zero.unwrap_or(0);
        let until = now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_millis());
        let until = since(i64::try_from(until).unwrap_or(i64::MAX), zero);
        for (name, (at, stamped)) in events {
            // Nothing happens in the future, whatever a stranger says.
            self.take(&name, since(at, zero).min(until), &stamped);
        }
        self.note_silence(until);
        self.bound();
        Ok(())
    }

    fn find(&mut self) -> Result<(), WatchError> {
        let failed = |source| WatchError::Events { path: self.path.clone(), source };
        for entry in std::fs::read_dir(&self.path).map_err(failed)?.flatten() {
            let path = entry.path();
            let is_events = path.extension().is_some_and(|extension| extension == "jsonl");
            let Some(stem) = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()) else { continue };
            if is_events && self.files.len() < FILES && !self.files.contains_key(&stem) {
                let name: String = stem.chars().filter(|c| !c.is_whitespace() && !c.is_control()).take(NAME).collect();
                let taken = self.files.values().any(|file| file.name == name);
                let name = if taken || name.is_empty() { format!("{name}#{}", self.files.len()) } else { name };
                self.files.insert(stem, EventFile::new(&path, name));
            }
        }
        Ok(())
    }

    /// Whether a file may speak for the node of an event; the first file that does, may.
    fn owns(&mut self, name: &str, stamped: &Stamped) -> bool {
        if let Some(owner) = self.owners.get(&stamped.node) {
            return owner == name;
        }
        if self.owners.values().filter(|owner| *owner == name).count() >= IDS {
            return false;
        }
        self.owners.insert(stamped.node, name.to_owned());
        self.fold.name(stamped.node, name.to_owned());
        if self.standings.peer(name).is_none() {
            let group = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '-' || c == '_').to_owned();
            // A name that is a word of its own is no group of one.
            let group = if group == name { String::new() } else { group };
            let peer = stamped.node.to_string();
            self.push(Row::Peer(PeerRow { peer, name: name.to_owned(), group, ..PeerRow::default() }));
        }
        true
    }

    fn take(&mut self, name: &str, t_ms: u64, stamped: &Stamped) {
        let up = self.standings.peer(name).is_none_or(|peer| peer.up);
        match &stamped.event {
            NodeEvent::Stopping => self.fault(t_ms, "stop", name, "stopped"),
            NodeEvent::Started { .. } if !up => self.fault(t_ms, "restart", name, "started again"),
            _ if !up => self.fault(t_ms, "up", name, "speaks again"),
            _ => {}
        }
        self.heard.insert(name.to_owned(), t_ms);
        self.fold.rows(t_ms, stamped).into_iter().for_each(|row| self.push(row));
        self.sample(t_ms);
    }

    fn fault(&mut self, t_ms: u64, kind: &str, name: &str, what: &str) {
        let words = format!("{name} {what}");
        self.push(Row::Fault(FaultRow { t_ms, kind: kind.to_owned(), names: vec![name.to_owned()], words }));
    }

    fn sample(&mut self, t_ms: u64) {
        if self.sampled_ms.is_none_or(|last| t_ms >= last.saturating_add(SAMPLE_MS)) {
            self.sampled_ms = Some(t_ms);
            self.push(Row::Network(self.standings.network(t_ms)));
        }
    }

    fn note_silence(&mut self, until: u64) {
        let newest = self.heard.values().copied().max().unwrap_or(0);
        // Where all are silent the network is over, or the disk of the watcher is slow: nobody is singled out.
        if newest.saturating_add(SILENCE_MS) < until {
            return;
        }
        let silent = self.heard.iter().filter(|(_, last)| last.saturating_add(SILENCE_MS) < newest);
        let silent: Vec<String> = silent.map(|(name, _)| name.clone()).collect();
        for name in silent {
            if self.standings.peer(&name).is_some_and(|peer| peer.up) {
                self.fault(newest, "down", &name, "has said nothing for 30 s");
            }
        }
    }

    fn push(&mut self, row: Row) {
        self.standings.take(&row);
        self.stored += 1;
        self.run.seeds[0].push(row);
    }

    /// Forgets the oldest rows once there are too many.
    fn bound(&mut self) {
        if self.stored < ROWS {
            return;
        }
        let seed = &mut self.run.seeds[0];
        halve(&mut seed.rounds);
        halve(&mut seed.mixes);
        halve(&mut seed.links);
        halve(&mut seed.faults);
        let network = std::mem::take(&mut seed.network);
        seed.network = if network.len() > ROWS / 4 { network.into_iter().step_by(2).collect() } else { network };
        self.stored = seed.rounds.len() + seed.mixes.len() + seed.links.len() + seed.faults.len() + seed.network.len();
    }
}

/// Drops the older half of a table that takes more than its share.
fn halve<T>(rows: &mut Vec<T>) {
    if rows.len() > ROWS / 8 {
        rows.drain(..rows.len() / 2);
    }
}

fn since(at: i64, zero: i64) -> u64 {
    u64::try_from(at.saturating_sub(zero)).unwrap_or(0)
}
