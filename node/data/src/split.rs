//! The split of a peer's own rows.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// Cuts rows into those to train on and those to measure on: about `fraction` of each class, seeded.
///
/// With a fraction above 0 and at least two rows, both parts have at least one row; every row is in exactly one.
pub fn split(labels: &[u32], classes: usize, fraction: f64, seed: u64) -> (Vec<usize>, Vec<usize>) {
    let wide = |rows: Vec<u32>| rows.into_iter().map(|row| row as usize).collect();
    let (train, validation) = split_numbers(labels, classes, fraction, seed);
    (wide(train), wide(validation))
}

/// The same, as numbers of rows in half the memory. No more than 2^32 rows can be learnt from.
pub(super) fn split_numbers(labels: &[u32], classes: usize, fraction: f64, seed: u64) -> (Vec<u32>, Vec<u32>) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (mut train, mut validation) = (Vec::with_capacity(labels.len()), Vec::new());
    // Rounding is carried over from class to class, so that many small classes still make one validation part.
    let mut owed = 0.0;
    for class in 0..classes {
        let mut rows: Vec<u32> =
            (0..labels.len() as u32).filter(|&row| labels[row as usize] as usize == class).collect();
        rows.shuffle(&mut rng);
        owed += rows.len() as f64 * fraction;
        let take = (owed.round() as usize).min(rows.len());
        owed -= take as f64;
        validation.extend_from_slice(&rows[..take]);
        train.extend_from_slice(&rows[take..]);
    }
    if fraction > 0.0 && labels.len() >= 2 {
        if validation.is_empty() {
            validation.extend(train.pop());
        } else if train.is_empty() {
            train.extend(validation.pop());
        }
    }
    train.sort_unstable();
    validation.sort_unstable();
    (train, validation)
}
