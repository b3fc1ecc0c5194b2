//! The one-peer exponential graph (Ying et al. 2021).

/// Rounds until all powers of two below `n` were used: `ceil(log2 n)`, at least 1.
pub(super) fn period(n: usize) -> u64 {
    u64::from(usize::BITS - n.saturating_sub(1).leading_zeros()).max(1)
}

/// The one peer to pull from. Requires `rank < n`.
pub(super) fn neighbour(rank: usize, n: usize, round: u64) -> Option<usize> {
    let ahead = 1_usize << (round % period(n));
    // The largest power of a period is below `n`, except that of a network of one.
    (n > 1).then(|| (rank + ahead) % n)
}
