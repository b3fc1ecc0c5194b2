//! Graphs written down edge by edge.

use std::collections::BTreeMap;
use std::sync::Arc;

use thiserror::Error;

/// Most edges a list may have.
pub const MAX_EDGES: usize = 1_000_000;
/// Most characters of a faulty text that an error repeats.
const QUOTED: usize = 80;

/// An undirected graph given by its edges. A clone shares them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EdgeList {
    path: String,
    adjacency: Arc<BTreeMap<usize, Vec<usize>>>,
}

/// What is wrong with a line of an edge list.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EdgeFault {
    /// Not two words.
    #[error("expected two ranks, got {got} words")]
    Words {
        /// How many there are.
        got: usize,
    },
    /// A word is no rank.
    #[error("{got:?} is not a rank (0, 1, 2, ...)")]
    Rank {
        /// The word, cut to 80 characters.
        got: String,
    },
    /// An edge from a rank to itself.
    #[error("rank {rank} is joined to itself")]
    Loop {
        /// The rank.
        rank: usize,
    },
    /// One edge too many.
    #[error("more than {MAX_EDGES} edges")]
    TooMany,
}

/// An edge list could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{path}, line {line}: {fault}")]
pub struct ParseEdgesError {
    /// Where the list came from, as handed to [`EdgeList::parse`].
    pub path: String,
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong there.
    pub fault: EdgeFault,
}

impl EdgeList {
    /// Reads a list: one edge `A B` a line, ranks apart by whitespace or a comma, `#` before comments.
    ///
    /// `path` names the list in errors and in the text form of its graph. Edges have no direction; one given twice
    /// counts once. Ranks that a network does not reach are left out when it asks.
    ///
    /// # Errors
    ///
    /// The first line that is no edge, or that is one more than [`MAX_EDGES`].
    pub fn parse(path: &str, text: &str) -> Result<Self, ParseEdgesError> {
        let mut adjacency: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        let mut count = 0;
        for (index, line) in text.lines().enumerate() {
            let wrong = |fault| ParseEdgesError { path: path.to_owned(), line: index + 1, fault };
            let Some((a, b)) = edge(line).map_err(wrong)? else { continue };
            count += 1;
            if count > MAX_EDGES {
                return Err(wrong(EdgeFault::TooMany));
            }
            adjacency.entry(a).or_default().push(b);
            adjacency.entry(b).or_default().push(a);
        }
        for neighbours in adjacency.values_mut() {
            neighbours.sort_unstable();
            neighbours.dedup();
        }
        Ok(Self { path: path.to_owned(), adjacency: Arc::new(adjacency) })
    }

    /// Where the list came from.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The number of peers the list is made for: its highest rank and one.
    pub fn peers(&self) -> usize {
        self.adjacency.last_key_value().map_or(0, |(rank, _)| rank.saturating_add(1))
    }

    /// The neighbours of `rank` that are below `n`, sorted.
    pub(super) fn of(&self, rank: usize, n: usize) -> &[usize] {
        let all = self.adjacency.get(&rank).map_or(&[][..], Vec::as_slice);
        &all[..all.partition_point(|&other| other < n)]
    }
}

/// The edge of a line, if it has more than a comment.
fn edge(line: &str) -> Result<Option<(usize, usize)>, EdgeFault> {
    let text = line.split('#').next().unwrap_or_default();
    let mut words = text.split(|letter: char| letter.is_whitespace() || letter == ',').filter(|word| !word.is_empty());
    let (first, second, more) = (words.next(), words.next(), words.count());
    let (a, b) = match (first, second, more) {
        (None, ..) => return Ok(None),
        (Some(a), Some(b), 0) => (rank(a)?, rank(b)?),
        (Some(_), second, more) => return Err(EdgeFault::Words { got: 1 + usize::from(second.is_some()) + more }),
    };
    if a == b { Err(EdgeFault::Loop { rank: a }) } else { Ok(Some((a, b))) }
}

fn rank(word: &str) -> Result<usize, EdgeFault> {
    word.parse().map_err(|_| EdgeFault::Rank { got: word.chars().take(QUOTED).collect() })
}
