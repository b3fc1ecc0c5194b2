//! Matrix products on plain slices: `ndarray`, whose kernels are those of `matrixmultiply` (AVX-512, AVX2, NEON).

use ndarray::linalg::general_mat_mul;
use ndarray::{ArrayView2, ArrayViewMut2, ShapeBuilder};

/// A matrix over `data` whose entry `[i, j]` lies at `i * strides.0 + j * strides.1`. Entries may share memory.
///
/// Shapes: answer `shape`; `data` reaches at least to the last entry.
pub(super) fn strided(data: &[f32], shape: (usize, usize), strides: (usize, usize)) -> ArrayView2<'_, f32> {
    let Ok(view) = ArrayView2::from_shape(shape.strides(strides), data) else {
        unreachable!("{} numbers are too few for {shape:?} with strides {strides:?}", data.len());
    };
    view
}

/// A matrix stored row by row. Shapes: `data: [rows, columns]`.
pub(super) fn matrix(data: &[f32], rows: usize, columns: usize) -> ArrayView2<'_, f32> {
    strided(data, (rows, columns), (columns, 1))
}

/// `c <- beta c + a b`. Shapes: `a: [m, k]`, `b: [k, n]`, `c: [m, n]` row by row.
pub(super) fn multiply(a: ArrayView2<'_, f32>, b: ArrayView2<'_, f32>, beta: f32, c: &mut [f32]) {
    let shape = (a.nrows(), b.ncols());
    let Ok(mut c) = ArrayViewMut2::from_shape(shape, c) else {
        unreachable!("a product needs room for {shape:?}");
    };
    general_mat_mul(1.0, &a, &b, beta, &mut c);
}

/// `sums[j] <- sums[j] + sum_i rows[i, j]`. Shapes: `sums: [columns]`, `rows: [any, columns]`.
pub(super) fn add_rows(rows: &[f32], sums: &mut [f32]) {
    for row in rows.chunks_exact(sums.len()) {
        for (sum, value) in sums.iter_mut().zip(row) {
            *sum += value;
        }
    }
}

/// Writes `row` into every row. Shapes: `row: [columns]`, `rows: [any, columns]`.
pub(super) fn fill_rows(row: &[f32], rows: &mut [f32]) {
    for target in rows.chunks_exact_mut(row.len()) {
        target.copy_from_slice(row);
    }
}
