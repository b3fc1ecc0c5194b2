//! Values of rows as their source has them.

use std::sync::Arc;

use super::stored::{Rescale, Stored, rescale};

/// Values of rows, as bytes where the source has bytes: pictures take a quarter of the memory so. Cloning is cheap.
///
/// Vectors behind the pointers, not slices: making a slice of a vector copies it, and for that moment needs the memory
/// twice.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// From 0 to 255.
    Bytes(Arc<Vec<u8>>),
    /// Anything.
    Floats(Arc<Vec<f32>>),
    /// Anything, kept elsewhere: more than memory holds.
    Stored(Stored),
}

impl Values {
    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Bytes(values) => values.len(),
            Self::Floats(values) => values.len(),
            Self::Stored(rows) => rows.rows() * rows.width(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All of them, in memory. What cannot be read is NaN; see [`Stored::failure`]. Shapes: answer `[len]`.
    pub fn to_vec(&self) -> Vec<f32> {
        match self {
            Self::Bytes(values) => values.iter().map(|value| f32::from(*value)).collect(),
            Self::Floats(values) => values.to_vec(),
            Self::Stored(rows) => {
                let mut values = Vec::with_capacity(self.len());
                (0..rows.rows()).for_each(|row| copy_or_nan(rows, row, &mut values));
                values
            }
        }
    }

    /// All of them, to be changed: floats in memory from now on. Shapes: answer `[len]`.
    pub fn floats_mut(&mut self) -> &mut [f32] {
        if let Self::Bytes(_) | Self::Stored(_) = self {
            *self = Self::Floats(Arc::new(self.to_vec()));
        }
        match self {
            Self::Floats(values) => &mut Arc::make_mut(values)[..],
            Self::Bytes(_) | Self::Stored(_) => &mut [],
        }
    }

    /// Changes every value: at once in memory, which makes floats of bytes; elsewhere whenever it is read. Both give the same
    /// bits. Shapes: `by: [width]`.
    pub fn rescale(&mut self, by: &Arc<[Rescale]>) {
        match self {
            Self::Stored(rows) => *rows = rows.clone().rescaled(Arc::clone(by)),
            Self::Bytes(_) | Self::Floats(_) => rescale(by, self.floats_mut()),
        }
    }

    /// Some rows of this width, in the order of `picked`. Shapes: answer `[picked, width]`.
    ///
    /// # Panics
    /// A row is beyond the last.
    pub fn pick(&self, width: usize, picked: &[usize]) -> Self {
        match self {
            Self::Bytes(values) => Self::Bytes(Arc::new(pick(values, width, picked))),
            Self::Floats(values) => Self::Floats(Arc::new(pick(values, width, picked))),
            Self::Stored(rows) => Self::Stored(rows.pick(picked.iter().copied())),
        }
    }
}

/// Appends a row, `[width]`, or as many NaN where it cannot be read.
pub(super) fn copy_or_nan(rows: &Stored, row: usize, out: &mut Vec<f32>) {
    if rows.copy_row(row, out).is_err() {
        out.resize(out.len() + rows.width(), f32::NAN);
    }
}

/// The rows `picked` of `values`, each `width` values wide. Shapes: answer `[picked, width]`.
///
/// # Panics
/// A row is beyond the last.
pub fn pick<T: Copy>(values: &[T], width: usize, picked: &[usize]) -> Vec<T> {
    // Reserved whole: growing by halves would take the memory twice.
    let mut rows = Vec::with_capacity(picked.len() * width);
    picked.iter().for_each(|row| rows.extend_from_slice(&values[row * width..(row + 1) * width]));
    rows
}

#[cfg(test)]
mod tests {
    use super::super::stored::tests::Shelf;
    use super::*;

    #[test]
    fn bytes_floats_and_stored_rows_give_the_same_rows() {
        let bytes = Values::Bytes(Arc::new(vec![0, 1, 2, 3, 4, 255]));
        let floats = Values::Floats(Arc::new(bytes.to_vec()));
        assert_eq!((bytes.len(), bytes.is_empty()), (6, false));
        let stored = Values::Stored(Shelf::stored(2, bytes.to_vec()));
        let by: Arc<[Rescale]> = [Rescale { minus: 1.0, over: 2.0, limit: 3.0 }, Rescale::NONE].into();
        for mut values in [bytes, floats, stored] {
            assert_eq!(values.pick(2, &[2, 0]).to_vec(), [4.0, 255.0, 0.0, 1.0]);
            assert_eq!(values.to_vec(), [0.0, 1.0, 2.0, 3.0, 4.0, 255.0]);
            assert_eq!((values.len(), values.is_empty()), (6, false));
            values.rescale(&by);
            assert_eq!(values.to_vec(), [-0.5, 1.0, 0.5, 3.0, 1.5, 255.0]);
            assert_eq!(values.floats_mut(), [-0.5, 1.0, 0.5, 3.0, 1.5, 255.0]);
        }
    }
}
