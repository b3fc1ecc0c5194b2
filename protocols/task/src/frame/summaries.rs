//! What all peers told: a map that only grows, and is the same in whatever order it was filled.
//!
//! A state-based CRDT (Shapiro et al. 2011, section 2.2): for each peer the pair (version, set of what was said under it), of which
//! the higher version wins and, under equal versions, the union. A peer that said two things under one version contradicts
//! itself: both are kept as proof, and it has no voice until it says one thing under a higher version. Where there are more
//! peers than fit, those with the smallest hashes of peer and task stay, which is a join too.

use std::collections::BTreeMap;

use peerlearn_protocols::id::{Hash, PeerId, TaskId};

use super::Summary;
use super::merge::merge;
use crate::Numbers;
use crate::schema::Schema;

/// Most peers whose summaries are kept: by the measurements behind the design, 64 tell as much as all.
pub const MAX_SUMMARIES: usize = 256;
/// Most bytes of all summaries together, as long as that is [`FEWEST`] or more.
const MAX_BYTES: usize = 1 << 20;
/// Summaries that are kept however wide the table is.
const FEWEST: usize = 3;
/// Most contradicting summaries of one peer that are kept: two are proof.
const PROOF: usize = 2;

/// Names one summary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Digest {
    /// Whose it is.
    pub peer: PeerId,
    /// [`Summary::hash`].
    pub hash: Hash,
}

/// What became of a summary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Joined {
    /// It is kept.
    New,
    /// It was there already, is older than what is kept, or does not fit.
    Known,
    /// It contradicts another one of the same peer and version; from now on that peer has no voice.
    Contradiction,
}

/// What all peers of a task told. See the module.
#[derive(Debug, Clone)]
pub struct Summaries {
    task: TaskId,
    schema: Schema,
    most: usize,
    peers: BTreeMap<PeerId, Said>,
}

#[derive(Debug, Clone, PartialEq)]
struct Said {
    version: u64,
    /// One; or two, where the peer contradicts itself.
    summaries: BTreeMap<Hash, Summary>,
}

impl Summaries {
    /// Nothing told yet.
    pub fn new(task: TaskId, schema: Schema) -> Self {
        let fit = MAX_BYTES / Summary::most_bytes(&schema);
        Self { task, most: fit.clamp(FEWEST, MAX_SUMMARIES), schema, peers: BTreeMap::new() }
    }

    /// The task.
    pub fn task(&self) -> TaskId {
        self.task
    }

    /// The schema of the task.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Takes a summary whose signature was checked.
    pub fn join(&mut self, summary: Summary) -> Joined {
        let (peer, version, hash) = (summary.peer, summary.version, summary.hash(&self.schema));
        if summary.task != self.task {
            return Joined::Known;
        }
        let said = self.peers.entry(peer).or_insert_with(|| Said { version, summaries: BTreeMap::new() });
        if version < said.version || version == said.version && said.summaries.contains_key(&hash) {
            return Joined::Known;
        }
        if version > said.version {
            *said = Said { version, summaries: BTreeMap::new() };
        }
        said.summaries.insert(hash, summary);
        let contradicts = said.summaries.len() > 1;
        while said.summaries.len() > PROOF {
            said.summaries.pop_last();
        }
        self.drop_those_beyond();
        match (self.peers.contains_key(&peer), contradicts) {
            (false, _) => Joined::Known,
            (true, true) => Joined::Contradiction,
            (true, false) => Joined::New,
        }
    }

    fn drop_those_beyond(&mut self) {
        if self.peers.len() > self.most {
            let place = |peer: &PeerId| *blake3::hash(&[peer.0, self.task.0].concat()).as_bytes();
            let last = self.peers.keys().copied().max_by_key(place);
            last.map(|peer| self.peers.remove(&peer));
        }
    }

    /// Names of all that are kept.
    pub fn digests(&self) -> Vec<Digest> {
        let of = |(peer, said): (&PeerId, &Said)| {
            let peer = *peer;
            said.summaries.keys().map(move |hash| Digest { peer, hash: *hash }).collect::<Vec<_>>()
        };
        self.peers.iter().flat_map(of).collect()
    }

    /// Most that [`Summaries::digests`] can name.
    pub fn most_digests(&self) -> usize {
        self.most * PROOF
    }

    /// One that is kept.
    pub fn get(&self, digest: &Digest) -> Option<&Summary> {
        self.peers.get(&digest.peer)?.summaries.get(&digest.hash)
    }

    /// Those of peers that do not contradict themselves, by peer.
    pub fn sound(&self) -> impl Iterator<Item = &Summary> {
        self.peers.values().filter(|said| said.summaries.len() == 1).flat_map(|said| said.summaries.values())
    }

    /// Peers that contradict themselves.
    pub fn contradicting(&self) -> impl Iterator<Item = PeerId> + '_ {
        self.peers.iter().filter(|(_, said)| said.summaries.len() > 1).map(|(peer, _)| *peer)
    }

    /// How many peers tell something of at least one column.
    pub fn voices(&self) -> usize {
        self.sound().filter(|summary| !summary.columns.is_empty()).count()
    }

    /// What all of them make together of the numbers that columns are scaled by.
    pub fn numbers(&self) -> Numbers {
        merge(self.sound(), &self.schema)
    }
}

/// Equal where the same is kept.
impl PartialEq for Summaries {
    fn eq(&self, other: &Self) -> bool {
        self.task == other.task && self.peers == other.peers
    }
}
