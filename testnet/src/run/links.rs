//! Which links every peer has at a moment: those of the scenario, and what faults do to them.

use std::collections::{BTreeMap, BTreeSet};

use peerlearn::network::links::{LinkShape, LinkTable};
use peerlearn_protocols::id::PeerId;

use crate::scenario::{Act, LinkSetup, Plan};

/// The links of all peers.
#[derive(Debug, Clone)]
pub struct LinkBook {
    usual: Vec<LinkSetup>,
    worse: BTreeMap<usize, LinkSetup>,
    pieces: Option<Vec<u8>>,
    blocked: BTreeSet<(usize, usize)>,
}

impl LinkBook {
    /// As the scenario says, with no fault.
    pub fn new(plan: &Plan) -> Self {
        Self {
            usual: plan.peers.iter().map(|peer| peer.links.clone()).collect(),
            worse: BTreeMap::new(),
            pieces: None,
            blocked: BTreeSet::new(),
        }
    }

    /// Takes in what happens; whether any link changed.
    pub fn take(&mut self, act: &Act) -> bool {
        match act {
            Act::Pieces(pieces) => self.pieces.clone_from(pieces),
            Act::Block(from, to, true) => drop(self.blocked.insert((*from, *to))),
            Act::Block(from, to, false) => drop(self.blocked.remove(&(*from, *to))),
            Act::Link(peer, Some(links)) => drop(self.worse.insert(*peer, links.clone())),
            Act::Link(peer, None) => drop(self.worse.remove(peer)),
            _ => return false,
        }
        true
    }

    /// The links of a peer now.
    pub fn setup(&self, peer: usize) -> LinkSetup {
        let usual = &self.usual[peer];
        self.worse.get(&peer).map_or_else(|| usual.clone(), |worse| worse.over(usual))
    }

    /// Whether nothing gets from one peer to another.
    fn is_cut(&self, from: usize, to: usize) -> bool {
        self.blocked.contains(&(from, to)) || self.pieces.as_ref().is_some_and(|pieces| pieces[from] != pieces[to])
    }

    /// What the node of a peer is told. `ids` are those of all peers in their present lives.
    ///
    /// Delay and loss between two peers are the worse of the two.
    pub fn table(&self, peer: usize, ids: &[PeerId]) -> LinkTable {
        let own = self.setup(peer);
        let mut table = LinkTable { usual: link(&own), rate: own.rate.map(|rate| rate.0), ..LinkTable::default() };
        for (other, id) in ids.iter().enumerate().filter(|(other, _)| *other != peer) {
            let theirs = link(&self.setup(other));
            let between = LinkShape {
                delay_us: table.usual.delay_us.max(theirs.delay_us),
                loss: table.usual.loss.max(theirs.loss),
                mute: self.is_cut(peer, other),
                deaf: self.is_cut(other, peer),
            };
            if between != table.usual {
                table.peers.insert(*id, between);
            }
        }
        table
    }
}

fn link(setup: &LinkSetup) -> LinkShape {
    let micros = |span: crate::scenario::Span| span.0.as_micros() as u64;
    let delay_us = setup.delay.map_or((0, 0), |(least, most)| (micros(least), micros(most)));
    LinkShape { delay_us, loss: setup.loss.unwrap_or(0.0), ..LinkShape::default() }
}
