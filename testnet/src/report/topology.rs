//! Who was connected to whom, who mixed whom, and who was down, over time.

use std::collections::BTreeMap;

use serde::Serialize;

use super::thin::Thinning;
use crate::record::{FaultRow, SeedRecord, fault_moves};

/// Moments that the time of a seed is cut into, at the most: a slider has no finer steps.
const MOMENTS: u64 = 128;

/// Flat lists of numbers; peers are their position in the list of peers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Topology {
    /// Milliseconds of the whole seed.
    pub end_ms: u64,
    /// Milliseconds of one moment of `mixes`.
    pub moment_ms: u64,
    /// Connections: `peer, other, up at ms, down at ms`, again and again.
    pub links: Vec<u64>,
    /// Models taken: `moment, taker, giver, how many`, again and again.
    pub mixes: Vec<u64>,
    /// Peers that were down: `peer, down at ms, up again at ms`, again and again.
    pub down: Vec<u64>,
    /// Connections that were left out.
    pub links_left_out: usize,
    /// Models whose pair of peers had to be left out.
    pub mixes_left_out: u64,
}

type Index<'a> = BTreeMap<&'a str, usize>;

impl Topology {
    pub(super) fn new(seed: &SeedRecord, index: &Index<'_>, end_ms: u64, thinning: &Thinning) -> Self {
        let mut topology = Self { end_ms, ..Self::default() };
        topology.add_links(seed, index, thinning.links);
        topology.add_mixes(seed, index, thinning.mixes);
        topology.down = down(&seed.faults, index, end_ms);
        topology
    }

    /// A connection is up as long as one of its two sides says so. Who crashes says nothing any more.
    fn add_links(&mut self, seed: &SeedRecord, index: &Index<'_>, most: usize) {
        // By pair: what the lower and the higher peer say, and since when the connection is up.
        let mut pairs: BTreeMap<(usize, usize), ([bool; 2], u64)> = BTreeMap::new();
        let mut done = Vec::new();
        let mut changes: Vec<Change> = seed.links.iter().filter_map(|row| Change::link(row, index)).collect();
        changes.extend(seed.faults.iter().flat_map(|row| Change::silences(row, index)));
        changes.sort_by_key(|change| change.t_ms);
        for change in changes {
            let keys: Vec<(usize, usize)> = match change.other {
                Some(other) => vec![(change.peer.min(other), change.peer.max(other))],
                None => pairs.keys().filter(|(low, high)| [*low, *high].contains(&change.peer)).copied().collect(),
            };
            for key in keys {
                let (says, since) = pairs.entry(key).or_default();
                let before = says[0] || says[1];
                says[usize::from(change.peer == key.1)] = change.up;
                match (before, says[0] || says[1]) {
                    (false, true) => *since = change.t_ms,
                    (true, false) => done.push([key.0 as u64, key.1 as u64, *since, change.t_ms]),
                    _ => {}
                }
            }
        }
        let still = pairs.iter().filter(|(_, (says, _))| says[0] || says[1]);
        done.extend(still.map(|(key, (_, since))| [key.0 as u64, key.1 as u64, *since, self.end_ms]));
        self.links_left_out = done.len().saturating_sub(most);
        self.links = done.into_iter().take(most).flatten().collect();
    }

    /// Moments are doubled in length until pairs and moments fit; pairs beyond that, the rarest, are left out.
    fn add_mixes(&mut self, seed: &SeedRecord, index: &Index<'_>, most: usize) {
        let known = |name: &str| index.get(name).map(|peer| *peer as u64);
        let mixes = || seed.mixes.iter().filter_map(|row| Some((row.t_ms, known(&row.name)?, known(&row.from)?)));
        let mut moments = MOMENTS;
        loop {
            self.moment_ms = (self.end_ms / moments + 1).max(1);
            let mut counts: BTreeMap<(u64, u64, u64), u64> = BTreeMap::new();
            mixes().for_each(|(t_ms, to, from)| *counts.entry((t_ms / self.moment_ms, to, from)).or_default() += 1);
            if counts.len() > most && moments > 1 {
                moments /= 2;
                continue;
            }
            let mut counts: Vec<((u64, u64, u64), u64)> = counts.into_iter().collect();
            if counts.len() > most {
                counts.sort_by_key(|(key, count)| (u64::MAX - count, *key));
                self.mixes_left_out = counts[most..].iter().map(|(_, count)| count).sum();
                counts.truncate(most);
                counts.sort();
            }
            self.mixes = counts.iter().flat_map(|((moment, to, from), count)| [*moment, *to, *from, *count]).collect();
            return;
        }
    }
}

/// What one peer says of its connection to another, or, without another, that it says nothing any more.
struct Change {
    t_ms: u64,
    peer: usize,
    other: Option<usize>,
    up: bool,
}

impl Change {
    fn link(row: &crate::record::LinkRow, index: &Index<'_>) -> Option<Self> {
        let (peer, other) = (*index.get(row.name.as_str())?, *index.get(row.other.as_str())?);
        (peer != other).then_some(Self { t_ms: row.t_ms, peer, other: Some(other), up: row.up })
    }

    fn silences(row: &FaultRow, index: &Index<'_>) -> Vec<Self> {
        if fault_moves(&row.kind) != Some(false) {
            return Vec::new();
        }
        let peers = row.names.iter().filter_map(|name| index.get(name.as_str()));
        peers.map(|peer| Self { t_ms: row.t_ms, peer: *peer, other: None, up: false }).collect()
    }
}

/// From when to when each peer was down.
fn down(faults: &[FaultRow], index: &Index<'_>, end_ms: u64) -> Vec<u64> {
    let mut since: BTreeMap<usize, u64> = BTreeMap::new();
    let mut all = Vec::new();
    for fault in faults {
        let Some(up) = fault_moves(&fault.kind) else { continue };
        for peer in fault.names.iter().filter_map(|name| index.get(name.as_str())) {
            match up {
                false => drop(since.entry(*peer).or_insert(fault.t_ms)),
                true => all.extend(since.remove(peer).iter().flat_map(|from| [*peer as u64, *from, fault.t_ms])),
            }
        }
    }
    all.extend(since.iter().flat_map(|(peer, from)| [*peer as u64, *from, end_ms]));
    all
}
