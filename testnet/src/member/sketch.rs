//! A few numbers that stand for a model: distances between models are kept, nearly.

use serde::{Deserialize, Serialize};

/// Numbers of a sketch.
pub const DIMENSIONS: usize = 256;

/// A model, sketched: every parameter is added, with a sign, to one of [`DIMENSIONS`] numbers (count sketch, Charikar
/// et al. 2002; feature hashing, Weinberger et al. 2009). Place and sign come from a hash of its index, the same for
/// all.
///
/// The squared distance of two sketches is that of the models on average, with a relative standard deviation of at most
/// `sqrt(2 / 256)`, 9 %; of the mean over many pairs less. A model of up to 256 parameters is kept as it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sketch(Vec<f32>);

impl Sketch {
    /// Sketches a model. Shapes: `params: [n]`.
    pub fn of(params: &[f32]) -> Self {
        if params.len() <= DIMENSIONS {
            return Self(params.to_vec());
        }
        let mut sums = vec![0.0f64; DIMENSIONS];
        for (index, value) in params.iter().enumerate() {
            let hash = mixed(index as u64);
            let sign = if hash & 1 == 0 { 1.0 } else { -1.0 };
            sums[(hash >> 32) as usize % DIMENSIONS] += sign * f64::from(*value);
        }
        Self(sums.into_iter().map(|sum| sum as f32).collect())
    }
}

/// The finalizer of MurmurHash3.
fn mixed(mut value: u64) -> u64 {
    value = (value.wrapping_add(0x9e37_79b9_7f4a_7c15) ^ (value >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    value = (value ^ (value >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    value ^ (value >> 33)
}

/// Root mean square distance of models to their mean, from sketches; `None` for none, or for sketches of different
/// sizes.
pub fn disagreement<'a>(sketches: impl Iterator<Item = &'a Sketch> + Clone) -> Option<f64> {
    let length = sketches.clone().next()?.0.len();
    if sketches.clone().any(|sketch| sketch.0.len() != length || sketch.0.iter().any(|value| !value.is_finite())) {
        return None;
    }
    let models = sketches.map(|sketch| &sketch.0[..]);
    Some(peerlearn_sim::disagreement(models))
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn disagreement_of_sketches_is_that_of_models() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let models: Vec<Vec<f32>> = (0..8).map(|_| (0..7000).map(|_| rng.random::<f32>()).collect()).collect();
        let sketches: Vec<Sketch> = models.iter().map(|model| Sketch::of(model)).collect();
        let real = peerlearn_sim::disagreement(models.iter().map(|model| &model[..]));
        let sketched = disagreement(sketches.iter()).unwrap();
        assert!((sketched / real - 1.0).abs() < 0.1, "{sketched} {real}");
        assert_eq!(Sketch::of(&[1.0, 2.0]), Sketch(vec![1.0, 2.0]));
        assert_eq!(disagreement([Sketch(vec![1.0]), Sketch(vec![1.0, 2.0])].iter()), None);
        assert_eq!(disagreement([].iter()), None);
    }
}
