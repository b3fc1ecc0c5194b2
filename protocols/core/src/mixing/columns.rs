//! Coordinate statistics, many coordinates at a time.

use super::Column;
use super::apply::within;
use super::network::exchanges;

/// Coordinates worked on at a time: 21 rows of 2 KiB stay in the first-level cache.
pub(super) const BLOCK: usize = 512;

/// Values of one block: a row a model.
pub(super) struct Rows {
    column: Column,
    rows: Vec<[f32; BLOCK]>,
    candidates: usize,
    exchanges: Vec<(usize, usize)>,
}

impl Rows {
    /// Scratch for that many candidates.
    pub fn new(column: Column, candidates: usize) -> Self {
        let rows = match column {
            Column::Median => candidates + 1,
            Column::Trimmed { .. } => candidates,
        };
        Self { column, rows: vec![[0.0; BLOCK]; rows], candidates, exchanges: exchanges(rows) }
    }

    /// Where the values of candidate `index` go. Shapes: `[len]`, at most [`BLOCK`].
    pub fn row(&mut self, index: usize, len: usize) -> &mut [f32] {
        &mut self.rows[index][..len]
    }

    /// Replaces the own values by the statistic. Shapes: `own: [len]` as long as the rows.
    pub fn reduce(&mut self, own: &mut [f32]) {
        match self.column {
            Column::Median => {
                self.rows[self.candidates][..own.len()].copy_from_slice(own);
                self.sort(own.len());
                self.median(own);
            }
            Column::Trimmed { b } => {
                self.sort(own.len());
                self.trimmed_mean(b, own);
            }
        }
    }

    fn sort(&mut self, len: usize) {
        for &(low, high) in &self.exchanges {
            let (head, tail) = self.rows.split_at_mut(high);
            for (low, high) in head[low][..len].iter_mut().zip(&mut tail[0][..len]) {
                (*low, *high) = (low.min(*high), low.max(*high));
            }
        }
    }

    fn median(&self, own: &mut [f32]) {
        let (lower, upper) = ((self.rows.len() - 1) / 2, self.rows.len() / 2);
        for ((own, lower), upper) in own.iter_mut().zip(&self.rows[lower]).zip(&self.rows[upper]) {
            // Half of each before adding: the sum of two large values could overflow.
            *own = 0.5 * lower + 0.5 * upper;
        }
    }

    fn trimmed_mean(&self, b: usize, own: &mut [f32]) {
        let kept = &self.rows[b..self.rows.len() - b];
        let share = 1.0 / (kept.len() as f32 + 1.0);
        own.iter_mut().for_each(|own| *own *= share);
        for row in kept {
            own.iter_mut().zip(row).for_each(|(own, value)| *own += share * value);
        }
        own.iter_mut().for_each(|own| *own = within(*own));
    }
}
