//! Whom to pull from: draws that look at who vouches for whom, fixed communication graphs, and a partial view.
//!
//! A draw sees [`Source`]s, what is known of a peer apart from its model, and gives ids. [`Sampling::Uniform`] treats
//! identities alike, which is right among friends and hands a network to whoever makes the most keys.
//! [`Sampling::Guarded`] treats origins alike. [`Sampling::Graph`] follows a [`Graph`], for experiments and for
//! networks whose operators know their links.
//!
//! Graphs work on dense ranks: the rank of a peer is the position of its id among all ids it knows. Ranks agree once
//! everyone knows everyone; under churn they reshuffle, and until they agree again the pulls of a round are still pulls
//! from known peers, only not those of the graph.
//!
//! [`view`] is for networks larger than anyone can know.

/// Implements serde for a type as its text form.
macro_rules! serde_as_text {
    ($name:ty) => {
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <String as serde::Deserialize>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

pub mod graph;
mod guarded;
mod prefix;
#[cfg(test)]
mod tests;
mod topology;
pub mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use rand::Rng;
use rand::seq::IteratorRandom;

pub use graph::{EdgeList, Graph, ParseEdgesError, ParseGraphError};
pub use guarded::{draw_guarded, draw_guarded_distinct};
pub use prefix::Prefix;
pub use topology::Topology;

use crate::id::PeerId;

/// A peer that can be drawn, and where it came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source {
    /// Who it is.
    pub peer: PeerId,
    /// Who told of it first, if that is remembered.
    pub introducer: Option<PeerId>,
    /// The part of the internet it is in.
    pub prefix: Prefix,
}

/// How the peers of a round are chosen.
///
/// As text: `uniform`, `guarded`, `view`, `view:SIZE`, or the text form of a [`Graph`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Sampling {
    /// Every known identity is as likely as any other (Epidemic Learning, de Vos et al. 2023, EL-Local with pulls).
    Uniform,
    /// Every origin is as likely as any other; see [`draw_guarded`].
    #[default]
    Guarded,
    /// From a bounded [`view`] that shuffles keep fresh, for networks larger than anyone can know; out of it like
    /// [`Sampling::Guarded`].
    View {
        /// Most peers in the view: from [`view::LEAST_SIZE`] to [`view::MOST_SIZE`].
        size: usize,
    },
    /// The neighbours in a graph over the ranks of ids.
    Graph(Graph),
}

/// A text is no [`Sampling`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseSamplingError {
    /// Another word, and not a graph either.
    #[error("neither `uniform`, `guarded` nor `view:SIZE`, and as a graph: {0}")]
    Graph(#[from] ParseGraphError),
    /// A view of no number of peers, or of one out of bounds.
    #[error("a view holds from {least} to {most} peers, not {got:?}", least = view::LEAST_SIZE, most = view::MOST_SIZE)]
    View {
        /// What stands for the size.
        got: String,
    },
}

impl Sampling {
    /// Draws up to `count` different peers of `known`, never `own`.
    ///
    /// `known` is who may be drawn: reachable and not tried in this round. `everyone` is all ids known, `own` among
    /// them or not, in any order; only graphs look at it and at `round`. A graph gives its neighbours that are in
    /// `known`, and a uniform choice of `count` if there are more; there may be none.
    pub fn draw(
        &self,
        own: PeerId,
        known: &[Source],
        everyone: &[PeerId],
        round: u64,
        count: usize,
        rng: &mut impl Rng,
    ) -> Vec<PeerId> {
        let others = || known.iter().filter(|source| source.peer != own);
        let candidates: BTreeSet<PeerId> = match self {
            Self::Guarded | Self::View { .. } => {
                let others: Vec<Source> = others().copied().collect();
                return draw_guarded(&others, count, rng);
            }
            Self::Uniform => others().map(|source| source.peer).collect(),
            Self::Graph(graph) => {
                let known: BTreeSet<PeerId> = others().map(|source| source.peer).collect();
                let (rank, ids) = ranks(own, everyone);
                let wanted = graph.neighbours(rank, ids.len(), round).into_iter().filter_map(|rank| ids.get(rank));
                wanted.copied().filter(|peer| known.contains(peer)).collect()
            }
        };
        candidates.into_iter().sample(rng, count)
    }

    /// The weights that a graph gives the neighbours of `own`; none without a graph. `everyone` as in
    /// [`Sampling::draw`].
    pub fn weights(&self, own: PeerId, everyone: &[PeerId], round: u64) -> BTreeMap<PeerId, f64> {
        let Self::Graph(graph) = self else { return BTreeMap::new() };
        let (rank, ids) = ranks(own, everyone);
        let weights = graph.weights(rank, ids.len(), round).into_iter();
        weights.filter_map(|(rank, weight)| Some((*ids.get(rank)?, weight))).collect()
    }
}

/// The rank of `own`, which counts as one of `everyone`, and the ids of all ranks.
fn ranks(own: PeerId, everyone: &[PeerId]) -> (usize, Vec<PeerId>) {
    let mut ids: Vec<PeerId> = everyone.iter().copied().chain([own]).collect();
    ids.sort_unstable();
    ids.dedup();
    (ids.binary_search(&own).unwrap_or_else(|rank| rank), ids)
}

impl fmt::Display for Sampling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uniform => f.write_str("uniform"),
            Self::Guarded => f.write_str("guarded"),
            Self::View { size } => write!(f, "view:{size}"),
            Self::Graph(graph) => graph.fmt(f),
        }
    }
}

impl FromStr for Sampling {
    type Err = ParseSamplingError;

    fn from_str(text: &str) -> Result<Self, ParseSamplingError> {
        match text {
            "uniform" => Ok(Self::Uniform),
            "guarded" => Ok(Self::Guarded),
            "view" => Ok(Self::View { size: view::ViewConfig::default().capacity }),
            text => match text.strip_prefix("view:") {
                Some(size) => view_of(size),
                None => Ok(Self::Graph(text.parse()?)),
            },
        }
    }
}

fn view_of(size: &str) -> Result<Sampling, ParseSamplingError> {
    let fits = |size: &usize| (view::LEAST_SIZE..=view::MOST_SIZE).contains(size);
    let parsed = size.parse().ok().filter(fits);
    let got = || size.chars().take(20).collect();
    parsed.map(|size| Sampling::View { size }).ok_or_else(|| ParseSamplingError::View { got: got() })
}

serde_as_text!(Sampling);
