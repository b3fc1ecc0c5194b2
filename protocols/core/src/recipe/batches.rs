//! Minibatches: shuffled passes over the rows, without replacement.

mod nearby;

use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use nearby::Nearby;

/// How minibatches are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchOrder {
    /// Every row once, shuffled, then again in another order.
    Shuffled,
    /// So many consecutive rows from a random start.
    Consecutive,
    /// Every row once, as they lie, then again in the same order.
    Repeated,
}

/// Indices of minibatches, for ever.
///
/// Pass after pass over the rows, each with every row once. A batch that reaches the end of a pass is filled from the
/// next one, so all have the same size; only with fewer rows than that, a batch is a whole pass. The rest of a pass
/// alone would be a batch of as little as one row, and a full step along the gradient of one row throws a model far off
/// (measured: one round in seven, with 225 rows in batches of 32).
///
/// Nothing is remembered from batch to batch but what saves work: batch number n of a seed is the same whoever asks for
/// it, also after a restart, so a round that is done again sees the same rows.
#[derive(Debug, Clone)]
pub struct Batches {
    rows: usize,
    size: usize,
    order: BatchOrder,
    seed: u64,
    /// The number of the next batch.
    next: u64,
    /// The pass whose permutation is kept.
    pass: Option<u64>,
    permutation: Vec<u32>,
    /// How shuffled rows are kept near each other, if they are.
    nearby: Option<Nearby>,
    batch: Vec<usize>,
}

impl Batches {
    /// Rows of a run under [`Batches::nearby`].
    pub const RUN: usize = nearby::RUN;
    /// Runs whose rows are shuffled together under [`Batches::nearby`].
    pub const RUNS: usize = nearby::RUNS;

    /// Batches of `size` of `rows` rows; the same seed gives the same batches.
    pub fn new(rows: usize, size: usize, order: BatchOrder, seed: u64) -> Self {
        let size = size.clamp(1, rows.max(1));
        Self { rows, size, order, seed, next: 0, pass: None, permutation: Vec::new(), nearby: None, batch: Vec::new() }
    }

    /// The same with another shuffle, for rows that are read from a file: runs of [`Self::RUN`] rows that lie behind each other
    /// are shuffled, and then the rows of [`Self::RUNS`] runs at a time. So the next 64 Ki rows of a pass lie in 64 places, and
    /// come from all parts of a file that is sorted; the memory is 4 bytes for each run and for each of the 64 Ki rows. Of fewer
    /// rows than that it is a shuffle of all. Orders that do not shuffle stay as they are.
    #[must_use]
    pub fn nearby(mut self) -> Self {
        self.nearby = Some(Nearby::default());
        self
    }

    /// Goes to the batch of this number, counted from 0.
    pub fn seek(&mut self, number: u64) {
        self.next = number;
    }

    /// The rows of the next batch; empty only when there are no rows.
    pub fn next_batch(&mut self) -> &[usize] {
        self.batch.clear();
        if self.rows > 0 {
            match self.order {
                BatchOrder::Consecutive => self.take_consecutive(),
                BatchOrder::Shuffled | BatchOrder::Repeated => self.take_from_passes(),
            }
            self.next = self.next.wrapping_add(1);
        }
        &self.batch
    }

    fn take_consecutive(&mut self) {
        let start = self.rng(self.next).random_range(0..=self.rows - self.size);
        self.batch.extend(start..start + self.size);
    }

    fn take_from_passes(&mut self) {
        let first = u128::from(self.next) * self.size as u128;
        let (mut pass, mut at) = ((first / self.rows as u128) as u64, (first % self.rows as u128) as usize);
        while self.batch.len() < self.size {
            let end = (at + self.size - self.batch.len()).min(self.rows);
            match self.order {
                BatchOrder::Shuffled if self.nearby.is_some() => {
                    let rng = self.rng(pass);
                    self.nearby
                        .iter_mut()
                        .for_each(|nearby| nearby.take(self.rows, pass, rng.clone(), at..end, &mut self.batch));
                }
                BatchOrder::Shuffled => {
                    self.permute(pass);
                    self.batch.extend(self.permutation[at..end].iter().map(|row| *row as usize));
                }
                BatchOrder::Consecutive | BatchOrder::Repeated => self.batch.extend(at..end),
            }
            (pass, at) = (pass.wrapping_add(1), 0);
        }
    }

    fn permute(&mut self, pass: u64) {
        if self.pass == Some(pass) {
            return;
        }
        let mut rng = self.rng(pass);
        self.permutation.clear();
        self.permutation.extend(0..self.rows as u32);
        self.permutation.shuffle(&mut rng);
        self.pass = Some(pass);
    }

    /// A generator of its own for every pass or batch.
    fn rng(&self, number: u64) -> ChaCha8Rng {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(number);
        rng
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pass_sees_every_row_once() {
        let mut batches = Batches::new(10, 4, BatchOrder::Shuffled, 1);
        // Five batches of four are two passes.
        let seen: Vec<usize> = (0..5).flat_map(|_| batches.next_batch().to_vec()).collect();
        for pass in seen.chunks(10) {
            let mut pass = pass.to_vec();
            pass.sort_unstable();
            assert_eq!(pass, (0..10).collect::<Vec<_>>());
        }
        assert_ne!(seen[..10], seen[10..], "each pass is shuffled anew");
    }

    #[test]
    fn every_batch_is_full_unless_there_are_too_few_rows() {
        let mut batches = Batches::new(225, 32, BatchOrder::Shuffled, 3);
        assert!((0..40).all(|_| batches.next_batch().len() == 32));
        let mut batches = Batches::new(3, 100, BatchOrder::Shuffled, 1);
        assert!((0..4).all(|_| batches.next_batch().len() == 3));
        assert!(Batches::new(0, 4, BatchOrder::Shuffled, 1).next_batch().is_empty());
    }

    #[test]
    fn a_batch_is_known_by_its_number() {
        for order in [BatchOrder::Shuffled, BatchOrder::Consecutive, BatchOrder::Repeated] {
            let mut whole = Batches::new(23, 5, order, 9);
            let all: Vec<Vec<usize>> = (0..30).map(|_| whole.next_batch().to_vec()).collect();
            let mut again = Batches::new(23, 5, order, 9);
            for number in [29, 3, 4, 17] {
                again.seek(number as u64);
                assert_eq!(again.next_batch(), all[number], "{order:?}");
            }
        }
        let mut repeated = Batches::new(4, 3, BatchOrder::Repeated, 0);
        let seen: Vec<usize> = (0..4).flat_map(|_| repeated.next_batch().to_vec()).collect();
        assert_eq!(seen, [0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3]);
        let mut runs = Batches::new(50, 5, BatchOrder::Consecutive, 2);
        assert!((0..20).all(|_| runs.next_batch().windows(2).all(|pair| pair[1] == pair[0] + 1)));
    }
}
