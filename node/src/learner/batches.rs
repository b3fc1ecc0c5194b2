//! Minibatches: shuffled passes over the rows, without replacement.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// Indices of minibatches, for ever. The last batch of a pass may be smaller; no row is seen twice before all are seen.
#[derive(Debug)]
pub struct Batches {
    order: Vec<usize>,
    next: usize,
    size: usize,
    rng: ChaCha8Rng,
}

impl Batches {
    /// Batches of `size` of `rows` rows; the same seed gives the same batches.
    pub fn new(rows: usize, size: usize, seed: u64) -> Self {
        let mut batches =
            Self { order: (0..rows).collect(), next: 0, size: size.max(1), rng: ChaCha8Rng::seed_from_u64(seed) };
        batches.order.shuffle(&mut batches.rng);
        batches
    }

    /// The rows of the next batch; empty only when there are no rows.
    pub fn next_batch(&mut self) -> &[usize] {
        if self.next >= self.order.len() {
            self.order.shuffle(&mut self.rng);
            self.next = 0;
        }
        let start = self.next;
        self.next = (start + self.size).min(self.order.len());
        &self.order[start..self.next]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pass_sees_every_row_once() {
        let mut batches = Batches::new(10, 4, 1);
        for _ in 0..3 {
            let mut seen: Vec<usize> = (0..3).flat_map(|_| batches.next_batch().to_vec()).collect();
            seen.sort_unstable();
            assert_eq!(seen, (0..10).collect::<Vec<_>>());
        }
        assert_eq!(Batches::new(3, 100, 1).next_batch().len(), 3);
        assert!(Batches::new(0, 4, 1).next_batch().is_empty());
    }
}
