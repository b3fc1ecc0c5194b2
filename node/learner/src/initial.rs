//! Initial weights that every peer of a task draws alike.

use peerlearn_protocols::params::Layout;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The initial weights of a layout, from the hash of the task.
///
/// Weights of two or more dimensions are uniform in +- sqrt(6 / fan-in) (He et al. 2015, equation 10, as a uniform
/// distribution); one-dimensional ones are zero, but for `gamma` of a normalization, which is one. Only a generator
/// with a fixed definition, a division and a square root are used, so the bits are the same on every machine.
///
/// Shapes: answer `[layout.len()]`. Fan-in of `[in, out]` is `in`; of a convolution `[out, in, h, w]` it is `in h w`.
pub fn initial_weights(layout: &Layout, seed: [u8; 32]) -> Vec<f32> {
    let mut rng = ChaCha8Rng::from_seed(seed);
    let mut weights = Vec::with_capacity(layout.len());
    for (tensor, range) in layout.tensors().iter().zip(layout.ranges()) {
        match tensor.shape.as_slice() {
            [] | [_] => {
                let value = if tensor.name.ends_with("gamma") { 1.0 } else { 0.0 };
                weights.extend(range.map(|_| value));
            }
            shape => {
                let fan_in: usize = if shape.len() == 2 { shape[0] } else { shape[1..].iter().product() };
                let most = (6.0 / fan_in as f32).sqrt();
                weights.extend(range.map(|_| (rng.random::<f32>() * 2.0 - 1.0) * most));
            }
        }
    }
    weights
}

#[cfg(test)]
mod tests {
    use peerlearn_protocols::params::TensorSpec;

    use super::*;

    #[test]
    fn the_bits_are_fixed() {
        let tensor = |name: &str, shape: &[usize]| TensorSpec { name: name.into(), shape: shape.to_vec() };
        let layout = Layout::new(vec![tensor("w", &[6, 2]), tensor("b", &[2]), tensor("n.gamma", &[2])]).unwrap();
        let weights = initial_weights(&layout, [7; 32]);
        assert!(weights[..12].iter().all(|weight| weight.abs() <= 1.0 && *weight != 0.0));
        assert_eq!(weights[12..], [0.0, 0.0, 1.0, 1.0]);
        // A change of these bits makes a new task: peers of two versions would start apart.
        assert_eq!(
            blake3::hash(&weights.iter().flat_map(|w| w.to_le_bytes()).collect::<Vec<_>>()).to_hex()[..16],
            *GOLDEN
        );
    }

    /// The hash of the weights above, as first drawn.
    const GOLDEN: &str = "357cba5b2d006398";
}
