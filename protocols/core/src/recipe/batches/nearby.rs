//! A shuffle in which rows that follow each other lie near each other.

use std::ops::Range;

use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Rows that stay together until they are shuffled with those of other runs.
pub(super) const RUN: usize = 1024;
/// Runs that are shuffled together.
pub(super) const RUNS: usize = 64;
const GROUP: usize = RUN * RUNS;

/// The shuffle of one pass, as far as it was asked for.
#[derive(Debug, Clone, Default)]
pub(super) struct Nearby {
    pass: Option<u64>,
    /// The runs of the pass, in their order.
    runs: Vec<u32>,
    /// Seeds the shuffles within the groups of runs.
    seed: u64,
    /// The place in the pass where the group begins whose rows are kept.
    begin: usize,
    group: Vec<u32>,
}

impl Nearby {
    /// Appends the rows at these places of a pass; `rng` is the pass's own.
    pub(super) fn take(&mut self, rows: usize, pass: u64, rng: ChaCha8Rng, places: Range<usize>, out: &mut Vec<usize>) {
        self.go_to(rows, pass, rng);
        let mut at = places.start;
        while at < places.end {
            self.load(rows, at);
            let end = places.end.min(self.begin + self.group.len());
            out.extend(self.group[at - self.begin..end - self.begin].iter().map(|row| *row as usize));
            at = end;
        }
    }

    fn go_to(&mut self, rows: usize, pass: u64, mut rng: ChaCha8Rng) {
        if self.pass == Some(pass) {
            return;
        }
        self.pass = Some(pass);
        self.runs.clear();
        self.runs.extend(0..rows.div_ceil(RUN) as u32);
        self.runs.shuffle(&mut rng);
        self.seed = rng.random();
        self.group.clear();
    }

    /// Shuffles the rows of the group that this place of the pass is in.
    fn load(&mut self, rows: usize, at: usize) {
        if (self.begin..self.begin + self.group.len()).contains(&at) {
            return;
        }
        // The last run of the rows may be short, and with it the group that it is in: those behind begin earlier.
        let lacking = self.runs.len() * RUN - rows;
        let short = self.runs.iter().position(|run| *run as usize == self.runs.len() - 1).unwrap_or(0) / RUNS;
        let behind = at + lacking >= (short + 1) * GROUP;
        let number = if behind { (at + lacking) / GROUP } else { at / GROUP };
        self.begin = number * GROUP - if behind { lacking } else { 0 };
        self.group.clear();
        for run in self.runs.iter().skip(number * RUNS).take(RUNS) {
            let first = *run as usize * RUN;
            self.group.extend(first as u32..(first + RUN).min(rows) as u32);
        }
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(number as u64);
        self.group.shuffle(&mut rng);
    }
}

#[cfg(test)]
mod tests {
    use super::super::{BatchOrder, Batches};
    use super::*;

    fn batches(rows: usize, size: usize, seed: u64) -> Batches {
        Batches::new(rows, size, BatchOrder::Shuffled, seed).nearby()
    }

    #[test]
    fn every_pass_has_every_row_once_and_another_order() {
        // The place of the short run differs from seed to seed and from pass to pass.
        for rows in [1, 10, RUN, GROUP - 1, GROUP, GROUP + 1, 3 * GROUP - 700, 4 * GROUP + 5] {
            for seed in 0..3 {
                let mut two = batches(rows, rows, seed);
                let passes = [two.next_batch().to_vec(), two.next_batch().to_vec()];
                assert!(rows < 10 || passes[0] != passes[1]);
                for mut pass in passes {
                    pass.sort_unstable();
                    assert!(pass.into_iter().eq(0..rows), "{rows} rows");
                }
            }
        }
    }

    #[test]
    fn a_batch_is_known_by_its_number() {
        let (rows, size) = (2 * GROUP + 1500, 999);
        let mut whole = batches(rows, size, 4);
        let all: Vec<Vec<usize>> = (0..300).map(|_| whole.next_batch().to_vec()).collect();
        assert!(all.iter().all(|batch| batch.len() == size));
        let mut again = batches(rows, size, 4);
        for number in [299, 3, 4, 131, 65, 66, 132] {
            again.seek(number as u64);
            assert_eq!(again.next_batch(), all[number], "batch {number}");
        }
    }

    #[test]
    fn the_next_rows_lie_in_few_places_of_the_whole_file() {
        let rows = 40 * GROUP;
        let mut group = batches(rows, GROUP, 7).next_batch().to_vec();
        let batch: Vec<usize> = group[..512].iter().map(|row| row * 4 / rows).collect();
        assert!(
            (0..4).all(|quarter| batch.iter().filter(|part| **part == quarter).count() > 20),
            "a sorted file is mixed"
        );
        group.sort_unstable();
        let runs = 1 + group.windows(2).filter(|pair| pair[1] != pair[0] + 1).count();
        assert!(runs <= RUNS, "{runs} places");
    }

    #[test]
    fn orders_that_do_not_shuffle_stay_as_they_are() {
        for order in [BatchOrder::Repeated, BatchOrder::Consecutive] {
            let mut plain = Batches::new(100, 7, order, 3);
            let mut nearby = plain.clone().nearby();
            assert!((0..40).all(|_| plain.next_batch() == nearby.next_batch()));
        }
    }
}
