//! Communication graphs over dense ranks: who pulls from whom in which round, and how much it should count.
//!
//! A graph is a pure function of rank, number of peers and round, so that every peer finds its own neighbours without a
//! word. Static families do not look at the round; one-peer exponential and Base-(k+1) are periodic sequences of sparse
//! graphs that mix like dense ones.
//!
//! Weights make the matrix of a round doubly stochastic: the mean over all peers is kept, and repeated mixing ends in
//! it. Metropolis-Hastings (Xiao and Boyd 2004) for undirected graphs; the sequences bring their own.

mod base;
mod edges;
mod exponential;
mod fixed;
mod regular;
#[cfg(test)]
mod tests;
mod text;

pub use edges::{EdgeFault, EdgeList, MAX_EDGES, ParseEdgesError};
pub use text::ParseGraphError;

/// The neighbours of every rank. Shapes: `[n]`, each `[degree]`, sorted.
pub type Table = Vec<Vec<usize>>;

/// The neighbours of every rank with their weights. Shapes: `[n]`, each `[degree]`, sorted by rank.
pub type WeightTable = Vec<Vec<(usize, f64)>>;

/// A graph for every number of peers.
///
/// As text, also for serde: `line`, `ring`, `star`, `torus`, `complete`, `regular:DEGREE`, `regular:DEGREE:SEED`,
/// `exponential`, `base:K`. An edge list prints as `edges:PATH`, which no text turns back into a graph: see
/// [`super::Topology`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Graph {
    /// Each rank with the one before and the one after.
    Line,
    /// A line whose ends meet.
    Ring,
    /// Rank 0 with everyone.
    Star,
    /// A grid, as square as the divisors of `n` allow, whose borders meet. A ring when `n` is prime.
    Torus,
    /// Everyone with everyone.
    Complete,
    /// Drawn among graphs in which all have the same degree (one peer has one less if `n * degree` is odd).
    ///
    /// Connected if the degree is at least 3. The draw is part of every call: `O(n * degree)`, so take
    /// [`Graph::table`] for many ranks.
    RandomRegular {
        /// Neighbours of each; at most all others.
        degree: usize,
        /// Decides the draw.
        seed: u64,
    },
    /// In round `t` from the peer `2^(t mod ceil(log2 n))` ranks on, weight one half.
    ///
    /// Directed. The exact mean after one period when `n` is a power of two (Ying et al. 2021, "Exponential Graph is
    /// Provably Efficient for Decentralized Deep Training").
    OnePeerExponential,
    /// The Base-(k+1) graph: at most `k` neighbours a round, the exact mean after one period for every `n`.
    ///
    /// Takezawa et al. 2023, "Beyond Exponential Graph: Communication-Efficient Topologies for Decentralized Learning
    /// via Finite-time Convergence" (NeurIPS), algorithms 1 to 3.
    BaseK {
        /// Most neighbours in one round; 0 counts as 1.
        k: usize,
    },
    /// The edges of a list.
    Edges(EdgeList),
}

impl Graph {
    /// The neighbours to pull from of `rank` among `n` peers in `round`: sorted, without `rank`, without duplicates.
    ///
    /// None for a rank that is not below `n`.
    pub fn neighbours(&self, rank: usize, n: usize, round: u64) -> Vec<usize> {
        if rank >= n {
            return Vec::new();
        }
        let mut found = match self {
            Self::Line => fixed::line(rank, n),
            Self::Ring => fixed::ring(rank, n),
            Self::Star => fixed::star(rank, n),
            Self::Torus => fixed::torus(rank, n),
            Self::Complete => (0..n).collect(),
            Self::RandomRegular { degree, seed } => {
                regular::table(*degree, *seed, n).into_iter().nth(rank).unwrap_or_default()
            }
            Self::OnePeerExponential => exponential::neighbour(rank, n, round).into_iter().collect(),
            Self::BaseK { k } => base::row(*k, rank, n, round).into_iter().map(|(other, _)| other).collect(),
            Self::Edges(edges) => edges.of(rank, n).to_vec(),
        };
        found.retain(|&other| other != rank);
        found.sort_unstable();
        found.dedup();
        found
    }

    /// How many neighbours `rank` pulls from in `round`.
    pub fn degree_of(&self, rank: usize, n: usize, round: u64) -> usize {
        match self {
            Self::Complete if rank < n => n - 1,
            Self::Star if rank < n => (if rank == 0 { n } else { 2 }) - 1,
            Self::Edges(edges) if rank < n => edges.of(rank, n).len(),
            _ => self.neighbours(rank, n, round).len(),
        }
    }

    /// The weight of each neighbour in the mean that `rank` forms; what is missing to 1 is its own weight.
    ///
    /// Sorted by rank. The matrix of all peers is doubly stochastic in every round, and no own weight is negative.
    pub fn weights(&self, rank: usize, n: usize, round: u64) -> Vec<(usize, f64)> {
        if let Some(row) = self.own_weights(rank, n, round) {
            return row;
        }
        if let Self::RandomRegular { .. } = self {
            return metropolis(&self.table(n, round), rank);
        }
        let degree = self.degree_of(rank, n, round);
        let weight = |other| 1.0 / (1.0 + degree.max(self.degree_of(other, n, round)) as f64);
        self.neighbours(rank, n, round).into_iter().map(|other| (other, weight(other))).collect()
    }

    /// [`Graph::neighbours`] of every rank, for simulators.
    pub fn table(&self, n: usize, round: u64) -> Table {
        match self {
            Self::RandomRegular { degree, seed } => regular::table(*degree, *seed, n),
            _ => (0..n).map(|rank| self.neighbours(rank, n, round)).collect(),
        }
    }

    /// [`Graph::weights`] of every rank, for simulators.
    pub fn weight_table(&self, n: usize, round: u64) -> WeightTable {
        if matches!(self, Self::OnePeerExponential | Self::BaseK { .. }) {
            return (0..n).map(|rank| self.weights(rank, n, round)).collect();
        }
        let table = self.table(n, round);
        (0..n).map(|rank| metropolis(&table, rank)).collect()
    }

    /// Rounds after which the sequence of graphs starts again; 1 for a static one.
    pub fn period(&self, n: usize) -> u64 {
        match self {
            Self::OnePeerExponential => exponential::period(n),
            Self::BaseK { k } => base::period(*k, n),
            _ => 1,
        }
    }

    /// The weights of the families that bring their own.
    fn own_weights(&self, rank: usize, n: usize, round: u64) -> Option<Vec<(usize, f64)>> {
        let mut row = match self {
            _ if rank >= n => Vec::new(),
            Self::OnePeerExponential => {
                exponential::neighbour(rank, n, round).map(|other| (other, 0.5)).into_iter().collect()
            }
            Self::BaseK { k } => base::row(*k, rank, n, round),
            _ => return None,
        };
        row.sort_unstable_by_key(|(other, _)| *other);
        Some(row)
    }
}

/// Metropolis-Hastings weights of one rank of an undirected graph.
fn metropolis(table: &[Vec<usize>], rank: usize) -> Vec<(usize, f64)> {
    let neighbours = table.get(rank).map_or(&[][..], Vec::as_slice);
    let degree = |other: usize| table.get(other).map_or(0, Vec::len);
    neighbours.iter().map(|&other| (other, 1.0 / (1.0 + neighbours.len().max(degree(other)) as f64))).collect()
}
