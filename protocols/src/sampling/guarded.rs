//! A draw in which many identities of one origin weigh as much as one.

use std::collections::{BTreeMap, BTreeSet};

use rand::Rng;
use rand::seq::SliceRandom;

use super::{Prefix, Source};
use crate::id::PeerId;

/// What counts as one origin.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Origin {
    /// A block of public addresses.
    Block(Prefix),
    /// Whoever told of peers whose addresses say nothing.
    Introducer(PeerId),
    /// A peer of which nothing is known but its id.
    Alone(PeerId),
}

impl Origin {
    fn of(source: &Source) -> Self {
        match source.introducer {
            _ if source.prefix.is_public() => Self::Block(source.prefix),
            Some(introducer) => Self::Introducer(introducer),
            None => Self::Alone(source.peer),
        }
    }
}

/// Draws `count` different peers so that all identities of one (introducer, prefix) group together are drawn no more
/// often than one share among groups.
///
/// An origin is drawn first: a public prefix, or for local addresses the introducer, or without one the peer itself.
/// Inside a prefix an introducer is drawn, then a peer. Origins take turns in random order, and so do the introducers of
/// a prefix: none gives a second peer before every other one that still has peers gave a first. With `g` origins and
/// `count <= g`, each origin is in the draw with chance `count / g`, however many identities it has, and gives at most
/// one.
///
/// The guard is as good as the prefixes: who holds many blocks of addresses has many shares, and among local addresses
/// who can introduce under many names has as many. A peer listed twice counts where it is listed first. Fewer than
/// `count` come back if there are fewer. Cost: `O(candidates + count)` up to the logarithm of sorted maps.
///
/// Grouping by /16 against eclipse attacks is after Heilman et al. 2015 (Bitcoin's buckets).
pub fn draw_guarded(candidates: &[Source], count: usize, rng: &mut impl Rng) -> Vec<PeerId> {
    if count == 0 {
        return Vec::new();
    }
    let mut origins = turns(candidates, rng);
    let mut drawn = Vec::with_capacity(count.min(candidates.len()));
    while drawn.len() < count && !origins.is_empty() {
        origins.retain_mut(|peers| {
            if drawn.len() < count {
                drawn.extend(peers.pop());
            }
            !peers.is_empty()
        });
        origins.shuffle(rng);
    }
    drawn
}

/// The peers of every origin, origins in random order, the peer to draw next at the end of each.
fn turns(candidates: &[Source], rng: &mut impl Rng) -> Vec<Vec<PeerId>> {
    let mut seen = BTreeSet::new();
    let mut origins: BTreeMap<Origin, BTreeMap<Option<PeerId>, Vec<PeerId>>> = BTreeMap::new();
    for source in candidates.iter().filter(|source| seen.insert(source.peer)) {
        let introducers = origins.entry(Origin::of(source)).or_default();
        introducers.entry(source.introducer).or_default().push(source.peer);
    }
    let mut origins: Vec<Vec<PeerId>> =
        origins.into_values().map(|introducers| interleave(introducers.into_values().collect(), rng)).collect();
    origins.shuffle(rng);
    origins
}

/// One peer of every introducer, in random order, then a second one of those who have two, and so on; reversed.
fn interleave(mut introducers: Vec<Vec<PeerId>>, rng: &mut impl Rng) -> Vec<PeerId> {
    let mut order = Vec::with_capacity(introducers.iter().map(Vec::len).sum());
    introducers.iter_mut().for_each(|peers| peers.shuffle(rng));
    while !introducers.is_empty() {
        introducers.shuffle(rng);
        introducers.retain_mut(|peers| {
            order.extend(peers.pop());
            !peers.is_empty()
        });
    }
    order.reverse();
    order
}
