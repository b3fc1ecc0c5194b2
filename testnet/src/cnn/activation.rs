//! What lies between the products: ReLU, the 2x2 maximum, dropout and the loss.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::conv::Conv;

/// The mark of a maximum through which no gradient flows, because dropout closed it.
const CLOSED: u8 = 4;

/// ReLU in place.
pub(super) fn relu(values: &mut [f32]) {
    for value in values {
        *value = value.max(0.0);
    }
}

/// Takes the wide grid of `conv` to the compact one, through ReLU.
///
/// Shapes: `wide: [conv.wide_len()]`, `compact: [out_side, out_side, outputs]`.
pub(super) fn relu_narrow(conv: &Conv, wide: &[f32], compact: &mut [f32]) {
    let wide_rows = wide.chunks_exact(conv.side * conv.outputs);
    for (wide, compact) in wide_rows.zip(compact.chunks_exact_mut(conv.out_side() * conv.outputs)) {
        for (target, value) in compact.iter_mut().zip(wide) {
            *target = value.max(0.0);
        }
    }
}

/// The gradient back through [`relu_narrow`]; what means nothing on the wide grid is left as it is.
///
/// Shapes: `gradient`, `activation: [out_side, out_side, outputs]`, `wide: [conv.wide_len()]`.
pub(super) fn relu_widen(conv: &Conv, gradient: &[f32], activation: &[f32], wide: &mut [f32]) {
    let row = conv.out_side() * conv.outputs;
    let wide_rows = wide.chunks_exact_mut(conv.side * conv.outputs);
    for ((wide, gradient), activation) in wide_rows.zip(gradient.chunks_exact(row)).zip(activation.chunks_exact(row)) {
        for ((target, value), activation) in wide.iter_mut().zip(gradient).zip(activation) {
            *target = if *activation > 0.0 { *value } else { 0.0 };
        }
    }
}

/// The 2x2 maximum and channel dropout of one image on the wide grid of `conv`.
///
/// Shapes: `wide: [conv.wide_len()]`, `scale: [outputs]` (what dropout multiplies each channel by), `pooled`,
/// `picks: [out_side / 2, out_side / 2, outputs]`; `picks` say which of the four pixels won.
pub(super) fn pool(conv: &Conv, wide: &[f32], scale: &[f32], pooled: &mut [f32], picks: &mut [u8]) {
    let channels = conv.outputs;
    let row = conv.out_side() / 2 * channels;
    let wide_rows = wide.chunks_exact(2 * conv.side * channels);
    for ((wide, pooled), picks) in wide_rows.zip(pooled.chunks_exact_mut(row)).zip(picks.chunks_exact_mut(row)) {
        let (upper, lower) = wide.split_at(conv.side * channels);
        let pairs = upper.chunks_exact(2 * channels).zip(lower.chunks_exact(2 * channels));
        let targets = pooled.chunks_exact_mut(channels).zip(picks.chunks_exact_mut(channels));
        for ((upper, lower), (pooled, picks)) in pairs.zip(targets) {
            let corners = [&upper[..channels], &upper[channels..], &lower[..channels], &lower[channels..]];
            pool_pixel(corners, scale, pooled, picks);
        }
    }
}

/// One pixel of [`pool`]. Shapes: all `[channels]`.
fn pool_pixel(corners: [&[f32]; 4], scale: &[f32], pooled: &mut [f32], picks: &mut [u8]) {
    let [a, b, c, d] = corners;
    let pixels = a.iter().zip(b).zip(c.iter().zip(d));
    for ((((a, b), (c, d)), scale), (pooled, pick)) in pixels.zip(scale).zip(pooled.iter_mut().zip(picks)) {
        let (mut best, mut winner) = (*a, 0);
        for (value, index) in [(*b, 1), (*c, 2), (*d, 3)] {
            (best, winner) = if value > best { (value, index) } else { (best, winner) };
        }
        *pooled = best * scale;
        *pick = if *scale > 0.0 { winner } else { CLOSED };
    }
}

/// The gradient back through [`pool`]; what means nothing on the wide grid is left as it is.
///
/// Shapes: as in [`pool`]; `gradient` is that of `pooled`.
pub(super) fn unpool(conv: &Conv, gradient: &[f32], scale: &[f32], picks: &[u8], wide: &mut [f32]) {
    let channels = conv.outputs;
    let row = conv.out_side() / 2 * channels;
    let wide_rows = wide.chunks_exact_mut(conv.side * channels);
    for (index, wide) in wide_rows.enumerate() {
        let from = index / 2 * row..(index / 2 + 1) * row;
        let pixels = gradient[from.clone()].chunks_exact(channels).zip(picks[from].chunks_exact(channels));
        for ((gradient, picks), wide) in pixels.zip(wide.chunks_exact_mut(2 * channels)) {
            for (column, wide) in (0u8..2).zip(wide.chunks_exact_mut(channels)) {
                let corner = if index % 2 == 0 { column } else { column + 2 };
                for (((target, gradient), scale), pick) in wide.iter_mut().zip(gradient).zip(scale).zip(picks) {
                    *target = if *pick == corner { gradient * scale } else { 0.0 };
                }
            }
        }
    }
}

/// Fills `scale` with what dropout multiplies by: 0 with probability `rate`, else `1 / (1 - rate)`.
pub(super) fn dropout(rate: f64, noise: &mut ChaCha8Rng, scale: &mut [f32]) {
    let kept = (1.0 / (1.0 - rate)) as f32;
    for scale in scale {
        *scale = if noise.random_bool(rate) { 0.0 } else { kept };
    }
}

/// Sum of the cross-entropies of the rows; replaces the scores by the gradient of the sum times `weight`.
///
/// Shapes: `scores: [rows, classes]`, `labels: [rows]`.
pub(super) fn cross_entropy(scores: &mut [f32], labels: &[u32], classes: usize, weight: f32) -> f64 {
    let mut sum = 0.0;
    for (row, &label) in scores.chunks_exact_mut(classes).zip(labels) {
        let top = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let target = row[label as usize] - top;
        let mut total = 0.0f32;
        for score in &mut *row {
            *score = (*score - top).exp();
            total += *score;
        }
        sum += f64::from(total.ln() - target);
        for score in &mut *row {
            *score *= weight / total;
        }
        row[label as usize] -= weight;
    }
    sum
}
