//! Random regular graphs by the configuration model (Bollobas 1980), with repairs in place of rejection.

use rand::RngExt;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::Table;

/// Pairings tried; a sparse one succeeds at once but for a few small numbers of peers.
const PAIRINGS: usize = 32;
/// Partners tried for one edge that must be repaired.
const REPAIRS: usize = 256;
/// From this degree on a graph must come out connected: below, most random ones are not.
const CONNECTED_FROM: usize = 3;

/// The neighbours of every rank, sorted.
///
/// A graph with half of all edges or more, which repairs would not find, is a circulant of shuffled ranks instead.
pub(super) fn table(degree: usize, seed: u64, n: usize) -> Table {
    let degree = degree.min(n.saturating_sub(1));
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let sparse = degree < n / 2;
    let paired = (0..PAIRINGS).filter(|_| sparse).find_map(|_| {
        let table = repaired(pairing(degree, n, &mut rng), n, &mut rng)?;
        (degree < CONNECTED_FROM || is_connected(&table)).then_some(table)
    });
    let mut table = paired.unwrap_or_else(|| circulant(degree, n, &mut rng));
    table.iter_mut().for_each(|neighbours| neighbours.sort_unstable());
    table
}

/// A random pairing of `degree` stubs of each rank; one stub of the last rank is dropped if they are odd.
fn pairing(degree: usize, n: usize, rng: &mut ChaCha8Rng) -> Vec<(usize, usize)> {
    let mut stubs: Vec<usize> = (0..n).flat_map(|rank| std::iter::repeat_n(rank, degree)).collect();
    stubs.truncate(stubs.len() / 2 * 2);
    stubs.shuffle(rng);
    stubs.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect()
}

/// Makes the pairing simple by switches: a bad edge `u v` and a good one `x y` become `u x` and `v y`.
///
/// None if some edge finds no partner.
fn repaired(pairing: Vec<(usize, usize)>, n: usize, rng: &mut ChaCha8Rng) -> Option<Table> {
    let mut table = vec![Vec::new(); n];
    let mut bad = Vec::new();
    let mut good = Vec::with_capacity(pairing.len());
    for (u, v) in pairing {
        if may_join(&table, u, v) {
            join(&mut table, u, v);
            good.push((u, v));
        } else {
            bad.push((u, v));
        }
    }
    for (u, v) in bad {
        let mut tries = (0..REPAIRS).filter(|_| !good.is_empty()).map(|_| {
            let index = rng.random_range(0..good.len());
            let (x, y) = good[index];
            (index, if rng.random() { (x, y) } else { (y, x) })
        });
        let (index, (x, y)) = tries.find(|&(_, (x, y))| may_join(&table, u, x) && may_join(&table, v, y))?;
        table[x].retain(|&other| other != y);
        table[y].retain(|&other| other != x);
        join(&mut table, u, x);
        join(&mut table, v, y);
        good[index] = (u, x);
        good.push((v, y));
    }
    Some(table)
}

fn may_join(table: &[Vec<usize>], u: usize, v: usize) -> bool {
    u != v && !table[u].contains(&v)
}

fn join(table: &mut [Vec<usize>], u: usize, v: usize) {
    table[u].push(v);
    table[v].push(u);
}

/// Each rank with those next to it on a ring of shuffled ranks; for an odd degree also with the one opposite.
fn circulant(degree: usize, n: usize, rng: &mut ChaCha8Rng) -> Table {
    let mut order: Vec<usize> = (0..n).collect();
    order.shuffle(rng);
    let mut table = vec![Vec::with_capacity(degree); n];
    for offset in 1..=degree / 2 {
        (0..n).for_each(|at| join(&mut table, order[at], order[(at + offset) % n]));
    }
    if degree % 2 == 1 {
        let half = n / 2;
        for pair in 0..half {
            // With odd `n` the steps of `half` are one ring through all, of which every second edge is taken.
            let at = if n.is_multiple_of(2) { pair } else { 2 * pair * half % n };
            join(&mut table, order[at], order[(at + half) % n]);
        }
    }
    table
}

fn is_connected(table: &[Vec<usize>]) -> bool {
    let mut reached = vec![false; table.len()];
    let mut open = vec![0];
    let mut count = 0;
    while let Some(rank) = open.pop() {
        if !std::mem::replace(&mut reached[rank], true) {
            count += 1;
            open.extend(table[rank].iter().filter(|&&other| !reached[other]));
        }
    }
    count == table.len()
}
