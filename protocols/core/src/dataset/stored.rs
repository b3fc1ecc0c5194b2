//! Rows that are kept elsewhere than in memory, and what is made of them while they are read.

use std::fmt;
use std::sync::{Arc, OnceLock};

use thiserror::Error;

/// Rows of numbers that are kept elsewhere: in a file, for example. What is kept never changes, and every value is finite.
pub trait RowStore: fmt::Debug + Send + Sync {
    /// Number of rows: at most 2^32.
    fn rows(&self) -> usize;

    /// Values a row.
    fn width(&self) -> usize;

    /// Appends the values of one row, `[width]`.
    ///
    /// # Errors
    /// It cannot be read, in words; what was appended by then is of no interest.
    fn copy_row(&self, index: usize, out: &mut Vec<f32>) -> Result<(), String>;
}

/// A row that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("row {row} of the data set cannot be read: {reason}")]
pub struct RowError {
    /// Row, from 0, of the store.
    pub row: usize,
    /// Why.
    pub reason: String,
}

/// What becomes of one value: `(x - minus) / over`, and not farther from 0 than `limit`. Computed in double precision and then
/// rounded, as values in memory are scaled.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rescale {
    /// What is subtracted.
    pub minus: f64,
    /// What the rest is divided by.
    pub over: f64,
    /// Farthest distance from 0; infinite for none.
    pub limit: f64,
}

impl Rescale {
    /// Leaves values as they are.
    pub const NONE: Self = Self { minus: 0.0, over: 1.0, limit: f64::INFINITY };

    /// What becomes of a value.
    pub fn apply(self, value: f32) -> f32 {
        let scaled = (f64::from(value) - self.minus) / self.over;
        // Not `clamp`, which would panic on a limit that is no number.
        (if scaled.abs() > self.limit { self.limit.copysign(scaled) } else { scaled }) as f32
    }
}

/// Changes every value of some rows. Shapes: `by: [width]`, `rows: [rows, width]`.
pub(super) fn rescale(by: &[Rescale], rows: &mut [f32]) {
    for row in rows.chunks_mut(by.len().max(1)) {
        row.iter_mut().zip(by).for_each(|(value, by)| *value = by.apply(*value));
    }
}

/// Rows of a [`RowStore`]: all, or some in an order of their own, perhaps rescaled. Cloning is cheap, and picking rows copies
/// their numbers only, 4 bytes each.
#[derive(Debug, Clone)]
pub struct Stored {
    store: Arc<dyn RowStore>,
    /// Rows of the store, in this order; all as they lie without.
    picked: Option<Arc<Vec<u32>>>,
    /// What is done to a row that was read, one after the other, each `[width]`.
    steps: Vec<Arc<[Rescale]>>,
    /// The first row that could not be read, by whoever has rows of this store.
    failed: Arc<OnceLock<RowError>>,
}

impl Stored {
    /// All rows of a store.
    pub fn new(store: Arc<dyn RowStore>) -> Self {
        Self { store, picked: None, steps: Vec::new(), failed: Arc::default() }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.picked.as_ref().map_or_else(|| self.store.rows(), |picked| picked.len())
    }

    /// Values a row.
    pub fn width(&self) -> usize {
        self.store.width()
    }

    /// The rows `picked` of these, in that order.
    ///
    /// # Panics
    /// A row is beyond the last.
    #[must_use]
    pub fn pick(&self, picked: impl ExactSizeIterator<Item = usize>) -> Self {
        let rows = self.rows();
        let of_store = |row: usize| match &self.picked {
            Some(before) => before[row],
            None => {
                assert!(row < rows, "row {row} of {rows} rows");
                row as u32
            }
        };
        let mut all = Vec::with_capacity(picked.len());
        all.extend(picked.map(of_store));
        Self { picked: Some(Arc::new(all)), ..self.clone() }
    }

    /// The same rows, every value changed when it is read, after what is done to it already. Shapes: `by: [width]`.
    #[must_use]
    pub fn rescaled(mut self, by: Arc<[Rescale]>) -> Self {
        self.steps.push(by);
        self
    }

    /// Appends the values of one row, `[width]`.
    ///
    /// # Errors
    /// It cannot be read, or a value is not finite after rescaling; nothing is appended then, and [`Stored::failure`] says so
    /// from now on.
    ///
    /// # Panics
    /// The row is beyond the last.
    pub fn copy_row(&self, index: usize, out: &mut Vec<f32>) -> Result<(), RowError> {
        let (begin, width) = (out.len(), self.width());
        let row = self.picked.as_ref().map_or(index, |picked| picked[index] as usize);
        let read = self.store.copy_row(row, out).and_then(|()| {
            if out.len() - begin != width {
                return Err(format!("it has {} values in place of {width}", out.len() - begin));
            }
            self.steps.iter().for_each(|by| rescale(by, &mut out[begin..]));
            match out[begin..].iter().position(|value| !value.is_finite()) {
                Some(place) => Err(format!("feature {place} is {}", out[begin + place])),
                None => Ok(()),
            }
        });
        read.map_err(|reason| {
            out.truncate(begin);
            let error = RowError { row, reason };
            self.failed.get_or_init(|| error.clone());
            error
        })
    }

    /// The first row that could not be read, of all rows that were ever asked for of this store. Whatever was computed since
    /// then may be wrong.
    pub fn failure(&self) -> Option<&RowError> {
        self.failed.get()
    }
}

/// The same rows of the same store.
impl PartialEq for Stored {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.store, &other.store) && self.picked == other.picked && self.steps == other.steps
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Rows in memory that count as kept elsewhere; those from `broken` on cannot be read.
    #[derive(Debug)]
    pub(crate) struct Shelf {
        pub width: usize,
        pub values: Vec<f32>,
        pub broken: usize,
    }

    impl Shelf {
        pub(crate) fn stored(width: usize, values: Vec<f32>) -> Stored {
            Stored::new(Arc::new(Self { width, values, broken: usize::MAX }))
        }
    }

    impl RowStore for Shelf {
        fn rows(&self) -> usize {
            self.values.len() / self.width
        }

        fn width(&self) -> usize {
            self.width
        }

        fn copy_row(&self, index: usize, out: &mut Vec<f32>) -> Result<(), String> {
            out.extend_from_slice(&self.values[index * self.width..(index + 1) * self.width]);
            if index < self.broken { Ok(()) } else { Err("the shelf fell".to_owned()) }
        }
    }

    fn row(rows: &Stored, index: usize) -> Vec<f32> {
        let mut row = Vec::new();
        rows.copy_row(index, &mut row).unwrap();
        row
    }

    #[test]
    fn picks_of_picks_are_rows_of_the_store() {
        let all = Shelf::stored(2, (0..10).map(|value| value as f32).collect());
        let some = all.pick([4, 1, 3].into_iter());
        let fewer = some.pick([2, 0, 0].into_iter());
        assert_eq!((all.rows(), some.rows(), fewer.rows(), fewer.width()), (5, 3, 3, 2));
        assert_eq!((row(&some, 0), row(&fewer, 0), row(&fewer, 2)), (vec![8.0, 9.0], vec![6.0, 7.0], vec![8.0, 9.0]));
        assert!(some == all.pick([4, 1, 3].into_iter()) && some != fewer);
    }

    #[test]
    #[should_panic(expected = "row 5 of 5 rows")]
    fn a_row_beyond_the_last_is_no_pick() {
        let _ = Shelf::stored(2, vec![0.0; 10]).pick([5].into_iter());
    }

    #[test]
    fn values_are_changed_while_they_are_read_one_change_after_the_other() {
        let by = |minus, over, limit| Rescale { minus, over, limit };
        let rows = Shelf::stored(2, vec![1.0, 2.0, 3.0, 400.0]);
        let rows = rows.rescaled([by(1.0, 2.0, f64::INFINITY), by(0.0, 1.0, 5.0)].into());
        assert_eq!((row(&rows, 0), row(&rows, 1)), (vec![0.0, 2.0], vec![1.0, 5.0]));
        let again = rows.pick([1].into_iter()).rescaled([by(0.0, 0.5, f64::INFINITY), Rescale::NONE].into());
        assert_eq!(row(&again, 0), [2.0, 5.0]);
        for value in [0.0, -0.0, 1.5e-39, -3.25, f32::MAX] {
            assert_eq!(Rescale::NONE.apply(value).to_bits(), value.to_bits());
        }
        assert!(by(0.0, 1.0, f64::NAN).apply(2.0) == 2.0 && by(0.0, 1.0, 1.0).apply(-2.0) == -1.0);
    }

    #[test]
    fn a_row_that_cannot_be_read_is_an_error_that_is_not_forgotten() {
        let shelf = Shelf { width: 1, values: vec![1.0; 3], broken: 1 };
        let rows = Stored::new(Arc::new(shelf));
        let mut out = vec![7.0];
        rows.copy_row(0, &mut out).unwrap();
        assert_eq!(rows.failure(), None);
        let error = rows.pick([2, 0].into_iter()).copy_row(0, &mut out).unwrap_err();
        assert_eq!((error.row, &out[..]), (2, &[7.0, 1.0][..]));
        assert_eq!(rows.failure(), Some(&error), "whoever has rows of the store hears of it");
        assert_eq!(error.to_string(), "row 2 of the data set cannot be read: the shelf fell");
        let infinite = Shelf::stored(1, vec![1.0]).rescaled([Rescale { over: 0.0, ..Rescale::NONE }].into());
        assert!(infinite.copy_row(0, &mut out).unwrap_err().reason.contains("feature 0 is inf"));
    }
}
