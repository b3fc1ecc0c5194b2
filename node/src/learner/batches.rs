//! Minibatches: shuffled passes over the rows, without replacement.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// Indices of minibatches, for ever: pass after pass over shuffled rows, each with every row once.
///
/// A batch that reaches the end of a pass is filled from the next one, so all have the same size; only with fewer rows than
/// that, a batch is a whole pass. The rest of a pass alone would be a batch of as little as one row, and a full step along
/// the gradient of one row throws a model far off (measured: one round in seven, with 225 rows in batches of 32).
#[derive(Debug)]
pub struct Batches {
    order: Vec<usize>,
    next: usize,
    size: usize,
    batch: Vec<usize>,
    rng: ChaCha8Rng,
}

impl Batches {
    /// Batches of `size` of `rows` rows; the same seed gives the same batches.
    pub fn new(rows: usize, size: usize, seed: u64) -> Self {
        let (order, rng) = ((0..rows).collect(), ChaCha8Rng::seed_from_u64(seed));
        Self { order, next: rows, size: size.clamp(1, rows.max(1)), batch: Vec::new(), rng }
    }

    /// The rows of the next batch; empty only when there are no rows.
    pub fn next_batch(&mut self) -> &[usize] {
        self.batch.clear();
        while self.batch.len() < self.size && !self.order.is_empty() {
            if self.next >= self.order.len() {
                self.order.shuffle(&mut self.rng);
                self.next = 0;
            }
            let end = (self.next + self.size - self.batch.len()).min(self.order.len());
            self.batch.extend_from_slice(&self.order[self.next..end]);
            self.next = end;
        }
        &self.batch
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pass_sees_every_row_once() {
        let mut batches = Batches::new(10, 4, 1);
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
        let mut batches = Batches::new(225, 32, 3);
        assert!((0..40).all(|_| batches.next_batch().len() == 32));
        let mut batches = Batches::new(3, 100, 1);
        assert!((0..4).all(|_| batches.next_batch().len() == 3));
        assert!(Batches::new(0, 4, 1).next_batch().is_empty());
    }
}
