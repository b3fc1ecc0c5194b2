//! Values of rows as their source has them.

use std::sync::Arc;

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
}

impl Values {
    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Bytes(values) => values.len(),
            Self::Floats(values) => values.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All of them. Shapes: answer `[len]`.
    pub fn to_vec(&self) -> Vec<f32> {
        match self {
            Self::Bytes(values) => values.iter().map(|value| f32::from(*value)).collect(),
            Self::Floats(values) => values.to_vec(),
        }
    }

    /// All of them, to be changed: floats from now on. Shapes: answer `[len]`.
    pub fn floats_mut(&mut self) -> &mut [f32] {
        if let Self::Bytes(_) = self {
            *self = Self::Floats(Arc::new(self.to_vec()));
        }
        match self {
            Self::Floats(values) => &mut Arc::make_mut(values)[..],
            Self::Bytes(_) => &mut [],
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
        }
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
    use super::*;

    #[test]
    fn bytes_and_floats_give_the_same_rows() {
        let bytes = Values::Bytes(Arc::new(vec![0, 1, 2, 3, 4, 255]));
        let floats = Values::Floats(Arc::new(bytes.to_vec()));
        assert_eq!((bytes.len(), bytes.is_empty()), (6, false));
        for values in [bytes, floats] {
            assert_eq!(values.pick(2, &[2, 0]).to_vec(), [4.0, 255.0, 0.0, 1.0]);
            assert_eq!(values.to_vec(), [0.0, 1.0, 2.0, 3.0, 4.0, 255.0]);
        }
    }
}
