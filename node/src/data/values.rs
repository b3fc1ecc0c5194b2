//! Values of rows as their source has them.

/// Values of rows, as bytes where the source has bytes: a node reads a whole source and keeps a part of it, and pictures
/// take a quarter of the memory so.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// From 0 to 255.
    Bytes(Vec<u8>),
    /// Anything.
    Floats(Vec<f32>),
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
            Self::Floats(values) => values.clone(),
        }
    }

    /// Some rows of this width, in the order of `picked`. Shapes: answer `[picked, width]`.
    ///
    /// # Panics
    /// A row is beyond the last.
    pub fn rows(&self, width: usize, picked: impl ExactSizeIterator<Item = usize>) -> Vec<f32> {
        // Reserved whole: growing by halves would take the memory twice.
        let mut rows = Vec::with_capacity(picked.len() * width);
        for row in picked {
            let range = row * width..(row + 1) * width;
            match self {
                Self::Bytes(values) => rows.extend(values[range].iter().map(|value| f32::from(*value))),
                Self::Floats(values) => rows.extend_from_slice(&values[range]),
            }
        }
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_and_floats_give_the_same_rows() {
        let bytes = Values::Bytes(vec![0, 1, 2, 3, 4, 255]);
        let floats = Values::Floats(bytes.to_vec());
        assert_eq!((bytes.len(), bytes.is_empty()), (6, false));
        for values in [bytes, floats] {
            assert_eq!(values.rows(2, [2usize, 0].into_iter()), [4.0, 255.0, 0.0, 1.0]);
            assert_eq!(values.to_vec(), [0.0, 1.0, 2.0, 3.0, 4.0, 255.0]);
        }
    }
}
