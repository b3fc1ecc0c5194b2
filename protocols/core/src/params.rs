//! Parameters as one flat slice of `f32`, and the layout that says which part is which tensor.

use std::ops::Range;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::id::Hash;

/// The most parameters a layout may have: 2^30, which is 4 GiB of `f32`. Larger models need sharding, not a larger
/// limit.
pub const MAX_PARAMS: usize = 1 << 30;
/// The most tensors a layout may have; the largest public models have a few thousand.
pub const MAX_TENSORS: usize = 16_384;

/// Name and shape of one tensor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TensorSpec {
    /// Path in the model, for example `layers.0.weight`.
    pub name: String,
    /// Sizes of the dimensions; an empty shape is a scalar.
    pub shape: Vec<usize>,
}

/// Ordered names, shapes and offsets of the parameters that peers share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    tensors: Vec<TensorSpec>,
    offsets: Vec<usize>,
    /// Of names and shapes; kept, because every encoded model is held against it.
    hash: Hash,
}

/// What is wrong with a layout or with parameters held against one.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum ParamsError {
    /// No tensor, or too many.
    #[error("a layout has 1 to {MAX_TENSORS} tensors, got {got}")]
    TensorCount {
        /// Number of tensors given.
        got: usize,
    },
    /// A dimension is zero, or the sizes multiply beyond [`MAX_PARAMS`].
    #[error("tensor {name} has an impossible shape {shape:?}")]
    Shape {
        /// Name of the tensor.
        name: String,
        /// Shape given.
        shape: Vec<usize>,
    },
    /// Two tensors have the same name.
    #[error("tensor name {name} is used twice")]
    Duplicate {
        /// The name.
        name: String,
    },
    /// The number of values is not the number of the layout.
    #[error("expected {want} parameters, got {got}")]
    Length {
        /// Values given.
        got: usize,
        /// Values wanted.
        want: usize,
    },
    /// A value is NaN or infinite.
    #[error("parameter {index} is {value}")]
    NotFinite {
        /// Position in the flat slice.
        index: usize,
        /// The value found.
        value: f32,
    },
}

impl Layout {
    /// Builds a layout from tensors in order.
    ///
    /// # Errors
    /// No tensors, more than [`MAX_TENSORS`], a zero dimension, a name used twice, or more than [`MAX_PARAMS`] in sum.
    pub fn new(tensors: Vec<TensorSpec>) -> Result<Self, ParamsError> {
        if tensors.is_empty() || tensors.len() > MAX_TENSORS {
            return Err(ParamsError::TensorCount { got: tensors.len() });
        }
        let mut names: Vec<&str> = tensors.iter().map(|tensor| tensor.name.as_str()).collect();
        names.sort_unstable();
        if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(ParamsError::Duplicate { name: pair[0].to_owned() });
        }
        let mut offsets = Vec::with_capacity(tensors.len() + 1);
        let mut total = 0usize;
        offsets.push(0);
        for tensor in &tensors {
            let wrong = || ParamsError::Shape { name: tensor.name.clone(), shape: tensor.shape.clone() };
            let size = tensor.shape.iter().try_fold(1usize, |size, &dim| size.checked_mul(dim)).ok_or_else(wrong)?;
            total = total.checked_add(size).filter(|&total| size > 0 && total <= MAX_PARAMS).ok_or_else(wrong)?;
            offsets.push(total);
        }
        let hash = hash_of(&tensors);
        Ok(Self { tensors, offsets, hash })
    }

    /// Number of parameters.
    #[expect(clippy::len_without_is_empty, reason = "a layout is never empty")]
    pub fn len(&self) -> usize {
        self.offsets[self.tensors.len()]
    }

    /// The tensors in order.
    pub fn tensors(&self) -> &[TensorSpec] {
        &self.tensors
    }

    /// Where each tensor lies in the flat slice, in order.
    pub fn ranges(&self) -> impl Iterator<Item = Range<usize>> + '_ {
        self.offsets.windows(2).map(|pair| pair[0]..pair[1])
    }

    /// Where tensor `tensor` lies in the flat slice.
    pub fn range(&self, tensor: usize) -> Range<usize> {
        self.offsets[tensor]..self.offsets[tensor + 1]
    }

    /// The tensor that parameter `index` belongs to.
    pub fn tensor_at(&self, index: usize) -> usize {
        self.offsets.partition_point(|&offset| offset <= index).saturating_sub(1)
    }

    /// A hash over names and shapes in order; the same on every machine.
    pub fn hash(&self) -> Hash {
        self.hash
    }

    /// Checks that `params` has this layout's length and no NaN or infinity.
    ///
    /// # Errors
    /// [`ParamsError::Length`] or [`ParamsError::NotFinite`].
    pub fn check(&self, params: &[f32]) -> Result<(), ParamsError> {
        if params.len() != self.len() {
            return Err(ParamsError::Length { got: params.len(), want: self.len() });
        }
        check_finite(params)
    }
}

fn hash_of(tensors: &[TensorSpec]) -> Hash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"peerlearn layout 1");
    for tensor in tensors {
        hasher.update(&(tensor.name.len() as u64).to_le_bytes());
        hasher.update(tensor.name.as_bytes());
        hasher.update(&(tensor.shape.len() as u64).to_le_bytes());
        for &dim in &tensor.shape {
            hasher.update(&(dim as u64).to_le_bytes());
        }
    }
    Hash(*hasher.finalize().as_bytes())
}

/// Refuses NaN and infinity.
///
/// # Errors
/// [`ParamsError::NotFinite`] with the first offender.
pub fn check_finite(params: &[f32]) -> Result<(), ParamsError> {
    // Summing x*0 is 0 for finite x and NaN otherwise, and vectorizes; the search for the offender is only on failure.
    let probe = params.chunks(4096).all(|chunk| chunk.iter().map(|x| x * 0.0).sum::<f32>() == 0.0);
    if probe {
        return Ok(());
    }
    match params.iter().position(|x| !x.is_finite()) {
        Some(index) => Err(ParamsError::NotFinite { index, value: params[index] }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(name: &str, shape: &[usize]) -> TensorSpec {
        TensorSpec { name: name.to_owned(), shape: shape.to_vec() }
    }

    #[test]
    fn offsets_follow_the_shapes() {
        let layout = Layout::new(vec![spec("w", &[2, 3]), spec("b", &[3]), spec("s", &[])]).unwrap();
        assert_eq!(layout.len(), 10);
        assert_eq!(layout.ranges().collect::<Vec<_>>(), [0..6, 6..9, 9..10]);
        assert_eq!([0, 5, 6, 8, 9].map(|index| layout.tensor_at(index)), [0, 0, 1, 1, 2]);
    }

    #[test]
    fn impossible_layouts_are_refused() {
        assert!(matches!(Layout::new(vec![]), Err(ParamsError::TensorCount { got: 0 })));
        assert!(matches!(Layout::new(vec![spec("w", &[2, 0])]), Err(ParamsError::Shape { .. })));
        assert!(matches!(Layout::new(vec![spec("w", &[usize::MAX, 2])]), Err(ParamsError::Shape { .. })));
        assert!(matches!(Layout::new(vec![spec("w", &[1]), spec("w", &[2])]), Err(ParamsError::Duplicate { .. })));
    }

    #[test]
    fn names_and_shapes_change_the_hash() {
        let one = Layout::new(vec![spec("ab", &[1]), spec("c", &[1])]).unwrap();
        let other = Layout::new(vec![spec("a", &[1]), spec("bc", &[1])]).unwrap();
        assert_ne!(one.hash(), other.hash());
        assert_eq!(one.hash(), one.clone().hash());
    }

    #[test]
    fn the_first_value_that_is_not_finite_is_named() {
        let layout = Layout::new(vec![spec("w", &[3])]).unwrap();
        assert_eq!(layout.check(&[1.0, -0.0, f32::MAX]), Ok(()));
        assert_eq!(layout.check(&[1.0]), Err(ParamsError::Length { got: 1, want: 3 }));
        let error = layout.check(&[1.0, f32::INFINITY, f32::NAN]).unwrap_err();
        assert_eq!(error, ParamsError::NotFinite { index: 1, value: f32::INFINITY });
    }
}
