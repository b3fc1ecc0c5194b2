//! Static graphs that need no more than arithmetic. The caller drops the rank itself and duplicates.

/// Neighbours in a line. Requires `rank < n`.
pub(super) fn line(rank: usize, n: usize) -> Vec<usize> {
    let before = rank.checked_sub(1);
    let after = Some(rank + 1).filter(|&after| after < n);
    before.into_iter().chain(after).collect()
}

/// Neighbours in a ring. Requires `rank < n`.
pub(super) fn ring(rank: usize, n: usize) -> Vec<usize> {
    vec![(rank + n - 1) % n, (rank + 1) % n]
}

/// Neighbours in a star around rank 0. Requires `rank < n`.
pub(super) fn star(rank: usize, n: usize) -> Vec<usize> {
    if rank == 0 { (1..n).collect() } else { vec![0] }
}

/// Neighbours in a grid with borders that meet. Requires `rank < n`.
pub(super) fn torus(rank: usize, n: usize) -> Vec<usize> {
    let rows = (1..=n.isqrt()).rev().find(|rows| n.is_multiple_of(*rows)).unwrap_or(1);
    let columns = n / rows;
    let (row, column) = (rank / columns, rank % columns);
    let sideways = ring(column, columns).into_iter().map(|column| row * columns + column);
    let upright = ring(row, rows).into_iter().map(|row| row * columns + column);
    sideways.chain(upright).collect()
}
