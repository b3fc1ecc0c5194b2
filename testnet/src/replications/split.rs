//! Partitioning rows to peers.

use peerlearn::data::{cut_by_shares, dirichlet_shares};
use peerlearn_protocols::dataset::Dataset;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// Equal shuffled parts. The last rows that do not fill a round are left out.
pub fn assign(rows: &Dataset, peers: usize, seed: u64) -> Vec<Dataset> {
    let mut indices: Vec<usize> = (0..rows.len()).collect();
    indices.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    indices.chunks(rows.len() / peers).take(peers).map(|part| rows.select(part)).collect()
}

/// Parts whose classes are skewed by a Dirichlet distribution (Hsu et al. 2019); every peer has at least `least` rows,
/// moved from the richest where needed.
pub fn dirichlet(rows: &Dataset, peers: usize, alpha: f64, least: usize, seed: u64) -> Vec<Dataset> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut indices: Vec<usize> = (0..rows.len()).collect();
    indices.shuffle(&mut rng);
    let mut parts = vec![Vec::new(); peers];
    for class in 0..rows.classes() as u32 {
        let of_class: Vec<usize> = indices.iter().copied().filter(|&index| rows.labels()[index] == class).collect();
        let pieces = cut_by_shares(&of_class, &dirichlet_shares(alpha, peers, &mut rng));
        parts.iter_mut().zip(pieces).for_each(|(part, piece)| part.extend(piece));
    }
    while let Some(poor) = parts.iter().position(|part| part.len() < least) {
        let Some(rich) = (0..peers).max_by_key(|&peer| parts[peer].len()) else { break };
        let Some(row) = parts[rich].pop() else { break };
        parts[poor].push(row);
    }
    parts.iter().map(|part| rows.select(part)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Dataset {
        Dataset::new(vec![1], 4, (0..400).map(|n| n as f32).collect(), (0..400).map(|n| n % 4).collect()).unwrap()
    }

    #[test]
    fn every_row_is_assigned_once_and_nobody_is_left_out() {
        for alpha in [0.05, 1.0, 100.0] {
            let parts = dirichlet(&rows(), 10, alpha, 8, 3);
            let mut all: Vec<i32> =
                parts.iter().flat_map(|part| part.features().into_iter().map(|value| value as i32)).collect();
            all.sort_unstable();
            assert_eq!(all, (0..400).collect::<Vec<_>>());
            assert!(parts.iter().all(|part| part.len() >= 8));
        }
        let parts = assign(&rows(), 7, 0);
        assert!(parts.iter().all(|part| part.len() == 57) && parts.len() == 7);
    }

    #[test]
    fn a_small_alpha_gives_each_peer_few_classes() {
        let most = |alpha| {
            let share = |part: &Dataset| {
                (0..4).map(|class| part.labels().iter().filter(|&&label| label == class).count()).max().unwrap() as f64
                    / part.len() as f64
            };
            dirichlet(&rows(), 10, alpha, 8, 3).iter().map(share).sum::<f64>() / 10.0
        };
        assert!(most(0.1) > 0.6 && most(100.0) < 0.4, "{} {}", most(0.1), most(100.0));
    }
}
