//! Distances from the own model and between candidates, in one pass over all models.
//!
//! What is kept is the Gram matrix of the differences from the own model, G_jk = <x_j - x, x_k - x>: every distance and
//! every distance from a weighted mean follows from it. Products are summed in `f32` over 1,024 parameters and in `f64`
//! beyond; parts are added in order, so that the number of threads does not change a bit.

use super::Needs;
use super::apply::{PART, fold_parts};
use crate::codec::Codec;
use crate::wire::blob::Blob;

/// Parameters worked on at a time: with 20 candidates their differences fit the second-level cache.
const BLOCK: usize = 1024;

/// Squared distances of models to the own one, `[models]`; infinite where one cannot be measured.
///
/// Shapes: `own: [parameters]`, the layout of every model. Of a fragment, what was sent stands for the whole; of top-k
/// only what was sent counts, so its distance is a lower bound. Costs one pass over every model.
pub fn squared_distances(own: &[f32], models: &[Blob<'_>]) -> Vec<f64> {
    let distances = Distances::measure(Needs::Distances, own, models);
    let factor = |model: &Blob<'_>| match model.codec() {
        Codec::Fragment(parts) => f64::from(parts),
        _ => 1.0,
    };
    models.iter().enumerate().map(|(index, model)| factor(model) * distances.squared(index, index)).collect()
}

/// The Gram matrix, lower triangle by rows; only the diagonal where pairs are not needed.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Distances {
    pub own_squared: f64,
    count: usize,
    pairs: bool,
    products: Vec<f64>,
}

impl Distances {
    pub fn measure(needs: Needs, own: &[f32], models: &[Blob<'_>]) -> Self {
        let (count, pairs) = (models.len(), needs == Needs::Pairs);
        let size = if pairs { count * (count + 1) / 2 } else { count };
        let mut whole = Self { own_squared: 0.0, count, pairs, products: vec![0.0; size] };
        if needs == Needs::Nothing {
            return whole;
        }
        let parts = fold_parts(own, |part, values| part_of(pairs, size, part * PART, values, models));
        for (own_squared, products) in parts {
            whole.own_squared += own_squared;
            whole.products.iter_mut().zip(products).for_each(|(sum, product)| *sum += product);
        }
        whole
    }

    /// Product of the differences of two candidates; infinite where it cannot be measured.
    pub fn squared(&self, one: usize, other: usize) -> f64 {
        debug_assert!(self.pairs || one == other, "pairs were not asked for");
        let (low, high) = (one.min(other), one.max(other));
        let index = if self.pairs { high * (high + 1) / 2 + low } else { one };
        let product = self.products.get(index).copied().unwrap_or(f64::INFINITY);
        if product.is_finite() { product } else { f64::INFINITY }
    }
}

fn part_of(pairs: bool, size: usize, start: usize, own: &[f32], models: &[Blob<'_>]) -> (f64, Vec<f64>) {
    let mut products = vec![0.0; size];
    let mut own_squared = 0.0;
    let mut differences = vec![[0.0f32; BLOCK]; models.len()];
    for (block, values) in own.chunks(BLOCK).enumerate() {
        own_squared += f64::from(dot(values, values));
        for (difference, model) in differences.iter_mut().zip(models) {
            let difference = &mut difference[..values.len()];
            model.read_over(start + block * BLOCK, values, difference);
            difference.iter_mut().zip(values).for_each(|(theirs, own)| *theirs -= own);
        }
        let mut next = 0;
        for (index, difference) in differences.iter().enumerate() {
            let first = if pairs { 0 } else { index };
            for other in &differences[first..=index] {
                products[next] += f64::from(dot(&difference[..values.len()], &other[..values.len()]));
                next += 1;
            }
        }
    }
    (own_squared, products)
}

/// Sixteen sums at a time; one would wait for itself at every product.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<16>(), b.as_chunks::<16>());
    let mut lanes = [0.0f32; 16];
    for (a, b) in a.iter().zip(b) {
        for ((lane, a), b) in lanes.iter_mut().zip(a).zip(b) {
            *lane += a * b;
        }
    }
    lanes.iter().sum::<f32>() + a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f32>()
}
