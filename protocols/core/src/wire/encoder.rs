//! The sending side of one peer: what a codec needs to know beyond the parameters, and remembers between models.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::blob;
use crate::codec::{Choice, Codec, Rounding, sparse};
use crate::params::{Layout, ParamsError};

/// Encodes the models of one peer, one after the other.
///
/// Error feedback of [`Codec::TopK`]: a parameter is ranked by how far it is from what was last sent of it, so that
/// what is left out adds up until it is sent (Stich et al. 2018, "Sparsified SGD with Memory", algorithm 1, with
/// absolute values in place of gradients, because a receiver may never have heard from this peer before).
#[derive(Debug, Clone)]
pub struct Encoder {
    codec: Codec,
    rounding: Rounding,
    rng: ChaCha8Rng,
    sent: Vec<f32>,
    order: Vec<u32>,
}

impl Encoder {
    /// An encoder that has sent nothing. `initial` is what every receiver starts from, `[parameters]`; only
    /// [`Codec::TopK`] keeps it.
    pub fn new(codec: Codec, rounding: Rounding, seed: u64, initial: &[f32]) -> Self {
        let sent = if matches!(codec, Codec::TopK(_)) { initial.to_vec() } else { Vec::new() };
        Self { codec, rounding, rng: ChaCha8Rng::seed_from_u64(seed), sent, order: Vec::new() }
    }

    /// The codec.
    pub fn codec(&self) -> Codec {
        self.codec
    }

    /// Encodes the newest model. Shapes: `params: [layout.len()]`.
    ///
    /// # Errors
    /// Wrong length, or a parameter that is not finite.
    pub fn encode(&mut self, layout: &Layout, params: &[f32]) -> Result<Vec<u8>, ParamsError> {
        layout.check(params)?;
        let seed = rand::Rng::next_u64(&mut self.rng);
        if let Codec::TopK(permille) = self.codec {
            self.sent.resize(params.len(), 0.0);
            sparse::rank(params, &self.sent, sparse::count(params.len(), permille), &mut self.order);
            self.order.iter().for_each(|&at| self.sent[at as usize] = params[at as usize]);
        }
        let dither = (self.rounding == Rounding::Stochastic).then_some(&mut self.rng);
        blob::encode_with(self.codec, layout, params, &mut Choice { dither, seed, positions: &self.order })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::TensorSpec;
    use crate::wire::blob::Blob;

    fn layout(size: usize) -> Layout {
        Layout::new(vec![TensorSpec { name: "w".into(), shape: vec![size] }]).unwrap()
    }

    fn read(blob: &[u8], layout: &Layout) -> Vec<f32> {
        let mut out = vec![0.0; layout.len()];
        Blob::parse(blob, layout).unwrap().read(0, &mut out);
        out
    }

    #[test]
    fn stochastic_rounding_is_right_on_average() {
        let layout = layout(3);
        let params = [1.27, 0.0234, -0.5061];
        let mut encoder = Encoder::new(Codec::Int8, Rounding::Stochastic, 7, &[]);
        let mut sums = [0.0f64; 3];
        for _ in 0..4000 {
            let back = read(&encoder.encode(&layout, &params).unwrap(), &layout);
            for ((sum, value), was) in sums.iter_mut().zip(back).zip(params) {
                assert!((value - was).abs() <= 0.010_001, "at most one step");
                *sum += f64::from(value) / 4000.0;
            }
        }
        // One step is 0.01; the mean of 4,000 has a standard deviation of at most 0.005 / sqrt(4000) = 8e-5.
        for (sum, was) in sums.iter().zip(params) {
            assert!((sum - f64::from(was)).abs() < 4e-4, "{sum} against {was}");
        }
    }

    #[test]
    fn top_k_sends_what_is_left_out_later() {
        let layout = layout(10);
        let mut encoder = Encoder::new(Codec::TopK(100), Rounding::Nearest, 0, &[0.0; 10]);
        let params: Vec<f32> = (1..=10).map(|value| value as f32).collect();
        let mut known = [0.0f32; 10];
        for round in 0..10 {
            let back = read(&encoder.encode(&layout, &params).unwrap(), &layout);
            let sent: Vec<usize> = (0..10).filter(|&at| !back[at].is_nan()).collect();
            assert_eq!(sent, [9 - round], "the largest change first");
            known[sent[0]] = back[sent[0]];
        }
        assert!(known.iter().zip(&params).all(|(known, value)| (known - value).abs() < 1e-5));
    }

    #[test]
    fn fragments_differ_from_model_to_model_and_cover_everything() {
        let layout = layout(100);
        let params = [1.0; 100];
        let mut encoder = Encoder::new(Codec::Fragment(4), Rounding::Nearest, 3, &[]);
        let mut seen = [0usize; 100];
        for _ in 0..64 {
            let back = read(&encoder.encode(&layout, &params).unwrap(), &layout);
            assert_eq!(back.iter().filter(|value| !value.is_nan()).count(), 25);
            back.iter().zip(&mut seen).for_each(|(value, seen)| *seen += usize::from(!value.is_nan()));
        }
        assert!(seen.iter().all(|&count| count > 2), "{seen:?}");
    }
}
