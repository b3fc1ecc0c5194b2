//! Tests against a slow reference in `f64` that knows nothing of the fast path but the layout.

use rand::seq::IteratorRandom;
use rayon::prelude::*;

use super::*;
use crate::data::{DataError, data_dir, mnist};

/// Rows of uniform noise.
fn noise_rows(count: usize, seed: u64) -> Dataset {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let features = (0..count * 784).map(|_| rng.random_range(0.0..1.0)).collect();
    Dataset::new(vec![784], 10, features, (0..count).map(|_| rng.random_range(0..10)).collect()).unwrap()
}

/// A 3x3 convolution. Shapes: `image: [side, side, inputs]`, answer `[side - 2, side - 2, outputs]`.
fn reference_conv(weights: &[f64], bias: &[f64], image: &[f64], side: usize) -> Vec<f64> {
    let outputs = bias.len();
    let inputs = weights.len() / 9 / outputs;
    let mut out = Vec::new();
    for (y, x) in (0..side - 2).flat_map(|y| (0..side - 2).map(move |x| (y, x))) {
        let mut pixel = bias.to_vec();
        for (dy, dx, c) in (0..9 * inputs).map(|i| (i / inputs / 3, i / inputs % 3, i % inputs)) {
            let value = image[((y + dy) * side + x + dx) * inputs + c];
            let from = ((dy * 3 + dx) * inputs + c) * outputs;
            if value != 0.0 {
                pixel.iter_mut().zip(&weights[from..from + outputs]).for_each(|(sum, w)| *sum += value * w);
            }
        }
        out.extend(pixel);
    }
    out
}

/// Shapes: `image: [24, 24, 64]`, answer `[12, 12, 64]`.
fn reference_pool(image: &[f64]) -> Vec<f64> {
    let at = |y: usize, x: usize, c: usize| image[(y * 24 + x) * 64 + c];
    let mut out = Vec::new();
    for (y, x, c) in (0..144 * 64).map(|i| (i / 64 / 12 * 2, i / 64 % 12 * 2, i % 64)) {
        out.push(at(y, x, c).max(at(y, x + 1, c)).max(at(y + 1, x, c)).max(at(y + 1, x + 1, c)));
    }
    out
}

fn reference_dense(weights: &[f64], bias: &[f64], input: &[f64]) -> Vec<f64> {
    let mut out = bias.to_vec();
    for (value, row) in input.iter().zip(weights.chunks_exact(bias.len())) {
        out.iter_mut().zip(row).for_each(|(sum, w)| *sum += value * w);
    }
    out
}

fn reference_scores(layout: &Layout, params: &[f64], image: &[f64]) -> Vec<f64> {
    let part = |tensor: usize| &params[layout.range(tensor)];
    let first = reference_conv(part(0), part(1), image, 28);
    let first: Vec<f64> = first.iter().map(|value| value.max(0.0)).collect();
    let pooled = reference_pool(&reference_conv(part(2), part(3), &first, 26));
    let hidden = reference_dense(part(4), part(5), &pooled);
    let hidden: Vec<f64> = hidden.iter().map(|value| value.max(0.0)).collect();
    reference_dense(part(6), part(7), &hidden)
}

fn reference_loss(layout: &Layout, params: &[f64], rows: &Dataset, batch: &[usize]) -> f64 {
    let one = |&index: &usize| {
        let image: Vec<f64> = rows.row(index).iter().map(|&x| f64::from(x)).collect();
        let scores = reference_scores(layout, params, &image);
        scores.iter().map(|score| score.exp()).sum::<f64>().ln() - scores[rows.labels()[index] as usize]
    };
    batch.iter().map(one).sum::<f64>() / batch.len() as f64
}

#[test]
fn shapes_and_initial_bounds() {
    let model = ClippedGossipCnn::new(Dropout::Fresh).unwrap();
    assert_eq!(model.layout().len(), 1_199_882);
    let params = model.initial(3);
    assert_eq!(model.layout().check(&params), Ok(()));
    for (tensor, bound) in [(0, 1.0 / 3.0), (2, 1.0 / 288f32.sqrt()), (4, 1.0 / 96.0), (7, 1.0 / 128f32.sqrt())] {
        let top = params[model.layout().range(tensor)].iter().fold(0.0f32, |top, x| top.max(x.abs()));
        assert!(top <= bound && top > 0.6 * bound, "tensor {tensor}: {top} of {bound}");
    }
    // More rows than one piece holds.
    let rows = noise_rows(40, 1);
    let batch: Vec<usize> = (0..40).rev().collect();
    let scores = model.scores(&params, &rows, &batch);
    assert_eq!(scores.len(), 400);
    assert_eq!(scores[390..], model.scores(&params, &rows, &[0])[..]);
}

#[test]
fn scores_are_those_of_the_reference() {
    let model = ClippedGossipCnn::new(Dropout::Fresh).unwrap();
    let (params, rows) = (model.initial(5), noise_rows(3, 2));
    let wide: Vec<f64> = params.iter().map(|&x| f64::from(x)).collect();
    for (index, scores) in model.scores(&params, &rows, &[0, 1, 2]).chunks_exact(10).enumerate() {
        let image: Vec<f64> = rows.row(index).iter().map(|&x| f64::from(x)).collect();
        for (score, want) in scores.iter().zip(reference_scores(model.layout(), &wide, &image)) {
            assert!((f64::from(*score) - want).abs() < 1e-5, "{score} instead of {want}");
        }
    }
}

#[test]
fn gradient_is_that_of_central_differences() {
    let model = ClippedGossipCnn::new(Dropout::Off).unwrap();
    let (mut params, rows, batch) = (model.initial(6), noise_rows(2, 3), [0, 1]);
    // Twice the usual size, so that gradients are far from zero.
    params.iter_mut().for_each(|x| *x *= 2.0);
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut gradient = vec![f32::NAN; params.len()];
    let loss = model.gradient(&params, &rows, &batch, &mut rng, &mut gradient);
    let wide: Vec<f64> = params.iter().map(|&x| f64::from(x)).collect();
    assert!((f64::from(loss) - reference_loss(model.layout(), &wide, &rows, &batch)).abs() < 1e-5);
    for (tensor, range) in model.layout().ranges().enumerate() {
        let scale = gradient[range.clone()].iter().fold(0.0f32, |top, x| top.max(x.abs()));
        let name = &model.layout().tensors()[tensor].name;
        assert!(scale > 1e-4, "{name} has no gradient");
        range.sample(&mut rng, 60).into_par_iter().for_each(|index| {
            let at = |shift: f64| {
                let mut moved = wide.clone();
                moved[index] += shift;
                reference_loss(model.layout(), &moved, &rows, &batch)
            };
            let want = (at(1e-6) - at(-1e-6)) / 2e-6;
            let off = (f64::from(gradient[index]) - want).abs();
            assert!(off < 2e-4 * f64::from(scale), "{name} at {index}: {} instead of {want}", gradient[index]);
        });
    }
}

#[test]
fn gradient_with_dropout_is_the_slope_of_its_own_draw() {
    let model = ClippedGossipCnn::new(Dropout::Fresh).unwrap();
    let (params, rows) = (model.initial(7), noise_rows(40, 4));
    let batch: Vec<usize> = (0..40).collect();
    let mut gradient = vec![0.0; params.len()];
    let mut at = |params: &[f32]| {
        let mut noise = ChaCha8Rng::seed_from_u64(9);
        let loss = model.gradient(params, &rows, &batch, &mut noise, &mut gradient);
        (loss, gradient.clone())
    };
    let (_, slope) = at(&params);
    let square: f64 = slope.iter().map(|x| f64::from(*x).powi(2)).sum();
    let step = 2e-3 / square as f32;
    let along = |step: f32| params.iter().zip(&slope).map(|(x, g)| x + step * g).collect::<Vec<_>>();
    let difference = f64::from(at(&along(step)).0 - at(&along(-step)).0);
    let want = 2.0 * f64::from(step) * square;
    assert!((difference / want - 1.0).abs() < 0.02, "{difference} instead of {want}");
}

#[test]
fn equal_noise_gives_equal_bits_and_other_noise_another_gradient() {
    let model = ClippedGossipCnn::new(Dropout::Fresh).unwrap();
    let (params, rows) = (model.initial(8), noise_rows(8, 5));
    assert_eq!(params, model.initial(8));
    let draw = |seed: u64| {
        let mut gradient = vec![0.0; params.len()];
        let mut noise = ChaCha8Rng::seed_from_u64(seed);
        let loss = model.gradient(&params, &rows, &[0, 3, 3, 7], &mut noise, &mut gradient);
        (loss.to_bits(), gradient.iter().map(|x| x.to_bits()).collect::<Vec<_>>())
    };
    assert_eq!(draw(1), draw(1));
    assert_ne!(draw(1), draw(2));
}

#[test]
fn frozen_dropout_is_the_same_whatever_the_noise() {
    let (params, rows) = (ClippedGossipCnn::new(Dropout::Off).unwrap().initial(8), noise_rows(2, 5));
    let loss = |dropout, seed| {
        let model = ClippedGossipCnn::new(dropout).unwrap();
        let mut noise = ChaCha8Rng::seed_from_u64(seed);
        model.gradient(&params, &rows, &[0, 1], &mut noise, &mut vec![0.0; params.len()])
    };
    assert_eq!(loss(Dropout::Frozen, 1), loss(Dropout::Frozen, 2));
    assert_ne!(loss(Dropout::Frozen, 1), loss(Dropout::Off, 1));
}

#[test]
fn sixty_steps_learn_digits() {
    let scale = |byte: u8| (f32::from(byte) / 255.0 - 0.1307) / 0.3081;
    let (train, test) = match data_dir().and_then(|dir| mnist(&dir, scale)) {
        Ok(rows) => rows,
        Err(DataError::NoDirectory { path }) => {
            eprintln!("SKIPPED sixty_steps_learn_digits: no data in {}", path.display());
            return;
        }
        Err(error) => panic!("{error}"),
    };
    let model = ClippedGossipCnn::new(Dropout::Fresh).unwrap();
    let mut params = model.initial(1);
    let mut gradient = vec![0.0; params.len()];
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut losses = Vec::new();
    for _ in 0..60 {
        let batch: Vec<usize> = (0..32).map(|_| rng.random_range(0..train.len())).collect();
        losses.push(model.gradient(&params, &train, &batch, &mut rng, &mut gradient));
        params.iter_mut().zip(&gradient).for_each(|(x, g)| *x -= 0.05 * g);
    }
    let mean = |losses: &[f32]| losses.iter().sum::<f32>() / losses.len() as f32;
    let (first, last) = (mean(&losses[..5]), mean(&losses[50..]));
    assert!(last < 0.4 * first, "loss went from {first} to {last}");
    let batch: Vec<usize> = (0..500).collect();
    let scores = model.scores(&params, &test, &batch);
    let best = |row: &[f32]| row.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).map(|(class, _)| class as u32);
    let right = scores.chunks_exact(10).zip(test.labels()).filter(|(row, label)| best(row) == Some(**label)).count();
    assert!(right > 400, "{right} of 500 right");
}
