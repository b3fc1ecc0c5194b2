//! The Base-(k+1) graph (Takezawa et al. 2023): sequences of graphs of degree at most `k` whose product is the mean.
//!
//! Three constructions, each from the one before:
//!
//! - *Hyper-hypercube* (algorithm 1), when no prime factor of `n` exceeds `k + 1`: ranks are numbers in a mixed radix,
//!   and round `r` averages those that differ in digit `r` only.
//! - *Simple Base-(k+1)* (algorithm 2), for every `n`: written in base `k + 1`, `n` is a sum of blocks. Each block
//!   finds
//!   its mean by a hyper-hypercube; then block after block hands its mean to all smaller blocks at once, in the
//!   proportion of sizes, and evens out what it got in return.
//! - *Base-(k+1)* (algorithm 3): with `n = p q`, where `p` has all the small prime factors, `p` copies of a simple
//!   Base-(k+1) graph over `q` ranks, then a hyper-hypercube across the copies. Taken when it is no longer than the
//!   simple one.
//!
//! Rows are found for one rank at a time, in `O(k + log n)` steps beside the factors of `n`.

/// The weights of one rank.
type Row = Vec<(usize, f64)>;

/// A block of the simple graph: `parts` times `part` ranks, `part` a power of the base.
#[derive(Debug, Clone, Copy)]
struct Block {
    start: usize,
    parts: usize,
    part: usize,
}

/// The sequence for one `n`.
#[derive(Debug)]
enum Plan {
    Hyper(Vec<usize>),
    Simple(Simple),
    Split { copy: Simple, across: Vec<usize> },
}

#[derive(Debug)]
struct Simple {
    base: usize,
    n: usize,
    /// At least two, in falling order of size.
    blocks: Vec<Block>,
}

/// Rounds of one period, at least 1.
pub(super) fn period(k: usize, n: usize) -> u64 {
    Plan::new(k, n).period().max(1) as u64
}

/// The neighbours of `rank` in `round` and their weights, in no order. Requires `rank < n`.
pub(super) fn row(k: usize, rank: usize, n: usize, round: u64) -> Row {
    let plan = Plan::new(k, n);
    let round = (round % plan.period().max(1) as u64) as usize;
    match &plan {
        Plan::Hyper(factors) => hyper_row(factors, rank, round),
        Plan::Simple(simple) => simple.row(rank, round),
        Plan::Split { copy, across } => {
            let (start, at) = (rank / copy.n * copy.n, rank % copy.n);
            match round.checked_sub(copy.period()) {
                None => moved(copy.row(at, round), 1, start),
                Some(round) => moved(hyper_row(across, rank / copy.n, round), copy.n, at),
            }
        }
    }
}

impl Plan {
    fn new(k: usize, n: usize) -> Self {
        // More than all others are no neighbours.
        let base = k.clamp(1, n.saturating_sub(1).max(1)) + 1;
        let (across, rough) = factors(n, base);
        if rough <= 1 {
            return Self::Hyper(across);
        }
        let (simple, copy) = (Simple::new(n, base), Simple::new(rough, base));
        if across.is_empty() || simple.period() < copy.period() + across.len() {
            return Self::Simple(simple);
        }
        Self::Split { copy, across }
    }

    fn period(&self) -> usize {
        match self {
            Self::Hyper(factors) => factors.len(),
            Self::Simple(simple) => simple.period(),
            Self::Split { copy, across } => copy.period() + across.len(),
        }
    }
}

impl Simple {
    /// The digits of `n` as blocks. `n` has a prime factor above `base`, hence two digits that are not zero.
    fn new(n: usize, base: usize) -> Self {
        let mut part = 1;
        while n / part >= base {
            part *= base;
        }
        let mut blocks = Vec::new();
        let mut start = 0;
        while part > 0 {
            let parts = (n - start) / part;
            if parts > 0 {
                blocks.push(Block { start, parts, part });
            }
            start += parts * part;
            part /= base;
        }
        Self { base, n, blocks }
    }

    /// Rounds in which every block finds its own mean.
    fn inner_rounds(&self) -> usize {
        self.blocks.first().map_or(0, |block| factors(block.size(), self.base).0.len())
    }

    /// After the inner rounds one to hand out the mean of the largest block, and as many as it needs to even out.
    fn period(&self) -> usize {
        self.inner_rounds() + 1 + self.blocks.first().map_or(0, |block| factors(block.part, self.base).0.len())
    }

    fn row(&self, at: usize, round: usize) -> Row {
        let Some(index) = self.blocks.iter().rposition(|block| block.start <= at) else { return Row::new() };
        let block = self.blocks[index];
        let Some(turn) = round.checked_sub(self.inner_rounds()) else {
            return moved(hyper_row(&factors(block.size(), self.base).0, at - block.start, round), 1, block.start);
        };
        if turn < index {
            return self.take(&self.blocks[turn], at);
        }
        if turn == index && block.end() < self.n {
            return self.give(&block, at);
        }
        // A block of single ranks has nothing to even out, and averages itself rather than idle.
        let width = if block.part == 1 { block.size() } else { block.part };
        let start = block.start + (at - block.start) / width * width;
        moved(hyper_row(&factors(width, self.base).0, at - start, turn.saturating_sub(index + 1)), 1, start)
    }

    /// The part of a block in all that is not before it, split over its parts.
    fn share(&self, giver: &Block) -> f64 {
        giver.part as f64 / (self.n - giver.start) as f64
    }

    /// A rank of a smaller block takes the mean of `giver` from one rank of each of its parts.
    fn take(&self, giver: &Block, at: usize) -> Row {
        let first = giver.start + (at - giver.end());
        (0..giver.parts).map(|part| (first + part * giver.part, self.share(giver))).collect()
    }

    /// A rank of the giving block serves one smaller rank, or averages itself with others that serve none.
    fn give(&self, block: &Block, at: usize) -> Row {
        let served = self.n - block.end();
        let (part, inner) = ((at - block.start) / block.part, (at - block.start) % block.part);
        if inner < served {
            return vec![(block.end() + inner, self.share(block))];
        }
        let free = block.part - served;
        let own = part * free + inner - served;
        let group = own / self.base * self.base..(own / self.base + 1) * self.base;
        let group = group.start..group.end.min(free * block.parts);
        let rank = |free_at: usize| block.start + free_at / free * block.part + served + free_at % free;
        let weight = 1.0 / group.len() as f64;
        group.filter(|&other| other != own).map(|other| (rank(other), weight)).collect()
    }
}

impl Block {
    fn size(&self) -> usize {
        self.parts * self.part
    }

    fn end(&self) -> usize {
        self.start + self.size()
    }
}

/// Factors of `n` from 2 to `base`, large ones first, and what is left. Few factors, though not always the fewest.
fn factors(n: usize, base: usize) -> (Vec<usize>, usize) {
    let mut found = Vec::new();
    let mut rest = n;
    for factor in (2..=base).rev() {
        while rest > 1 && rest.is_multiple_of(factor) {
            found.push(factor);
            rest /= factor;
        }
    }
    (found, rest)
}

/// The ranks that differ from `at` in digit `round` of the mixed radix `factors`, which repeats.
fn hyper_row(factors: &[usize], at: usize, round: usize) -> Row {
    let Some(digit) = round.checked_rem(factors.len()) else { return Row::new() };
    let width = factors[digit];
    let stride: usize = factors[..digit].iter().product();
    let first = at - at / stride % width * stride;
    let others = (0..width).map(|value| first + value * stride).filter(|&other| other != at);
    others.map(|other| (other, 1.0 / width as f64)).collect()
}

/// The row with every rank `r` called `r * stride + start`.
fn moved(row: Row, stride: usize, start: usize) -> Row {
    row.into_iter().map(|(other, weight)| (other * stride + start, weight)).collect()
}
