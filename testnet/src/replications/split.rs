//! Dealing rows to peers.

use peerlearn_sim::Rows;
use rand::seq::SliceRandom;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Some rows of a set, in this order.
pub fn part_of(rows: &Rows, indices: &[usize]) -> Rows {
    Rows {
        width: rows.width,
        classes: rows.classes,
        features: indices.iter().flat_map(|&index| rows.row(index).iter().copied()).collect(),
        labels: indices.iter().map(|&index| rows.labels[index]).collect(),
    }
}

/// Equal shuffled parts. The last rows that do not fill a round are left out.
pub fn deal(rows: &Rows, peers: usize, seed: u64) -> Vec<Rows> {
    let mut indices: Vec<usize> = (0..rows.len()).collect();
    indices.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    indices.chunks(rows.len() / peers).take(peers).map(|part| part_of(rows, part)).collect()
}

/// Parts whose classes are skewed by a Dirichlet distribution (Hsu et al. 2019); every peer has at least `least` rows,
/// moved from the richest where needed.
pub fn dirichlet(rows: &Rows, peers: usize, alpha: f64, least: usize, seed: u64) -> Vec<Rows> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut indices: Vec<usize> = (0..rows.len()).collect();
    indices.shuffle(&mut rng);
    let mut parts = vec![Vec::new(); peers];
    for class in 0..rows.classes as u32 {
        let of_class: Vec<usize> = indices.iter().copied().filter(|&index| rows.labels[index] == class).collect();
        let draws: Vec<f64> = (0..peers).map(|_| gamma(alpha, &mut rng)).collect();
        let total: f64 = draws.iter().sum();
        let (mut start, mut share) = (0, 0.0);
        for (part, draw) in parts.iter_mut().zip(&draws) {
            share += draw / total;
            let end = ((of_class.len() as f64 * share).round() as usize).clamp(start, of_class.len());
            part.extend_from_slice(&of_class[start..end]);
            start = end;
        }
        parts[peers - 1].extend_from_slice(&of_class[start..]);
    }
    while let Some(poor) = parts.iter().position(|part| part.len() < least) {
        let Some(rich) = (0..peers).max_by_key(|&peer| parts[peer].len()) else { break };
        let Some(row) = parts[rich].pop() else { break };
        parts[poor].push(row);
    }
    parts.iter().map(|part| part_of(rows, part)).collect()
}

/// A draw from the gamma distribution with scale 1 (Marsaglia and Tsang 2000, with the boost for shapes below 1).
pub fn gamma(shape: f64, rng: &mut impl Rng) -> f64 {
    if shape < 1.0 {
        let uniform = 1.0 - rng.random::<f64>();
        return (gamma(shape + 1.0, rng) * uniform.powf(1.0 / shape)).max(f64::MIN_POSITIVE);
    }
    let d = shape - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    loop {
        let (radius, angle) = (1.0 - rng.random::<f64>(), rng.random::<f64>());
        let x = (-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * angle).cos();
        let v = (1.0 + c * x).powi(3);
        let uniform = 1.0 - rng.random::<f64>();
        if v > 0.0 && uniform.ln() < 0.5 * x * x + d - d * v + d * v.ln() {
            return d * v;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Rows {
        Rows {
            width: 1,
            classes: 4,
            features: (0..400).map(|n| n as f32).collect(),
            labels: (0..400).map(|n| n % 4).collect(),
        }
    }

    #[test]
    fn every_row_is_dealt_once_and_nobody_is_left_out() {
        for alpha in [0.05, 1.0, 100.0] {
            let parts = dirichlet(&rows(), 10, alpha, 8, 3);
            let mut all: Vec<i32> =
                parts.iter().flat_map(|part| part.features.iter().map(|value| *value as i32)).collect();
            all.sort_unstable();
            assert_eq!(all, (0..400).collect::<Vec<_>>());
            assert!(parts.iter().all(|part| part.len() >= 8));
        }
        let parts = deal(&rows(), 7, 0);
        assert!(parts.iter().all(|part| part.len() == 57) && parts.len() == 7);
    }

    #[test]
    fn a_small_alpha_gives_each_peer_few_classes() {
        let most = |alpha| {
            let share = |part: &Rows| {
                (0..4).map(|class| part.labels.iter().filter(|&&label| label == class).count()).max().unwrap() as f64
                    / part.len() as f64
            };
            dirichlet(&rows(), 10, alpha, 8, 3).iter().map(share).sum::<f64>() / 10.0
        };
        assert!(most(0.1) > 0.6 && most(100.0) < 0.4, "{} {}", most(0.1), most(100.0));
    }
}
